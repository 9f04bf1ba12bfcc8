"""Whose address is this: a search through every registered vault, by deriving again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.errors import ChainError
from chains.evm import addresses as evm_addresses
from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.safe import SafeVault
from chains.hd import path_text
from chains.utxo import addresses
from chains.utxo.descriptors import CHANGE, RECEIVE, DescriptorVault
from signer.errors import SignerError
from signer.guards.facts import NetworkRules, RegisteredVault

SEARCH_MAX = 100_000
"""Indexes of one branch; a search of a three-key vault derives about 10,000 a second."""


class NotOurs(SignerError):
    """An address that no registered vault has within the indexes searched."""

    code = "address.not_ours"


class UnreadableAddress(SignerError):
    """Text that is an address on none of our networks."""

    code = "address.unreadable"


class SearchTooLong(SignerError):
    """More indexes than anybody waits for."""

    code = "address.search_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an address comes from. `key_path` is our own key's, empty where none is ours."""

    vault: str
    branch: int
    index: int
    key_path: str


def place_of(vault: RegisteredVault, branch: int, index: int) -> Place:
    """A place, with the full path of our key there."""
    # A fixed address and a Safe owner are always child 0/0 of their account key.
    own = vault.own
    path = path_text((*own.path, branch, index)) if own is not None else ""
    return Place(vault=vault.name, branch=branch, index=index, key_path=path)


def find_address(
    text: str,
    vaults: Mapping[str, RegisteredVault],
    networks: Mapping[str, NetworkRules],
    indexes: int,
) -> Place:
    """The place of an address among the first `indexes` of every branch of every vault.

    Raises NotOurs, UnreadableAddress or SearchTooLong.
    """
    if not 1 <= indexes <= SEARCH_MAX:
        raise SearchTooLong(f"got {indexes} indexes to search, expected 1 to {SEARCH_MAX}")
    readable = False
    for vault in vaults.values():
        target = _target(text, networks[vault.network])
        if target is None:
            continue
        readable = True
        for branch, index, script in _targets(vault, indexes):
            if script == target:
                return place_of(vault, branch, index)
    if not readable:
        raise UnreadableAddress("got text that is an address of none of our vaults' networks")
    raise NotOurs(f"got an address that no vault has at the first {indexes} indexes")


def _target(text: str, rules: NetworkRules) -> bytes | None:
    try:
        if rules.utxo is not None:
            return addresses.parse(rules.utxo, text).target
        return evm_addresses.from_text(text)
    except ChainError:
        return None


def _targets(vault: RegisteredVault, indexes: int) -> Iterator[tuple[int, int, bytes]]:
    match vault.vault:
        case DescriptorVault():
            for branch in (RECEIVE, CHANGE):
                for index in range(indexes):
                    yield branch, index, vault.vault.script_pubkey_at(branch, index)
        case KeyAccount():
            for index in range(indexes):
                yield 0, index, vault.vault.address_at(index)
        case FixedAddress() | SafeVault():
            yield 0, 0, vault.vault.address

"""Vaults that a person registered, and accounts bound to one network.

A vault of ours is usable only if one of its keys is exactly an account this signer issued for that
network. A vault without a key of ours may be registered as a destination only.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from chains.errors import ChainError
from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.params import BUILTIN as EVM_NETWORKS
from chains.evm.safe import SafeVault
from chains.hd import HARDENED, KeyOrigin, path_text
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.params import BUILTIN as UTXO_NETWORKS
from chains.vaults import Vault, custodians_of, load_vault
from signer.config import check_name, parse_toml
from signer.errors import SignerError
from signer.guards.facts import NetworkRules, OwnKey, RegisteredVault, Role
from signer.protocol import dump


class RegistryError(SignerError):
    """A vault or account that must not be registered."""

    code = "registry.refused"


class UnfitVault(RegistryError):
    """A vault file that its codec refuses; `code` is the codec's own."""

    def __init__(self, name: str, cause: ChainError) -> None:
        super().__init__(f"vault {name}: {cause}")
        self.code = cause.code


class KeyBoundElsewhere(RegistryError):
    """An account path that already belongs to another network."""

    code = "registry.key_bound_elsewhere"


class TwoOwnKeys(RegistryError):
    """A vault in which this signer would hold two keys: one thief would hold both."""

    code = "registry.two_own_keys"


class WeakQuorum(RegistryError):
    """A vault where two groups of signers without a common member could each spend.

    Every signer signs an intent once; that stops a second payment only if any two quorums overlap.
    """

    code = "registry.weak_quorum"


class KeyInTwoVaults(RegistryError):
    """An account key of ours that another vault has: its limits would be counted twice."""

    code = "registry.key_in_two_vaults"


class NoOwnKey(RegistryError):
    """A deposit vault without a key of ours, or a fingerprint of ours over a foreign key."""

    code = "registry.no_own_key"


EVM_COIN_TYPE = 60
"""SLIP-44 number of Ethereum; every EVM chain of ours uses it."""

EVM_XPUB_VERSION = 0x0488B21E
"""EVM account keys are always written as xpub."""


class KeyUse(StrEnum):
    """What an account key will be part of; each has its own standard path."""

    MULTISIG = "multisig"
    SINGLE = "single"
    TAPROOT = "taproot"
    EVM = "evm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account key this signer issued: its path, its xpub, and the one network it is for."""

    network: str
    path: tuple[int, ...]
    xpub: str


def key_numbers(network: str, networks: Mapping[str, NetworkRules]) -> tuple[int, int]:
    """BIP-32 version and SLIP-44 coin type of a network's account keys. Raises RegistryError."""
    rules = networks.get(network)
    params = rules.utxo if rules is not None else UTXO_NETWORKS.get(network)
    if params is not None:
        return params.xpub_version, params.coin_type
    if rules is not None or network in EVM_NETWORKS:
        return EVM_XPUB_VERSION, EVM_COIN_TYPE
    raise RegistryError(f"got unknown network {network!r}, expected a configured one")


def standard_path(use: KeyUse, coin_type: int, account: int) -> tuple[int, ...]:
    """BIP-48 P2WSH, BIP-84, BIP-86, or BIP-44 account path. Raises RegistryError."""
    if not 0 <= account < HARDENED:
        raise RegistryError(f"got account {account}, expected 0 to 2^31 - 1")
    hardened = (coin_type + HARDENED, account + HARDENED)
    match use:
        case KeyUse.MULTISIG:
            return (48 + HARDENED, *hardened, 2 + HARDENED)
        case KeyUse.SINGLE:
            return (84 + HARDENED, *hardened)
        case KeyUse.TAPROOT:
            return (86 + HARDENED, *hardened)
        case KeyUse.EVM:
            return (44 + HARDENED, *hardened)
        case _:
            assert_never(use)


def check_account_path(path: tuple[int, ...], coin_type: int) -> None:
    """Raise RegistryError unless all of a path is hardened and its coin is the network's.

    An unhardened step would let one leaked child key and the xpub give the parent's key.
    """
    if len(path) < 3 or any(step < HARDENED for step in path):
        raise RegistryError(f"got {path_text(path)}, expected three or more hardened steps")
    if path[1] != coin_type + HARDENED:
        raise RegistryError(f"got {path_text(path)}, expected coin type {coin_type}h in it")


def registered(
    text: bytes,
    role: Role,
    networks: Mapping[str, NetworkRules],
    accounts: Sequence[Account],
    fingerprint: str,
) -> RegisteredVault:
    """The vault that a vault file describes, with our key in it. Raises RegistryError."""
    values = parse_toml(text, "vault file")
    name = check_name(str(values.get("name", "")), "vault name")
    utxo = {rules.id: rules.utxo for rules in networks.values() if rules.utxo is not None}
    try:
        vault = load_vault(values, utxo)
        custodians = custodians_of(values, vault)
    except ChainError as error:
        raise UnfitVault(name, error) from error
    rules = networks.get(vault.network)
    if rules is None:
        raise RegistryError(f"got network {vault.network}, expected one of {sorted(networks)}")
    if isinstance(vault, SafeVault) and vault.chain_id != rules.chain_id:
        raise RegistryError(f"got chain id {vault.chain_id}, expected {rules.chain_id}")
    if isinstance(vault, DescriptorVault) != (rules.utxo is not None):
        raise RegistryError(f"got a vault of another kind than {vault.network} has")
    own = _own_key(vault, accounts, fingerprint)
    threshold, keys = getattr(vault, "threshold", 1), len(origins_of(vault))
    if own is not None and 2 * threshold <= keys:
        raise WeakQuorum(f"got {threshold} of {keys}, expected more than half of the keys")
    return RegisteredVault(
        name=name, network=vault.network, role=role, vault=vault, own=own, custodians=custodians
    )


def check_own_key_is_free(vault: RegisteredVault, others: Iterable[RegisteredVault]) -> None:
    """Raise KeyInTwoVaults if another registered vault has the same account key of ours."""
    for other in others:
        if vault.own is not None and other.own == vault.own and other.name != vault.name:
            raise KeyInTwoVaults(
                f"got our key at {path_text(vault.own.path)}, which {other.name} has already; "
                "expected an account of its own for each vault"
            )


def origins_of(vault: Vault) -> tuple[KeyOrigin, ...]:
    """The account keys in a vault."""
    match vault:
        case DescriptorVault() | SafeVault():
            return vault.keys
        case KeyAccount() | FixedAddress():
            return (vault.key,)
        case _:
            assert_never(vault)


def first_address(vault: Vault, networks: Mapping[str, NetworkRules]) -> str:
    """The vault's first receive address, to compare on every signer."""
    return address_at(vault, networks, 0, 0)


def address_at(vault: Vault, networks: Mapping[str, NetworkRules], branch: int, index: int) -> str:
    """The address this signer derives at a branch and index. Raises ChainError, RegistryError."""
    match vault:
        case DescriptorVault():
            params = networks[vault.network].utxo
            if params is None:
                raise RegistryError(f"got no UTXO parameters for {vault.network}")
            return vault.address_at(params, branch, index)
        case KeyAccount() | FixedAddress() | SafeVault():
            if branch != 0:
                raise RegistryError(f"got branch {branch}, expected 0 on an EVM chain")
            return vault.address_text(index)
        case _:
            assert_never(vault)


def proof_body(vault: RegisteredVault, text: bytes) -> bytes:
    """What the proof of registration covers."""
    own = [list(vault.own.path), vault.own.xpub] if vault.own else []
    return dump(
        {
            "v": 1,
            "name": vault.name,
            "network": vault.network,
            "role": str(vault.role),
            "own": own,
            "file_sha256": hashlib.sha256(text).digest(),
        }
    )


def _own_key(vault: Vault, accounts: Sequence[Account], fingerprint: str) -> OwnKey | None:
    """Our account in the vault, by exact key, path and network; never by fingerprint."""
    issued = {account.xpub: account for account in accounts}
    found = []
    for origin in origins_of(vault):
        account = issued.get(origin.key.text)
        if account is None:
            if origin.fingerprint.hex() == fingerprint:
                raise NoOwnKey(f"got our fingerprint over a key we did not issue: {origin.text}")
            continue
        if account.network != vault.network:
            raise KeyBoundElsewhere(
                f"got a key that was issued for {account.network}, expected {vault.network}"
            )
        if account.path != origin.path or origin.fingerprint.hex() != fingerprint:
            raise NoOwnKey(f"got our key under another origin: {origin.text}")
        found.append(OwnKey(path=account.path, xpub=account.xpub))
    if len(found) > 1:
        raise TwoOwnKeys(f"got {len(found)} keys of ours in {vault.name}, expected one at most")
    return found[0] if found else None


def network_of(text: bytes) -> str:
    """The network that a registered vault file names."""
    return str(parse_toml(text, "vault file").get("network", ""))

"""Vaults that a person registered, and accounts bound to one network.

A vault of ours is usable only if one of its keys is exactly an account this signer issued for that
network. A vault without a key of ours may be registered as a destination only.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from chains.errors import ChainError
from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.safe import SafeVault
from chains.hd import KeyOrigin
from chains.utxo.descriptors import DescriptorVault
from chains.vaults import Vault, load_vault
from signer.config import check_name, parse_toml
from signer.errors import SignerError
from signer.guards.facts import NetworkRules, OwnKey, RegisteredVault, Role
from signer.protocol import dump


class RegistryError(SignerError):
    """A vault or account that must not be registered."""

    code = "registry.refused"


class KeyBoundElsewhere(RegistryError):
    """An account path that already belongs to another network."""

    code = "registry.key_bound_elsewhere"


class TwoOwnKeys(RegistryError):
    """A vault in which this signer would hold two keys: one thief would hold both."""

    code = "registry.two_own_keys"


class NoOwnKey(RegistryError):
    """A deposit vault without a key of ours, or a fingerprint of ours over a foreign key."""

    code = "registry.no_own_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account key this signer issued: its path, its xpub, and the one network it is for."""

    network: str
    path: tuple[int, ...]
    xpub: str


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
    except ChainError as error:
        raise RegistryError(f"vault {name}: {error}") from error
    rules = networks.get(vault.network)
    if rules is None:
        raise RegistryError(f"got network {vault.network}, expected one of {sorted(networks)}")
    if isinstance(vault, SafeVault) and vault.chain_id != rules.chain_id:
        raise RegistryError(f"got chain id {vault.chain_id}, expected {rules.chain_id}")
    if isinstance(vault, DescriptorVault) != (rules.utxo is not None):
        raise RegistryError(f"got a vault of another kind than {vault.network} has")
    own = _own_key(vault, accounts, fingerprint)
    return RegisteredVault(name=name, network=vault.network, role=role, vault=vault, own=own)


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


def proof_body(vault: RegisteredVault, text: bytes, first: str) -> bytes:
    """What the proof of registration covers."""
    own = [list(vault.own.path), vault.own.xpub] if vault.own else []
    return dump(
        {
            "v": 1,
            "name": vault.name,
            "network": vault.network,
            "role": str(vault.role),
            "own": own,
            "first_address": first,
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

"""Vault files: one mapping in, the vault it names out, whatever the chain."""

import unicodedata
from collections.abc import Mapping
from typing import TypeAlias

from chains.errors import CodecError
from chains.evm.accounts import FixedAddress, KeyAccount, text_fields
from chains.evm.safe import SafeVault
from chains.utxo import wallet_policies
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.params import BUILTIN, UtxoParams

Vault: TypeAlias = DescriptorVault | KeyAccount | FixedAddress | SafeVault
"""Every kind of vault that can be registered."""

CUSTODIAN_CHARS_MAX = 64
"""A person's or an organisation's name."""


class VaultError(CodecError):
    """A vault file of an unknown kind, or on a network nobody configured."""

    code = "vault.invalid"


class CustodianError(VaultError):
    """Custodians that are not one name for each key."""

    code = "vault.custodians"


class DuplicateCustodian(CustodianError):
    """One custodian of two keys: one person could do what the vault wants two for."""

    code = "vault.duplicate_custodian"


def load_vault(values: Mapping[str, object], networks: Mapping[str, UtxoParams] = BUILTIN) -> Vault:
    """The vault that a parsed vault file describes.

    `networks` are the UTXO chains known here. Raises CodecError naming what is wrong.
    """
    vault = _loaded({name: values[name] for name in values if name != "custodians"}, networks)
    custodians_of(values, vault)
    return vault


def custodians_of(values: Mapping[str, object], vault: Vault) -> tuple[str, ...]:
    """Who keeps each key of a vault, in the order of its keys or owners; empty if not named.

    Names that differ only in case, width or spaces are one custodian. Raises CustodianError.
    """
    if "custodians" not in values:
        return ()
    names = values["custodians"]
    keys = key_count(vault)
    if not isinstance(names, list) or len(names) != keys:
        raise CustodianError(f"got other custodians, expected a list of {keys} names")
    for name in names:
        if not (isinstance(name, str) and 0 < len(name.strip()) and name.isprintable()):
            raise CustodianError("got a custodian without a readable name")
        if len(name) > CUSTODIAN_CHARS_MAX:
            raise CustodianError(f"got a name of {len(name)} characters, expected at most 64")
    plain = {" ".join(unicodedata.normalize("NFKC", name).casefold().split()) for name in names}
    if len(plain) != len(names):
        raise DuplicateCustodian("got one custodian twice, expected another for each key")
    return tuple(names)


def key_count(vault: Vault) -> int:
    """How many keys a vault has, whoever holds them."""
    match vault:
        case DescriptorVault():
            return len(vault.keys)
        case SafeVault():
            return len(vault.owners)
    return 1


def _loaded(values: Mapping[str, object], networks: Mapping[str, UtxoParams]) -> Vault:
    match values.get("kind"):
        case "descriptor":
            return _descriptor(values, networks)
        case "policy":
            return _policy(values, networks)
        case "keys":
            return KeyAccount.load(values)
        case "address":
            return FixedAddress.load(values)
        case "safe":
            return SafeVault.load(values)
        case kind:
            raise VaultError(
                f"got kind {kind!r}, expected descriptor, policy, keys, address or safe"
            )


def _descriptor(values: Mapping[str, object], networks: Mapping[str, UtxoParams]) -> Vault:
    fields = text_fields(values, ("name", "network", "kind", "descriptor"))
    params = _params(fields["network"], networks)
    return DescriptorVault.parse(fields["name"], params, fields["descriptor"])


def _policy(values: Mapping[str, object], networks: Mapping[str, UtxoParams]) -> Vault:
    """A BIP-388 wallet policy: the descriptor as a template and a list of keys."""
    keys = values.get("keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise VaultError("got no keys, expected a list of texts")
    plain = {name: values[name] for name in values if name != "keys"}
    fields = text_fields(plain, ("name", "network", "kind", "template"))
    params = _params(fields["network"], networks)
    descriptor = wallet_policies.descriptor_of(fields["template"], keys)
    return DescriptorVault.parse(fields["name"], params, descriptor)


def _params(network: str, networks: Mapping[str, UtxoParams]) -> UtxoParams:
    params = networks.get(network)
    if params is None:
        raise VaultError(f"got network {network!r}, expected one of {sorted(networks)}")
    return params

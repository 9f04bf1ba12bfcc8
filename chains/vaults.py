"""Vault files: one mapping in, the vault it names out, whatever the chain."""

from collections.abc import Mapping
from typing import TypeAlias

from chains.errors import CodecError
from chains.evm.accounts import FixedAddress, KeyAccount, text_fields
from chains.evm.safe import SafeVault
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.params import BUILTIN, UtxoParams

Vault: TypeAlias = DescriptorVault | KeyAccount | FixedAddress | SafeVault
"""Every kind of vault that can be registered."""


class VaultError(CodecError):
    """A vault file of an unknown kind, or on a network nobody configured."""

    code = "vault.invalid"


def load_vault(values: Mapping[str, object], networks: Mapping[str, UtxoParams] = BUILTIN) -> Vault:
    """The vault that a parsed vault file describes.

    `networks` are the UTXO chains known here. Raises CodecError naming what is wrong.
    """
    match values.get("kind"):
        case "descriptor":
            return _descriptor(values, networks)
        case "keys":
            return KeyAccount.load(values)
        case "address":
            return FixedAddress.load(values)
        case "safe":
            return SafeVault.load(values)
        case kind:
            raise VaultError(f"got kind {kind!r}, expected descriptor, keys, address or safe")


def _descriptor(values: Mapping[str, object], networks: Mapping[str, UtxoParams]) -> Vault:
    fields = text_fields(values, ("name", "network", "kind", "descriptor"))
    params = networks.get(fields["network"])
    if params is None:
        raise VaultError(f"got network {fields['network']!r}, expected one of {sorted(networks)}")
    return DescriptorVault.parse(fields["name"], params, fields["descriptor"])

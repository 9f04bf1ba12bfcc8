"""From a vault and a position to an address, with public keys only."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, assert_never

from chains.errors import invariant
from chains.evm.accounts import BRANCH, FixedAddress, KeyAccount
from chains.evm.safe import SafeVault
from chains.utxo import addresses as utxo_addresses
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.params import UtxoParams
from chains.vaults import Vault
from wallet.errors import Invalid, NotFound


class SourceUnknown(NotFound):
    """No vault of this name is registered for the network."""

    code = "address.unknown_source"


class NoSuchPosition(Invalid):
    """A vault that has no address at this branch and position."""

    code = "address.no_such_position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """An address: its text, and the bytes that blocks are matched against."""

    address: str
    target: bytes


class Deriver(Protocol):
    """Where addresses come from."""

    def address_at(self, network: str, source: str, branch: int, position: int) -> Derived:
        """The address of a vault. Raises SourceUnknown or NoSuchPosition."""
        ...

    def has_one_address(self, network: str, source: str) -> bool:
        """Whether the vault is a single address (an EVM account, a Safe). Raises SourceUnknown."""
        ...


class OwnDeriver:
    """The deriver over our registered vaults."""

    def __init__(self, vaults: Iterable[Vault], networks: Mapping[str, UtxoParams]) -> None:
        self._vaults: dict[tuple[str, str], Vault] = {}
        for vault in vaults:
            key = (vault.network, vault.name)
            if key in self._vaults:
                raise Invalid(f"got two vaults named {vault.name} on {vault.network}, expected one")
            self._vaults[key] = vault
        self._networks = networks

    def address_at(self, network: str, source: str, branch: int, position: int) -> Derived:
        """The address of a vault. Raises SourceUnknown or NoSuchPosition."""
        vault = self.vault(network, source)
        if isinstance(vault, DescriptorVault):
            return self._script_address(vault, branch, position)
        if branch != BRANCH:
            raise NoSuchPosition(f"got branch {branch}, expected {BRANCH}: {source} has no other")
        if position != 0 and not isinstance(vault, KeyAccount):
            raise NoSuchPosition(f"got position {position}, expected 0: {source} is one address")
        return Derived(address=vault.address_text(position), target=vault.address_at(position))

    def has_one_address(self, network: str, source: str) -> bool:
        """Whether the vault is a single address (an EVM account, a Safe). Raises SourceUnknown."""
        vault = self.vault(network, source)
        match vault:
            case FixedAddress() | SafeVault():
                return True
            case DescriptorVault() | KeyAccount():
                return False
        assert_never(vault)

    def vault(self, network: str, source: str) -> Vault:
        """The vault of this name. Raises SourceUnknown."""
        vault = self._vaults.get((network, source))
        if vault is None:
            raise SourceUnknown(f"got source {source!r}, expected a registered vault of {network}")
        return vault

    def _script_address(self, vault: DescriptorVault, branch: int, position: int) -> Derived:
        params = self._networks[vault.network]
        target = vault.script_pubkey_at(branch, position)
        address = utxo_addresses.encode(params, target)
        # What the payer will read out of the text must be the script we watch.
        invariant(
            utxo_addresses.parse(params, address).target == target,
            f"the address at {branch}/{position} of {vault.name} reads back as another script",
        )
        return Derived(address=address, target=target)

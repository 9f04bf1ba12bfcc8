"""Address poisoning: a payee that begins and ends like a known address and is another one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chains.evm.accounts import KeyAccount
from chains.utxo.descriptors import DescriptorVault
from signer.guards.facts import NetworkRules, PayeeFact, RegisteredVault
from signer.registry import address_at

if TYPE_CHECKING:
    from signer.home import Home

SHOWN = 4
"""Characters that people compare at either end; what every address shares is not counted."""

OWN_INDEXES = 20
"""Receive addresses of each registered vault that a payee is compared with."""

_BECH32 = re.compile(r"[a-z]{1,12}1[02-9ac-hj-np-z](?=[02-9ac-hj-np-z]{12,}$)")
_HEX = re.compile(r"0x")


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A payee and the known address that it could be mistaken for."""

    payee: str
    known: str

    def __str__(self) -> str:
        return f"{self.payee} is not {self.known}"


def outline(address: str) -> str:
    """What a hurried eye sees of an address: both ends, without prefix and letter case."""
    text = address.lower()
    fixed = _BECH32.match(text) or _HEX.match(text)
    body = text[fixed.end() :] if fixed else text[1:]
    return f"{body[:SHOWN]}..{body[-SHOWN:]}"


class OwnAddresses:
    """The first receive addresses of registered vaults by outline, derived when first asked for."""

    def __init__(self) -> None:
        self._by_vault: dict[str, Mapping[str, str]] = {}

    def like(self, shape: str, network: str, home: "Home") -> set[str]:
        """Addresses of ours on a network with this outline."""
        found: set[str] = set()
        for vault in home.vaults.values():
            if vault.network == network:
                # A registered name never stands for another vault.
                if vault.name not in self._by_vault:
                    self._by_vault[vault.name] = _receiving(vault, home.networks)
                found.update(filter(None, [self._by_vault[vault.name].get(shape)]))
        return found


def look_alikes(
    payees: Iterable[PayeeFact], network: str, home: "Home", own: OwnAddresses
) -> tuple[LookAlike, ...]:
    """Payees of unknown addresses with the outline of a known one.

    Known are our own vaults' addresses, the policy's book, and every address paid before.
    """
    policy, found = home.activated().policy, []
    booked = [entry.address for key, entry in policy.book.items() if key[0] == network]
    for payee in payees:
        if payee.source or policy.listed(network, payee.address) is not None:
            continue
        shape = outline(payee.address)
        known = {*home.state.payees_like(network, payee.address), *own.like(shape, network, home)}
        known.update(address for address in booked if outline(address) == shape)
        if known and payee.address not in known:
            found.append(LookAlike(payee.address, min(known)))
    return tuple(found)


def _receiving(vault: RegisteredVault, networks: Mapping[str, NetworkRules]) -> Mapping[str, str]:
    many = isinstance(vault.vault, DescriptorVault | KeyAccount)
    addresses = (
        address_at(vault.vault, networks, 0, index) for index in range(OWN_INDEXES if many else 1)
    )
    return {outline(address): address for address in addresses}

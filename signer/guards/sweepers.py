"""Whose treasury a sweeper pays: its address says so, because it is the hash of its code."""

from chains.evm.accounts import FixedAddress
from chains.evm.addresses import from_text
from chains.evm.sweeper import sweeper_address
from signer.guards.facts import NetworkRules, RegisteredVault, Role


def pays_only(vault: RegisteredVault, rules: NetworkRules) -> bool:
    """Whether the configured sweeper is the one whose code pays this hot account and nobody else.

    So a wrong line in a configuration file, or an address that somebody else deployed to, never
    gets power over a deposit address.
    """
    return (
        vault.network == rules.id
        and vault.role is Role.HOT
        and isinstance(vault.vault, FixedAddress)
        and sweeper_address(vault.vault.address) == from_text(rules.sweeper)
    )

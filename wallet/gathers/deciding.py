"""Which way an address is gathered: facts in, decision out; nothing is asked and nothing changed.

Gas alone decides between the ways, because they move the same money at the same price of gas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

PLAIN_GAS = 21_000
"""What any transaction takes, and a top-up takes no more."""

BATCH_GAS = 26_000
"""A batch before its first address: the transaction, the sweeper's start, the treasury's slot."""

AUTHORIZATION_GAS = 25_000
"""EIP-7702 takes this for an account's first leave; some chains give half of it back."""

SHARE_OVERHEAD_GAS = 1_000
"""What an address in a batch may take beyond its transfer: the call of the delegate."""

ETHER_SHARE_GAS = 12_000
"""An address's part of a batch of ether: a call, and a call that moves value."""

ACCOUNTS_MAX = 100
"""Addresses in one batch, as the sweeper has it."""


class Way(StrEnum):
    """What is done about an address now."""

    WAIT = "wait"  # its next nonce belongs to a batch that cannot take it yet
    PLAIN = "plain"  # a transfer of its own, its gas topped up where it is missing
    BATCH = "batch"  # with others, by the sweeper


class Delegation(StrEnum):
    """How an address stands to the sweeper."""

    NONE = "none"  # never asked, or asked in vain
    GIVEN = "given"  # its leave is signed, and its nonce taken: only a batch can go next
    ACTIVE = "active"  # the chain runs the sweeper's code for it
    REFUSED = "refused"  # its signer says no


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One address with an asset worth gathering. Gas is what its own transfer would take."""

    address: str
    delegation: Delegation
    transfer_gas: int
    needs_gas: bool
    unbooked: bool
    is_native: bool
    moved_nothing: bool = False

    @property
    def plain_gas(self) -> int:
        """A transfer of its own, with its top-up where it has no gas."""
        return self.transfer_gas + (PLAIN_GAS if self.needs_gas else 0)

    @property
    def share_gas(self) -> int:
        """Its part of a batch, with its leave where that is not given to the chain yet."""
        moves = ETHER_SHARE_GAS if self.is_native else self.transfer_gas - PLAIN_GAS
        new = 0 if self.delegation is Delegation.ACTIVE else AUTHORIZATION_GAS
        return moves + SHARE_OVERHEAD_GAS + new

    @property
    def may_join(self) -> bool:
        """Whether a batch may empty it: all of it is on the books, and nothing speaks against it.

        Ether is no reason to delegate: the first time costs more than a transfer.
        """
        if self.unbooked or self.moved_nothing or self.delegation is Delegation.REFUSED:
            return False
        return self.delegation is not Delegation.NONE or not self.is_native


def ways(candidates: Sequence[Candidate], *, has_sweeper: bool) -> dict[str, Way]:
    """The way for each address, by the gas that all of them together take."""
    joining = [one for one in candidates if has_sweeper and one.may_join]
    found: dict[str, Way] = {}
    for one in candidates:
        # A nonce that belongs to an authorisation would make a transfer of its own wait for ever.
        found[one.address] = Way.WAIT if one.delegation is Delegation.GIVEN else Way.PLAIN
    if joining and _batched_gas(joining) <= sum(one.plain_gas for one in joining):
        found.update({one.address: Way.BATCH for one in joining})
    else:
        # Leave that is given is used: it cost a signature and holds the address's nonce.
        given = [one for one in joining if one.delegation is Delegation.GIVEN]
        found.update({one.address: Way.BATCH for one in given})
    return found


def batch_gas_limit(shares: Sequence[Candidate]) -> int:
    """The gas limit of a batch: a quarter more than forecast, since storage may change."""
    gas = _batched_gas(shares)
    return gas + gas // 4


def _batched_gas(shares: Sequence[Candidate]) -> int:
    batches = -(-len(shares) // ACCOUNTS_MAX)
    return batches * BATCH_GAS + sum(one.share_gas for one in shares)

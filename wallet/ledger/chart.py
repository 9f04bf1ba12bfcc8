"""The chart of accounts: which owners exist and which side they grow on.

An owner is a name with a prefix; with an asset it is one ledger account.
"""

from dataclasses import dataclass
from enum import StrEnum

from wallet.ledger.errors import UnknownOwner

OWNER_MAX = 128
"""Characters of an owner's name, as the column holds."""


class Kind(StrEnum):
    """Accounts of assets and expenses grow by debits, the others by credits."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"


class SubAccount(StrEnum):
    """The parts of a user's account; deposits come into spot, and withdrawals are paid from it."""

    SPOT = "spot"
    MARGIN = "margin"
    CONTRACT = "contract"


HOT = "chain:hot"
"""Coins of the hot vaults and addresses."""

DEPOSIT = "chain:deposit"
"""Coins still on deposit addresses."""

COLD = "chain:cold"
"""Coins of the cold vaults and Safes."""

CLEARING = "clearing:withdrawals"
"""Owed to payees: taken from users, not yet gone from the chain accounts."""

UNALLOCATED = "liability:unallocated"
"""Received, but not credited to anybody (below the minimum, unknown origin)."""

NETWORK_FEES = "expense:network_fees"
"""Paid to miners and validators."""

KEPT_BY_TOKENS = "expense:kept_by_tokens"
"""Taken by tokens with fees, or lost to a token's rounding, when we move them."""

FEE_INCOME = "revenue:withdrawal_fees"
"""Charged to users for withdrawals."""

ESCROW_FEES = "revenue:escrow_fees"
"""Charged for trades between users, out of what was released."""

HOUSE = "equity:house"
"""The operator's own stake: first funding, and losses it takes."""

RECEIVABLE_PREFIX = "receivable"
"""Owed to the house by a user whose spent deposit a reorganisation took back."""

ISSUED_PREFIX = "issued"
"""What a gateway answers for: its registered assets, as far as they are issued and not redeemed."""

_KINDS = {
    "user": Kind.LIABILITY,
    "clearing": Kind.LIABILITY,
    "liability": Kind.LIABILITY,
    "chain": Kind.ASSET,
    RECEIVABLE_PREFIX: Kind.ASSET,
    ISSUED_PREFIX: Kind.ASSET,
    "equity": Kind.EQUITY,
    "revenue": Kind.REVENUE,
    "expense": Kind.EXPENSE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One ledger account: an owner's money of one asset.

    Only liabilities are kept from going below zero: what a chain did must always be bookable, and
    reconciliation tells when it should not have happened.
    """

    owner: str
    kind: Kind
    asset: str

    @property
    def may_go_negative(self) -> bool:
        """False: debits and held debits may not pass credits."""
        return self.kind is not Kind.LIABILITY

    @property
    def grows_by_debits(self) -> bool:
        """True for what the house has or has spent: its net is debits less credits."""
        return self.kind in (Kind.ASSET, Kind.EXPENSE)


def user(account_id: str, sub_account: SubAccount = SubAccount.SPOT) -> str:
    """The owner name of one of the exchange's users, or of one part of what they have.

    Raises UnknownOwner for an id with a slash: it could be read as another user's part.
    """
    if "/" in account_id:
        raise UnknownOwner(f"got account id {account_id[:OWNER_MAX]!r}, expected one without '/'")
    if sub_account is SubAccount.SPOT:
        return f"user:{account_id}"
    return f"user:{account_id}/{sub_account}"


def user_of(owner: str) -> tuple[str, SubAccount] | None:
    """Whose part an owner name is: account id and sub-account; None if it is no user's."""
    prefix, _, rest = owner.partition(":")
    if prefix != "user" or not rest:
        return None
    account_id, slash, part = rest.partition("/")
    return account_id, SubAccount(part) if slash else SubAccount.SPOT


def receivable(account_id: str) -> str:
    """The owner name of what one of the exchange's users owes the house."""
    return f"{RECEIVABLE_PREFIX}:{account_id}"


def issued(gateway: str) -> str:
    """The owner name of what a gateway has issued."""
    return f"{ISSUED_PREFIX}:{gateway}"


def account(owner: str, asset: str) -> Account:
    """The ledger account of an owner in an asset. Raises UnknownOwner outside the chart."""
    prefix, _, rest = owner.partition(":")
    if prefix not in _KINDS or not rest or len(owner) > OWNER_MAX or not owner.isprintable():
        raise UnknownOwner(
            f"got owner {owner[:OWNER_MAX]!r}, expected {', '.join(_KINDS)} with a name behind ':'"
        )
    return Account(owner=owner, kind=_KINDS[prefix], asset=asset)

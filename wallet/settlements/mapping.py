"""From a settlement to ledger transfers: only users' accounts, known assets and own holds.

What a caller may not name is put in a form that the ledger refuses by the result that fits, so that
every transfer gets its answer in the same way and in its place.
"""

from collections.abc import Collection
from dataclasses import dataclass

from wallet.ledger.transfers import Transfer, TransferKind
from wallet.settlements.wire import NO_ID, SettlementOrder, TransferOrder

NOBODY = ("nobody:debit", "nobody:credit")
"""Owners outside the chart of accounts: `account_unknown`."""

NO_ASSET = ""
"""No asset's code: `asset_invalid`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What the transfers name and must not: accounts, assets, and holds of other parts."""

    accounts: Collection[str]
    assets: Collection[str]
    holds: Collection[str]


def transfers_of(order: SettlementOrder, refused: Refused) -> list[Transfer]:
    """The transfers in their order."""
    return [
        _ending(asked, refused) if asked.hold_id else _beginning(asked, refused)
        for asked in order.transfers
    ]


_KINDS = {str(kind): kind for kind in TransferKind}
_SUFFIXES = {"spot": "", "margin": "/margin", "contract": "/contract"}


def _beginning(asked: TransferOrder, refused: Refused) -> Transfer:
    """A single transfer or a hold. Owner names as `chart.user` makes them; ids have no slash."""
    debit, credit = asked.debit_account_id, asked.credit_account_id
    accounts, assets = refused.accounts, refused.assets
    return Transfer(
        id=asked.id,
        kind=_KINDS[asked.kind],
        debit=(
            NOBODY[0] if debit in accounts else f"user:{debit}{_SUFFIXES[asked.debit_sub_account]}"
        ),
        credit=(
            NOBODY[1]
            if credit in accounts
            else f"user:{credit}{_SUFFIXES[asked.credit_sub_account]}"
        ),
        asset=NO_ASSET if asked.asset in assets else asked.asset,
        units=int(asked.units),
        expires_s=asked.expires_s,
        linked=asked.linked,
    )


def _ending(asked: TransferOrder, refused: Refused) -> Transfer:
    """A post or a void; no units mean all that is held."""
    return Transfer(
        id=asked.id,
        kind=_KINDS[asked.kind],
        debit="",
        credit="",
        asset="",
        units=int(asked.units or 0),
        hold_id=NO_ID if asked.hold_id in refused.holds else asked.hold_id,
        linked=asked.linked,
    )

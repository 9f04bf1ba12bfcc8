"""Trust lines: how much of a registered asset a holder is willing to hold.

Without one nothing of the asset arrives. A limit below what is held stops inflow and no more; a
limit of 0 with nothing held withdraws the trust line. Assets of a chain need none.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from wallet.addresses.accounts import get_account
from wallet.assets.authority import Act, Actor
from wallet.assets.context import AssetContext, check_units
from wallet.assets.errors import TrustNotNeeded
from wallet.assets.registration import RegisteredAsset, find_asset, get_asset
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.balances import balances_of
from wallet.ledger.chart import SubAccount
from wallet.ledger.terms.stated import (
    Stated,
    newest,
    registered_among,
    select_newest,
    state_limit,
    stated,
)
from wallet.store.schema import account_terms

STATED = "trust stated"
"""The reason of a change that the holder makes; a holder owes nobody another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustLine:
    """A holder's limit in one registered asset; it bounds each part of the account by itself.

    `held_units` is what all parts are worth now.
    """

    account_id: str
    asset: str
    limit_units: int
    held_units: int
    frozen: bool
    since_s: int

    @property
    def is_withdrawn(self) -> bool:
        """Nothing held, and nothing may arrive."""
        return self.limit_units == 0 and self.held_units == 0


def state_trust(
    tx: Connection,
    context: AssetContext,
    actor: Actor,
    account_id: str,
    asset: str,
    limit_units: int,
) -> TrustLine:
    """State the limit from now on, with its event; the same limit again changes nothing.

    Raises ActNotAllowed, AccountNotFound, AssetUnknown, TrustNotNeeded, BadUnits.
    """
    context.authority.require(tx, actor, Act.STATE_TRUST, account_id, asset)
    get_account(tx, account_id)
    if find_asset(tx, context, asset) is None:
        raise TrustNotNeeded(f"got {asset}, expected a registered asset: coins need no trust")
    check_units(limit_units, 0)
    owner = chart.user(account_id)
    before = newest(tx, owner, asset)
    if before is not None and before.terms.limit_units == limit_units:
        return _line(account_id, before, _held(tx, account_id))
    made = state_limit(tx, owner, asset, limit_units, context.change(tx, actor, STATED))
    limit_before = None if before is None else before.terms.limit_units
    body = {
        "account_id": account_id,
        "asset": asset,
        "limit_units": str(limit_units),
        "limit_units_before": None if limit_before is None else str(limit_before),
        "by": actor.key_id,
    }
    append_event(tx, "trust_line.stated", account_id, body, made.change.since_s)
    return _line(account_id, made, _held(tx, account_id))


def list_trust_lines(tx: Connection, account_id: str) -> Sequence[TrustLine]:
    """Every trust line of an account, withdrawn ones too, by asset code."""
    owner = chart.user(account_id)
    held = _held(tx, account_id)
    c = account_terms.c
    query = select_newest().where(c.owner == owner, c.limit_units.is_not(None)).order_by(c.asset)
    return [_line(account_id, stated(row), held) for row in tx.execute(query).mappings()]


def ever_of(tx: Connection, account_id: str) -> Sequence[RegisteredAsset]:
    """The registered assets that an account ever held or trusted, by code."""
    trusted = [line.asset for line in list_trust_lines(tx, account_id)]
    codes = registered_among(tx, [*trusted, *_held(tx, account_id)])
    return [get_asset(tx, code) for code in sorted(codes)]


def _held(tx: Connection, account_id: str) -> Counter[str]:
    """What the account is worth in each asset, all its parts together."""
    held = Counter[str]()
    for part in SubAccount:
        for asset, found in balances_of(tx, chart.user(account_id, part)).items():
            held[asset] += found.net
    return held


def _line(account_id: str, one: Stated, held: Counter[str]) -> TrustLine:
    return TrustLine(
        account_id=account_id,
        asset=one.asset,
        limit_units=one.terms.limit_units or 0,
        held_units=held[one.asset],
        frozen=one.terms.frozen,
        since_s=one.change.since_s,
    )

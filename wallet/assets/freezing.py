"""Freezing an account in one asset, and letting it go on.

The operator can freeze in every asset. A key that acts for a gateway can freeze in that gateway's
assets only, whatever its scopes: who answers for one asset is nobody in another.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from wallet.addresses.accounts import get_account
from wallet.assets.authority import Act, Actor
from wallet.assets.context import AssetContext
from wallet.assets.errors import BadReason, FrozenAlready, NotFrozen, NotYourGateway
from wallet.assets.gateways import acts_for
from wallet.assets.registration import find_asset
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.terms.stated import Stated, newest, state_frozen, terms_of

REASON_MAX = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Whom, in what and why to freeze, or to let go on."""

    account_id: str
    asset: str
    reason: str


def freeze(tx: Connection, context: AssetContext, actor: Actor, asked: Frozen) -> Stated:
    """Freeze an account in an asset from now on, with its event.

    Raises ActNotAllowed, AccountNotFound, AssetUnknown, NotYourGateway, BadReason, FrozenAlready.
    """
    if _is_frozen(tx, context, actor, asked):
        raise FrozenAlready(f"got an account that is frozen in {asked.asset} already")
    return _state(tx, context, actor, asked, True)


def thaw(tx: Connection, context: AssetContext, actor: Actor, asked: Frozen) -> Stated:
    """Let a frozen account go on, with its event. Raises as freeze, and NotFrozen."""
    if not _is_frozen(tx, context, actor, asked):
        raise NotFrozen(f"got an account that is not frozen in {asked.asset}")
    return _state(tx, context, actor, asked, False)


def frozen_among(tx: Connection, accounts: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of the (account id, asset code) that are frozen now."""
    pairs = sorted(set(accounts))
    terms = terms_of(tx, [(chart.user(account_id), asset) for account_id, asset in pairs])
    return frozenset(pair for pair in pairs if terms[chart.user(pair[0]), pair[1]].frozen)


def _is_frozen(tx: Connection, context: AssetContext, actor: Actor, asked: Frozen) -> bool:
    """Whether it is now, once everything is checked that both acts ask for."""
    context.authority.require(tx, actor, Act.FREEZE, asked.account_id, asked.asset)
    get_account(tx, asked.account_id)
    registered = find_asset(tx, context, asked.asset)
    own = acts_for(tx, actor)
    if own and (registered is None or registered.gateway not in own):
        raise NotYourGateway(f"got {asked.asset}, expected an asset of {', '.join(sorted(own))}")
    if not 0 < len(asked.reason.strip()) <= REASON_MAX or not asked.reason.isprintable():
        raise BadReason(
            f"got a reason of {len(asked.reason)} characters, expected 1 to {REASON_MAX}"
        )
    now = newest(tx, chart.user(asked.account_id), asked.asset)
    return now is not None and now.terms.frozen


def _state(
    tx: Connection, context: AssetContext, actor: Actor, asked: Frozen, frozen: bool
) -> Stated:
    change = context.change(tx, actor, asked.reason)
    made = state_frozen(tx, chart.user(asked.account_id), asked.asset, frozen, change)
    body = {
        "account_id": asked.account_id,
        "asset": asked.asset,
        "reason": asked.reason,
        "by": actor.key_id,
    }
    what = "account.frozen" if frozen else "account.thawed"
    append_event(tx, what, asked.account_id, body, change.since_s)
    return made

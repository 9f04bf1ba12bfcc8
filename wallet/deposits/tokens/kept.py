"""What a block showed of our tokens, kept: whose code answers, and what each address holds.

From block to block a balance may change only as logs tell. What else changes it is told as
`alert.balance_drift`, credited to nobody, and shows in the reconciliation until somebody books it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from chains.types import BlockRef, TokenCode, TokenMove
from wallet.addresses.issuing import Address
from wallet.events import append_event
from wallet.pauses import Scope, pause
from wallet.settings import AssetSettings
from wallet.store.schema import token_balances, token_codes

CODE_CHANGED = "another code answers for this token"
"""Why withdrawals of it stand still."""

PAUSED_BY = "service:tokens"
"""Who paused them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A balance as last checked."""

    asset: str
    target: bytes
    units: int
    height: int


def check_code(
    tx: Connection, network: str, seen: TokenCode, asset: AssetSettings, now_s: int
) -> bool:
    """Whether a token's code is the one that is trusted; the first one seen is, if none is set."""
    row = _code_row(tx, network, seen.asset)
    if row is None:
        trusted = asset.code_hash or seen.fingerprint
        tx.execute(
            insert(token_codes).values(
                network=network, asset=seen.asset, fingerprint=trusted, changed_s=now_s
            )
        )
        row = _code_row(tx, network, seen.asset)
    if seen.fingerprint in (row.fingerprint, asset.code_hash):
        return True
    if row.waiting != seen.fingerprint:
        _update_code(tx, network, seen.asset, waiting=seen.fingerprint, changed_s=now_s)
        body = {
            "network": network,
            "asset": seen.asset,
            "trusted": row.fingerprint,
            "found": seen.fingerprint,
        }
        append_event(tx, "alert.token_code_changed", seen.asset, body, now_s)
        pause(tx, Scope.ASSET, seen.asset, CODE_CHANGED, PAUSED_BY, now_s)
    return False


def waiting_code(tx: Connection, network: str, asset: str) -> str:
    """The fingerprint that waits for confirmation, "" for none."""
    row = _code_row(tx, network, asset)
    return "" if row is None else str(row.waiting)


def trust_code(
    tx: Connection, network: str, asset: str, fingerprint: str, by: str, now_s: int
) -> None:
    """Trust another code from now on, because somebody looked at it."""
    _update_code(
        tx, network, asset, fingerprint=fingerprint, waiting="", confirmed_by=by, changed_s=now_s
    )
    body = {"network": network, "asset": asset, "fingerprint": fingerprint, "by": by}
    append_event(tx, "token.code_confirmed", asset, body, now_s)


def follow_balance(
    tx: Connection, network: str, move: TokenMove, ref: BlockRef, owner: Address, now_s: int
) -> None:
    """Keep what an address holds after a block; tell what changed since the last check unlogged."""
    if move.before is None or move.after is None:
        return
    known = known_balance(tx, network, move.asset, move.target)
    if known is not None and known.height >= ref.height:
        return  # an older block scanned again says nothing new
    between = 0 if known is None else move.before - known.units
    inside = move.unlogged or 0
    # Less than logged is told with the deposit, or booked with the payment, that it is about.
    inside = 0 if inside < 0 < move.logged_in else inside
    if between or inside:
        tell_drift(tx, network, move.asset, owner.address, between + inside, now_s)
    keep_balance(tx, network, move.asset, move.target, move.after, ref.height, now_s)


def tell_drift(
    tx: Connection, network: str, asset: str, address: str, units: int, now_s: int
) -> None:
    """Tell people that a balance changed by `units` and no event says why."""
    body = {"network": network, "asset": asset, "address": address, "drift_units": str(units)}
    append_event(tx, "alert.balance_drift", address, body, now_s)


def known_balance(tx: Connection, network: str, asset: str, target: bytes) -> Checked | None:
    """What an address held when it was last checked, or None."""
    row = tx.execute(select(token_balances).where(*_place(network, asset, target))).one_or_none()
    if row is None:
        return None
    return Checked(asset=asset, target=target, units=row.units, height=row.height)


def keep_balance(
    tx: Connection, network: str, asset: str, target: bytes, units: int, height: int, now_s: int
) -> None:
    """Write down what an address holds at a height."""
    values = {"units": units, "height": height, "checked_s": now_s}
    place = _place(network, asset, target)
    if tx.execute(update(token_balances).where(*place).values(**values)).rowcount == 0:
        row = {"network": network, "asset": asset, "target": target, **values}
        tx.execute(insert(token_balances).values(**row))


def forget_balances(tx: Connection, network: str, fork_height: int) -> None:
    """After a reorg: what was checked above the fork is checked anew at the next move."""
    tx.execute(
        delete(token_balances).where(
            token_balances.c.network == network, token_balances.c.height > fork_height
        )
    )


def _place(network: str, asset: str, target: bytes) -> tuple[Any, ...]:
    c = token_balances.c
    return c.network == network, c.asset == asset, c.target == target


def _code_row(tx: Connection, network: str, asset: str) -> Any:
    return tx.execute(
        select(token_codes).where(token_codes.c.network == network, token_codes.c.asset == asset)
    ).one_or_none()


def _update_code(tx: Connection, network: str, asset: str, **values: object) -> None:
    tx.execute(
        update(token_codes)
        .where(token_codes.c.network == network, token_codes.c.asset == asset)
        .values(**values)
    )

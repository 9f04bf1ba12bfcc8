"""A scan that stands still says so: one row, one alert, and a word when it goes on."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select

from wallet.clock import Clock
from wallet.deposits.scanned.coverage import CoverageBroken
from wallet.deposits.scanned.gaps import Gap, find_gaps
from wallet.events import append_event
from wallet.store.database import Database
from wallet.store.schema import scan_stops

GAP = "coverage_gap"
"""Something was skipped, or what is stored does not fit together."""

TOO_DEEP = "reorg_too_deep"
"""The node's chain leaves ours further back than any reorganisation that is followed unasked."""

NOT_BELIEVED = "node_not_believed"
"""The node shows what no honest node of this chain can: a wrong difficulty, root, proof, field."""


_STOPS = (
    select(scan_stops.c.code)
    .where(scan_stops.c.network == bindparam("on"))
    .order_by(scan_stops.c.code)
)


def set_stop(tx: Connection, network: str, code: str, detail: str, now_s: int) -> None:
    """Write down why a scan stands still; the alert is told once, however often this is called."""
    if code in stops(tx, network):
        return
    tx.execute(insert(scan_stops).values(network=network, code=code, detail=detail, since_s=now_s))
    body = {"network": network, "reason": code, "detail": detail}
    append_event(tx, "alert.scan_stopped", network, body, now_s)


def clear_stop(tx: Connection, network: str, code: str, now_s: int) -> None:
    """The reason is gone: the scan goes on."""
    gone = tx.execute(
        delete(scan_stops).where(scan_stops.c.network == network, scan_stops.c.code == code)
    )
    if gone.rowcount:
        append_event(tx, "scan.resumed", network, {"network": network, "reason": code}, now_s)


def stops(tx: Connection, network: str) -> Sequence[str]:
    """Codes of what a network's scan stands still for; empty while it runs."""
    return [str(code) for code in tx.execute(_STOPS, {"on": network}).scalars()]


def gap_detector(database: Database, network: str, clock: Clock) -> Callable[[], None]:
    """A job that looks for gaps, stops the scan and alerts when there are, and lifts it after."""

    def detect() -> None:
        with database.read() as tx:
            gaps = find_gaps(tx, network)
            known = stops(tx, network)
        if not gaps and GAP not in known:
            return
        with database.write() as tx:
            # Looked at again: the scan may have moved since.
            settle_gaps(tx, network, find_gaps(tx, network), clock.now_s())

    return detect


def settle_gaps(tx: Connection, network: str, gaps: Sequence[Gap], now_s: int) -> None:
    """Stop a scan because of these gaps, or let it go on when there are none."""
    if gaps:
        set_stop(tx, network, GAP, words(gaps), now_s)
    else:
        clear_stop(tx, network, GAP, now_s)


def words(gaps: Sequence[Gap]) -> str:
    """Gaps in one line, the first few of them."""
    named = [f"{gap.code} {gap.from_height}-{gap.to_height}: {gap.text}" for gap in gaps[:3]]
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return "; ".join(named) + more


def require_running(tx: Connection, network: str) -> None:
    """Raise CoverageBroken while a gap stops the scan."""
    if GAP in stops(tx, network):
        raise CoverageBroken(f"got gaps in the scan of {network}, see prove-coverage")

"""When the ledger contradicts itself: told once, and withdrawals of every network stand still."""

from collections.abc import Sequence

from sqlalchemy import Connection

from wallet.clock import Clock
from wallet.events import append_event
from wallet.ledger.versions.findings import Finding
from wallet.pauses import Scope, active, pause

PAUSED_BY = "service:ledger"


class LedgerAlarm:
    """Pauses `networks`; a person lifts it, and while the finding stands it comes again."""

    def __init__(self, clock: Clock, networks: Sequence[str]) -> None:
        self._clock = clock
        self._networks = networks

    def __call__(self, tx: Connection, finding: Finding) -> None:
        """Pause what is not paused yet, with one event."""
        running = [network for network in self._networks if not _is_paused(tx, network)]
        if not running:
            return
        now_s = self._clock.now_s()
        body = {
            "code": finding.code,
            "table": finding.table,
            "key": finding.key,
            "height": finding.height,
        }
        append_event(tx, "alert.ledger_contradicts", str(finding.height), body, now_s)
        reason = f"{finding.code}: {finding.table} {finding.key}"
        for network in running:
            pause(tx, Scope.NETWORK, network, reason, PAUSED_BY, now_s)


def _is_paused(tx: Connection, network: str) -> bool:
    return any(one.paused_by == PAUSED_BY for one in active(tx, Scope.NETWORK, network))

"""From the events table to the receivers: at least once, in order while all goes well.

Killed anywhere, nothing is lost: a delivery row exists before anything is sent, and is claimed
for LEASE_S only, so what a dead worker held is due again.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from wallet.clock import Clock
from wallet.errors import WalletError
from wallet.events import Event, append_event, read_events
from wallet.store.database import Database
from wallet.store.schema import webhook_deliveries, webhooks
from wallet.webhooks.registry import (
    Webhook,
    WebhookNotFound,
    WebhookStatus,
    find_webhook,
    list_webhooks,
    set_status,
)
from wallet.webhooks.sending import Send, headers_of, message_of
from wallet.webhooks.targets import Resolve, check_target

RETRY_S = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
"""Pause after each failed attempt, as Standard Webhooks recommends; then the delivery failed."""

LEASE_S = 60
"""How long a worker may hold a delivery before another may try it."""

QUEUE_BATCH = 500
"""Events queued for one webhook in one transaction."""

DRAIN_MAX = 50
"""Deliveries of one webhook in one step."""

ALERT = "alert.webhook_"
"""How events begin that tell of a receiver which does not hear us."""

WORKERS = 8
"""Receivers served side by side, so that a slow one delays only itself."""

_log = structlog.get_logger("wallet.webhooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What delivering needs. `private_allowed` lets webhooks into private networks (dev only)."""

    db: Database
    clock: Clock
    send: Send
    resolver: Resolve
    private_allowed: bool
    service_key: bytes = field(repr=False)

    def step(self) -> int:
        """Queue new events, then send what is due; returns how many were delivered."""
        with self.db.read() as tx:
            found = [hook for hook in list_webhooks(tx) if hook.status is WebhookStatus.ACTIVE]
        for hook in found:
            queue_events(self.db, hook.id)
        with self.db.read() as tx:
            due = _due_webhooks(tx, self.clock.now_s())
        if not due:
            return 0
        with ThreadPoolExecutor(max_workers=min(WORKERS, len(due))) as pool:
            return sum(pool.map(self._drain, due))

    def _drain(self, webhook_id: str) -> int:
        """Deliver to one webhook until nothing is due or one attempt fails."""
        delivered = 0
        while delivered < DRAIN_MAX and self._deliver_next(webhook_id):
            delivered += 1
        return delivered

    def _deliver_next(self, webhook_id: str) -> bool:
        claimed = claim_next(self.db, webhook_id, self.clock.now_s())
        if claimed is None:
            return False
        status, result = self._attempt(claimed.webhook, claimed.event)
        record_result(self.db, claimed, status, result, self.clock.now_s())
        return 200 <= status < 300

    def _attempt(self, webhook: Webhook, event: Event) -> tuple[int, str]:
        """The HTTP status, 0 without one, and words for it."""
        body = message_of(event)
        try:
            secret = webhook.secret(self.service_key)
            target = check_target(webhook.url, self.private_allowed, self.resolver)
            headers = headers_of(event, body, secret, self.clock.now_s())
            status = self.send(target, body, headers)
        except WalletError as error:
            return 0, f"{error.code}: {error.message}"[:500]
        return status, f"HTTP {status}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker holds; `attempts` counts this one."""

    webhook: Webhook
    event: Event
    attempts: int


def queue_events(db: Database, webhook_id: str) -> int:
    """Make delivery rows of the events since the last call; returns how many."""
    with db.write() as tx:
        try:
            hook = find_webhook(tx, webhook_id)
        except WebhookNotFound:
            return 0
        found = read_events(tx, hook.next_seq - 1, QUEUE_BATCH)
        if not found:
            return 0
        rows = [
            {
                "webhook_id": hook.id,
                "seq": event.seq,
                "status": "pending",
                "attempts": 0,
                "next_s": 0,
                "last_result": "",
            }
            for event in found
            if hook.wants(event.type)
        ]
        dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
        if rows:
            tx.execute(dialect.insert(webhook_deliveries).on_conflict_do_nothing(), rows)
        tx.execute(
            update(webhooks).where(webhooks.c.id == hook.id).values(next_seq=found[-1].seq + 1)
        )
        return len(rows)


def claim_next(db: Database, webhook_id: str, now_s: int) -> Claimed | None:
    """Take the oldest due delivery of an active webhook for LEASE_S; None when nothing is due."""
    with db.write() as tx:
        try:
            hook = find_webhook(tx, webhook_id)
        except WebhookNotFound:
            return None
        query = (
            select(webhook_deliveries)
            .where(
                webhook_deliveries.c.webhook_id == hook.id,
                webhook_deliveries.c.status == "pending",
                webhook_deliveries.c.next_s <= now_s,
            )
            .order_by(webhook_deliveries.c.seq)
            .limit(1)
        )
        row = tx.execute(query).mappings().one_or_none()
        if row is None or hook.status is not WebhookStatus.ACTIVE:
            return None
        attempts = row["attempts"] + 1
        _set(tx, hook.id, row["seq"], {"attempts": attempts, "next_s": now_s + LEASE_S})
        event = read_events(tx, row["seq"] - 1, 1)[0]
        return Claimed(hook, event, attempts)


def record_result(db: Database, claimed: Claimed, status: int, result: str, now_s: int) -> None:
    """Store what came of an attempt: delivered, due again later, or failed for good."""
    hook, seq = claimed.webhook, claimed.event.seq
    with db.write() as tx:
        if 200 <= status < 300:
            _set(tx, hook.id, seq, {"status": "delivered", "last_result": result})
            return
        _log.warning("webhook.attempt_failed", webhook_id=hook.id, seq=seq, result=result)
        if status == 410:
            # "Gone" is the receiver's way to unsubscribe; the delivery waits for a resume.
            _alert(tx, claimed, "muted", result, now_s)
            set_status(tx, hook.id, WebhookStatus.PAUSED)
        if claimed.attempts > len(RETRY_S):
            _set(tx, hook.id, seq, {"status": "failed", "last_result": result})
            _alert(tx, claimed, "given_up", result, now_s)
            return
        next_s = now_s + RETRY_S[claimed.attempts - 1]
        _set(tx, hook.id, seq, {"next_s": next_s, "last_result": result})


def resend_failed(tx: Connection, webhook_id: str) -> int:
    """Make every delivery that was given up due again; returns how many."""
    c = webhook_deliveries.c
    return tx.execute(
        update(webhook_deliveries)
        .where(c.webhook_id == webhook_id, c.status == "failed")
        .values(status="pending", attempts=0, next_s=0)
    ).rowcount


def _alert(tx: Connection, claimed: Claimed, what: str, result: str, now_s: int) -> None:
    """Tell people that a receiver no longer hears us; never about such a telling itself."""
    if claimed.event.type.startswith(ALERT):
        return
    body = {"webhook_id": claimed.webhook.id, "seq": claimed.event.seq, "result": result}
    append_event(tx, ALERT + what, claimed.webhook.id, body, now_s)


def _set(tx: Connection, webhook_id: str, seq: int, values: dict[str, object]) -> None:
    mine = (webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.seq == seq)
    tx.execute(update(webhook_deliveries).where(*mine).values(values))


def _due_webhooks(tx: Connection, now_s: int) -> Sequence[str]:
    query = (
        select(webhook_deliveries.c.webhook_id)
        .join(webhooks, webhooks.c.id == webhook_deliveries.c.webhook_id)
        .where(
            webhooks.c.status == WebhookStatus.ACTIVE,
            webhook_deliveries.c.status == "pending",
            webhook_deliveries.c.next_s <= now_s,
        )
        .group_by(webhook_deliveries.c.webhook_id)
        .order_by(func.min(webhook_deliveries.c.next_s))
    )
    return list(tx.execute(query).scalars())

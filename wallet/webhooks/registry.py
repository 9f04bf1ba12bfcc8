"""Who receives events: webhooks and their secrets."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select, update

from wallet.errors import Conflict, NotFound
from wallet.events import last_seq
from wallet.store.schema import webhooks
from wallet.webhooks.secrets import close_box, open_box

SECRET_BYTES = 32
"""Length of a webhook's signing secret; Standard Webhooks allows 24 to 64."""

WEBHOOKS_MAX = 100
"""Webhooks that are not deleted: each event costs one delivery for every one of them."""


class WebhookStatus(StrEnum):
    """A paused webhook waits and catches up when resumed; a deleted one is gone."""

    ACTIVE = "active"
    PAUSED = "paused"
    DELETED = "deleted"


class WebhookNotFound(NotFound):
    """No webhook has this id, or it was deleted."""

    code = "webhook.not_found"


class TooManyWebhooks(Conflict):
    """There are as many webhooks as the service serves."""

    code = "webhook.too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events; an empty `event_types` means all."""

    id: str
    url: str
    event_types: tuple[str, ...]
    status: WebhookStatus
    next_seq: int
    created_s: int
    secret_box: bytes = field(repr=False)

    def wants(self, event_type: str) -> bool:
        """Whether events of this type go there; "deposit.*" covers the family."""
        family = event_type.partition(".")[0] + ".*"
        return not self.event_types or event_type in self.event_types or family in self.event_types

    def secret(self, service_key: bytes) -> bytes:
        """The signing secret. Raises SecretBoxBroken."""
        return open_box(service_key, self.id, self.secret_box)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAsk:
    """A webhook to register; the URL was checked."""

    url: str
    event_types: tuple[str, ...]
    created_by: str
    now_s: int


def create_webhook(
    tx: Connection, ask: WebhookAsk, service_key: bytes, random: Callable[[int], bytes]
) -> str:
    """Register a webhook for events from now on; returns its id. Raises TooManyWebhooks."""
    if len(list_webhooks(tx)) >= WEBHOOKS_MAX:
        raise TooManyWebhooks(f"got one more webhook, expected at most {WEBHOOKS_MAX}")
    webhook_id = str(UUID(bytes=random(16), version=4))
    secret = random(SECRET_BYTES)
    tx.execute(
        insert(webhooks).values(
            id=webhook_id,
            url=ask.url,
            secret_box=close_box(service_key, webhook_id, secret, random(12)),
            event_types=json.dumps(ask.event_types),
            status=WebhookStatus.ACTIVE,
            next_seq=last_seq(tx) + 1,
            created_by=ask.created_by,
            created_s=ask.now_s,
        )
    )
    return webhook_id


def list_webhooks(tx: Connection) -> Sequence[Webhook]:
    """All webhooks that are not deleted, oldest first."""
    query = (
        select(webhooks)
        .where(webhooks.c.status != WebhookStatus.DELETED)
        .order_by(webhooks.c.created_s, webhooks.c.id)
    )
    return [_webhook(row) for row in tx.execute(query).mappings()]


def find_webhook(tx: Connection, webhook_id: str) -> Webhook:
    """The webhook of this id. Raises WebhookNotFound."""
    query = select(webhooks).where(
        webhooks.c.id == webhook_id, webhooks.c.status != WebhookStatus.DELETED
    )
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise WebhookNotFound(f"got webhook {webhook_id}, expected the id of one that exists")
    return _webhook(row)


def set_status(tx: Connection, webhook_id: str, status: WebhookStatus) -> None:
    """Pause, resume or delete; a deleted webhook never comes back. Raises WebhookNotFound."""
    find_webhook(tx, webhook_id)
    tx.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(status=status))


def _webhook(row: RowMapping) -> Webhook:
    return Webhook(
        id=row["id"],
        url=row["url"],
        event_types=tuple(json.loads(row["event_types"])),
        status=WebhookStatus(row["status"]),
        next_seq=row["next_seq"],
        created_s=row["created_s"],
        secret_box=bytes(row["secret_box"]),
    )

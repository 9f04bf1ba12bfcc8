"""/v1/webhooks: who receives signed events, and how their deliveries went."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection, select

from wallet.api.bodies import NewWebhook
from wallet.api.route import CallNow, Once, OnceNow, SignedRoute
from wallet.api.views import (
    DeliveriesView,
    DeliveryView,
    WebhookSecretView,
    WebhooksView,
    WebhookView,
)
from wallet.store.schema import webhook_deliveries
from wallet.webhooks import registry
from wallet.webhooks.outbox import resend_failed
from wallet.webhooks.registry import Webhook, WebhookAsk, WebhookStatus, find_webhook, set_status
from wallet.webhooks.secrets import secret_text
from wallet.webhooks.targets import check_target

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=SignedRoute)


@router.post("", status_code=201, response_model=WebhookView)
def create_webhook(body: NewWebhook, once: OnceNow) -> Response:
    """Register a receiver for events from now on; its secret is read at its own route."""
    services = once.call.services
    # Looked up before the transaction: a slow resolver must not hold the database.
    check_target(body.url, services.settings.webhooks_private_allowed, services.resolver)

    def effect(tx: Connection) -> tuple[int, WebhookView]:
        ask = WebhookAsk(
            url=body.url,
            event_types=tuple(body.event_types),
            created_by=once.call.key_id,
            now_s=services.clock.now_s(),
        )
        webhook_id = registry.create_webhook(tx, ask, services.service_key, services.random)
        return 201, _view(find_webhook(tx, webhook_id))

    return once.run(effect)


@router.get("")
def list_webhooks(call: CallNow) -> WebhooksView:
    """All webhooks, oldest first."""
    with call.services.db.read() as tx:
        return WebhooksView(data=[_view(hook) for hook in registry.list_webhooks(tx)])


@router.get("/{webhook_id}")
def read_webhook(call: CallNow, webhook_id: UUID) -> WebhookView:
    """One webhook."""
    with call.services.db.read() as tx:
        return _view(find_webhook(tx, str(webhook_id)))


@router.get("/{webhook_id}/secret")
def read_webhook_secret(call: CallNow, webhook_id: UUID) -> WebhookSecretView:
    """The signing secret; needs the scope to write webhooks."""
    services = call.services
    with services.db.read() as tx:
        hook = find_webhook(tx, str(webhook_id))
    return WebhookSecretView(id=hook.id, secret=secret_text(hook.secret(services.service_key)))


@router.get("/{webhook_id}/deliveries")
def list_webhook_deliveries(
    call: CallNow,
    webhook_id: UUID,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveriesView:
    """Deliveries of a webhook, newest event first."""
    columns = webhook_deliveries.c
    query = select(webhook_deliveries).where(columns.webhook_id == str(webhook_id))
    if before is not None:
        query = query.where(columns.seq < before)
    with call.services.db.read() as tx:
        find_webhook(tx, str(webhook_id))
        rows = tx.execute(query.order_by(columns.seq.desc()).limit(limit + 1)).mappings().all()
    shown = [
        DeliveryView(
            seq=row["seq"],
            status=row["status"],
            attempts=row["attempts"],
            next_s=row["next_s"],
            last_result=row["last_result"],
        )
        for row in rows[:limit]
    ]
    return DeliveriesView(data=shown, next_before=shown[-1].seq if len(rows) > limit else None)


@router.post("/{webhook_id}/pause", response_model=WebhookView)
def pause_webhook(once: OnceNow, webhook_id: UUID) -> Response:
    """Send nothing there until resumed; events wait."""
    return _change(once, str(webhook_id), WebhookStatus.PAUSED)


@router.post("/{webhook_id}/resume", response_model=WebhookView)
def resume_webhook(once: OnceNow, webhook_id: UUID) -> Response:
    """Send again, beginning with what waited."""
    return _change(once, str(webhook_id), WebhookStatus.ACTIVE)


@router.post("/{webhook_id}/resend", response_model=WebhookView)
def resend_webhook(once: OnceNow, webhook_id: UUID) -> Response:
    """Try every delivery again that was given up."""

    def effect(tx: Connection) -> tuple[int, WebhookView]:
        view = _view(find_webhook(tx, str(webhook_id)))
        resend_failed(tx, view.id)
        return 200, view

    return once.run(effect)


@router.post("/{webhook_id}/delete", response_model=WebhookView)
def delete_webhook(once: OnceNow, webhook_id: UUID) -> Response:
    """Never send there again; it cannot be undone."""
    # Not DELETE on the webhook's path: a token does not name the method, so no path may answer
    # two methods to requests without a body.
    return _change(once, str(webhook_id), WebhookStatus.DELETED)


def _change(once: Once, webhook_id: str, status: WebhookStatus) -> Response:
    def effect(tx: Connection) -> tuple[int, WebhookView]:
        view = _view(find_webhook(tx, webhook_id))
        set_status(tx, webhook_id, status)
        return 200, view.model_copy(update={"status": str(status)})

    return once.run(effect)


def _view(hook: Webhook) -> WebhookView:
    return WebhookView(
        id=hook.id,
        url=hook.url,
        event_types=list(hook.event_types),
        status=hook.status,
        created_s=hook.created_s,
    )

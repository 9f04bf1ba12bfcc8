"""/v1/events: everything that happened, in order, each once."""

import json
from typing import Annotated

from fastapi import APIRouter, Query

from wallet.api.route import CallNow, SignedRoute
from wallet.api.views import EventsView, EventView
from wallet.events import Event, read_events

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=SignedRoute)


@router.get("")
def list_events(
    call: CallNow,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> EventsView:
    """Events later than `after`, oldest first. Sequence numbers have no gaps."""
    with call.services.db.read() as tx:
        found = read_events(tx, after, limit)
    return EventsView(
        data=[_view(event) for event in found],
        next_after=found[-1].seq if found else after,
    )


def _view(event: Event) -> EventView:
    return EventView(
        seq=event.seq,
        type=event.type,
        subject=event.subject,
        body=json.loads(event.body),
        hash=event.hash.hex(),
        created_s=event.created_s,
    )

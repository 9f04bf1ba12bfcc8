"""/v1/addresses: fresh deposit addresses; an index is never handed out twice."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from wallet.addresses.issuing import AddressUnknown, get_address, issue
from wallet.addresses.marks import AddressMarks
from wallet.api.bodies import ADDRESS, CODE, NewAddress
from wallet.api.pages import Page, WindowNow, read_page
from wallet.api.reads import address_view, one_account, select_addresses
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.views import AddressView
from wallet.store.schema import addresses

router = APIRouter(prefix="/v1/addresses", tags=["addresses"], route_class=SignedRoute)


@router.post("", status_code=201, response_model=AddressView)
def create_address(body: NewAddress, once: OnceNow) -> Response:
    """Issue a fresh deposit address; every call with a new Idempotency-Key gives another one."""
    services = once.call.services
    network = services.network(body.network)
    marks = AddressMarks.of(services.settings.data_dir)

    def effect(tx: Connection) -> tuple[int, AddressView]:
        one_account(tx, body.account_id)
        fresh = issue(
            tx,
            services.deriver,
            network=network.id,
            source=network.deposit,
            account_id=body.account_id,
            label=body.label,
            now_s=services.clock.now_s(),
        )
        marks.check(fresh)
        row = tx.execute(select_addresses().where(addresses.c.id == fresh.id)).mappings().one()
        return 201, address_view(row)

    response = once.run(effect)
    # Committed, and nobody knows it yet; also where a killed process left its answer behind.
    with services.db.read() as tx:
        told = get_address(tx, json.loads(bytes(response.body))["id"])
    marks.note(told)
    return response


@router.get("")
def list_addresses(
    call: CallNow,
    window: WindowNow,
    account_id: UUID | None = None,
    network: Annotated[str | None, Query(pattern=CODE)] = None,
    address: Annotated[str | None, Query(pattern=ADDRESS)] = None,
) -> Page[AddressView]:
    """Deposit addresses, newest first; `address` finds whose one it is."""
    query = select_addresses()
    if account_id is not None:
        query = query.where(addresses.c.account_id == str(account_id))
    if network is not None:
        query = query.where(addresses.c.network == network)
    if address is not None:
        query = query.where(addresses.c.address == address)
    with call.services.db.read() as tx:
        order = (addresses.c.created_s, addresses.c.id)
        return read_page(tx, query, window, order, address_view)


@router.get("/{address_id}")
def read_address(call: CallNow, address_id: UUID) -> AddressView:
    """One deposit address."""
    with call.services.db.read() as tx:
        query = select_addresses().where(addresses.c.id == str(address_id))
        row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise AddressUnknown(f"got address id {address_id}, expected the id of one that exists")
    return address_view(row)

"""/v1/reserves: what was published, and each user's own proof in it."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from chains.units import to_text
from wallet.api.reads import one_account
from wallet.api.route import CallNow, SignedRoute
from wallet.api.services import Services
from wallet.api.views import OwedView, ReservesListView, ReservesProofView, ReservesView
from wallet.reserves.errors import NotPublished
from wallet.reserves.owed.proving import proof_json
from wallet.reserves.publication import FOLDER, Publication, publications

router = APIRouter(tags=["reserves"], route_class=SignedRoute)

_DIGEST = r"^[0-9a-f]{64}$"


@router.get("/v1/reserves")
def list_reserves(call: CallNow) -> ReservesListView:
    """Every publication, newest first."""
    return ReservesListView(data=[_view(one) for one in _published(call.services)])


@router.get("/v1/accounts/{account_id}/reserves-proof")
def read_reserves_proof(
    call: CallNow, account_id: UUID, statement: Annotated[str | None, Query(pattern=_DIGEST)] = None
) -> ReservesProofView:
    """That an account's balance is part of what was published, at the newest or a named one.

    Give it to the account's own user only: it shows their balance at the publication's height.
    """
    with call.services.db.read() as tx:
        one_account(tx, str(account_id))
    for one in _published(call.services):
        if statement in (None, one.digest.hex()):
            proof = proof_json(str(account_id), one.digest, one.trees())
            return ReservesProofView(**proof)
    raise NotPublished("got no such publication, expected one of GET /v1/reserves")


def _published(services: Services) -> list[Publication]:
    return publications(services.settings.data_dir.joinpath(FOLDER))


def _view(one: Publication) -> ReservesView:
    statement = one.statement
    return ReservesView(
        statement=one.digest.hex(),
        operator=statement.operator,
        made_s=statement.made_s,
        ledger_height=statement.ledger_height,
        package_sha256=hashlib.sha256(one.package.read_bytes()).hexdigest(),
        owed=[
            OwedView(
                asset=owed.asset,
                amount=to_text(owed.root.units, owed.decimals),
                amount_units=str(owed.root.units),
            )
            for owed in statement.liabilities
        ],
    )

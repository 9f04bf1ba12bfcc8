"""/v1/accounts/{id}/trust-lines: how much of a registered asset an account may be worth."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from wallet.api.bodies import CODE
from wallet.api.reads import one_account
from wallet.api.registered.bodies import NewTrustLine, units_of
from wallet.api.registered.views import (
    TermsHistoryView,
    TrustLinesView,
    TrustLineView,
    terms_view,
    trust_line_view,
)
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.assets import trust
from wallet.assets.registration import decimals_of
from wallet.ledger import chart
from wallet.ledger.terms.stated import history

router = APIRouter(prefix="/v1/accounts", tags=["trust lines"], route_class=SignedRoute)


@router.post("/{account_id}/trust-lines", response_model=TrustLineView)
def state_trust(body: NewTrustLine, once: OnceNow, account_id: UUID) -> Response:
    """State the account's limit in a registered asset; below its balance it stops inflow only."""
    call, context = once.call, once.call.services.registered

    def effect(tx: Connection) -> tuple[int, TrustLineView]:
        decimals = decimals_of(tx, context, body.asset)
        limit_units = units_of(body.limit, body.limit_units, decimals)
        line = trust.state_trust(tx, context, call.actor, str(account_id), body.asset, limit_units)
        return 200, trust_line_view(line, decimals)

    return once.run(effect)


@router.get("/{account_id}/trust-lines")
def list_trust_lines(call: CallNow, account_id: UUID) -> TrustLinesView:
    """Every trust line of an account, withdrawn ones too."""
    context = call.services.registered
    with call.services.db.read() as tx:
        one_account(tx, str(account_id))
        lines = trust.list_trust_lines(tx, str(account_id))
        return TrustLinesView(
            data=[trust_line_view(one, decimals_of(tx, context, one.asset)) for one in lines]
        )


@router.get("/{account_id}/terms")
def list_account_terms(
    call: CallNow, account_id: UUID, asset: Annotated[str, Query(pattern=CODE)]
) -> TermsHistoryView:
    """Every limit and freeze of an account in one asset, oldest first, by whom and why."""
    with call.services.db.read() as tx:
        one_account(tx, str(account_id))
        decimals = decimals_of(tx, call.services.registered, asset)
        told = history(tx, chart.user(str(account_id)), asset)
        return TermsHistoryView(data=[terms_view(one, decimals) for one in told])

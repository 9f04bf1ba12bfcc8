"""/v1/apportionments: sharing a loss out over the accounts that gained."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from wallet.api.bodies import EXTERNAL_ID, UNITS, UUID, Code
from wallet.api.exchange.amounts import decimals, text
from wallet.api.route import CallNow, OnceNow, SignedRoute
from wallet.api.services import Services
from wallet.apportionment import posting, records
from wallet.apportionment.records import Apportionment, Loss
from wallet.apportionment.shares import Gain
from wallet.ledger.chart import SubAccount

router = APIRouter(prefix="/v1/apportionments", tags=["apportionments"], route_class=SignedRoute)

GAINS_MAX = 10_000
"""Accounts that one loss is shared out over."""

Units = Annotated[str, Field(pattern=UNITS)]


class GainBody(BaseModel):
    """What an account gained, in base units."""

    model_config = ConfigDict(strict=True, extra="forbid")

    account_id: Annotated[str, Field(pattern=UUID)]
    gain_units: Units


class LossBody(BaseModel):
    """A loss, in base units, and who gained. Shares are taken from `sub_account` of each account.

    They go to the spot account of `receiver_id`; without one, to the house, which bore the loss.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    asset: Code
    loss_units: Units
    sub_account: Annotated[SubAccount, Field(strict=False)] = SubAccount.CONTRACT
    receiver_id: Annotated[str, Field(pattern=UUID)] | None = None
    gains: Annotated[list[GainBody], Field(min_length=1, max_length=GAINS_MAX)]


class NewApportionment(LossBody):
    """The same, to be posted once under `external_id`."""

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]


class ShareView(BaseModel):
    """What an account bears; `rounded_up` says that one unit is the remainder's."""

    account_id: str
    gain_units: str
    share: str
    share_units: str
    rounded_up: bool


class PreviewShareView(ShareView):
    """A share beside what the account has available for it."""

    available: str
    available_units: str
    covered: bool


class LossView(BaseModel):
    """A loss and its shares, in the order of account ids; they make up the loss exactly."""

    asset: str
    sub_account: str
    receiver_id: str | None
    loss: str
    loss_units: str
    gains_units: str


class PreviewView(LossView):
    """What would be posted; `covered` is false while any account has less than its share."""

    covered: bool
    shares: list[PreviewShareView]


class ApportionmentView(LossView):
    """What was posted, in one ledger batch."""

    id: str
    external_id: str
    created_s: int
    shares: list[ShareView]


@router.post("/preview")
def preview_apportionment(body: LossBody, call: CallNow) -> PreviewView:
    """Show who would bear how much, and whether they can; nothing is changed."""
    services = call.services
    loss = _loss(services, body)
    with services.db.read() as tx:
        lines = posting.preview(tx, loss)
    return PreviewView(
        **_totals(services, loss),
        covered=all(line.is_covered for line in lines),
        shares=[
            PreviewShareView(
                account_id=line.share.account_id,
                gain_units=str(line.share.gain_units),
                share=text(services, loss.asset, line.share.units),
                share_units=str(line.share.units),
                rounded_up=line.share.rounded_up,
                available=text(services, loss.asset, line.available_units),
                available_units=str(line.available_units),
                covered=line.is_covered,
            )
            for line in lines
        ],
    )


@router.post("", status_code=201, response_model=ApportionmentView)
def create_apportionment(body: NewApportionment, once: OnceNow) -> Response:
    """Take every account's share, all in one batch or none; the same external_id does it once."""
    services = once.call.services
    loss = _loss(services, body)

    def effect(tx: Connection) -> tuple[int, ApportionmentView]:
        made = posting.post(
            tx,
            loss,
            external_id=body.external_id,
            requester=once.call.key_id,
            now_s=services.clock.now_s(),
            milestone=services.milestone,
        )
        return 201, _view(services, made)

    return once.run(effect)


@router.get("/external/{external_id}")
def read_apportionment(
    call: CallNow, external_id: Annotated[str, Path(pattern=EXTERNAL_ID)]
) -> ApportionmentView:
    """The apportionment of one of the exchange's own ids: what to ask after a lost answer."""
    with call.services.db.read() as tx:
        return _view(call.services, records.get(tx, external_id))


def _loss(services: Services, body: LossBody) -> Loss:
    decimals(services, body.asset)  # it exists
    gains = sorted(
        (Gain(account_id=g.account_id, units=int(g.gain_units)) for g in body.gains),
        key=lambda gain: gain.account_id,
    )
    return Loss(
        asset=body.asset,
        units=int(body.loss_units),
        sub_account=body.sub_account,
        gains=tuple(gains),
        receiver_id=body.receiver_id,
    )


def _totals(services: Services, loss: Loss) -> dict[str, Any]:
    return {
        "asset": loss.asset,
        "sub_account": str(loss.sub_account),
        "receiver_id": loss.receiver_id,
        "loss": text(services, loss.asset, loss.units),
        "loss_units": str(loss.units),
        "gains_units": str(sum(gain.units for gain in loss.gains)),
    }


def _view(services: Services, made: Apportionment) -> ApportionmentView:
    return ApportionmentView(
        **_totals(services, made.loss),
        id=made.id,
        external_id=made.external_id,
        created_s=made.created_s,
        shares=_shares(services, made),
    )


def _shares(services: Services, made: Apportionment) -> list[ShareView]:
    return [
        ShareView(
            account_id=share.account_id,
            gain_units=str(share.gain_units),
            share=text(services, made.loss.asset, share.units),
            share_units=str(share.units),
            rounded_up=share.rounded_up,
        )
        for share in made.shares
    ]

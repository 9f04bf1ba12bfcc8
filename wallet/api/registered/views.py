"""What the API answers about gateways and registered assets."""

from pydantic import BaseModel
from sqlalchemy import Connection

from chains.units import to_text
from wallet.assets.gateways import Gateway
from wallet.assets.issuing import Issue, outstanding_units, sums
from wallet.assets.registration import RegisteredAsset
from wallet.assets.trust import TrustLine
from wallet.ledger.terms.stated import Stated


class GatewayView(BaseModel):
    """A gateway: `key_id` is the API key that it is, `agents` the keys it appointed."""

    id: str
    name: str
    key_id: str
    agents: list[str]
    created_s: int


class GatewaysView(BaseModel):
    """All gateways."""

    data: list[GatewayView]


class RegisteredAssetView(BaseModel):
    """A registered asset and how much of it there is: `outstanding` = `issued` - `redeemed`.

    `locked` says that its quota can be raised by nobody; what was redeemed counts as issued.
    """

    asset: str
    gateway: str
    symbol: str
    name: str
    type: str
    decimals: int
    mirrors: str | None
    quota: str | None
    quota_units: str | None
    locked: bool
    issued: str
    issued_units: str
    redeemed: str
    redeemed_units: str
    outstanding: str
    outstanding_units: str
    registered_by: str
    registered_s: int


class IssueView(BaseModel):
    """An issue or a redemption (`kind`), booked."""

    id: str
    asset: str
    kind: str
    account_id: str
    amount: str
    amount_units: str
    external_id: str
    done_by: str
    created_s: int


class TrustLineView(BaseModel):
    """What an account may be worth in a registered asset, and what it is worth.

    `withdrawn`: a limit of 0 with nothing held.
    """

    account_id: str
    asset: str
    limit: str
    limit_units: str
    held: str
    held_units: str
    withdrawn: bool
    frozen: bool
    since_s: int


class TrustLinesView(BaseModel):
    """Every trust line of an account."""

    data: list[TrustLineView]


class TermsView(BaseModel):
    """The terms of an account in an asset as they were stated once; the highest `number` holds.

    `since_height` is the number of the ledger's last batch before them.
    """

    account_id: str
    asset: str
    number: int
    frozen: bool
    limit: str | None
    limit_units: str | None
    reason: str
    changed_by: str
    since_height: int
    since_s: int


class TermsHistoryView(BaseModel):
    """All that was ever stated about an account in an asset, oldest first."""

    data: list[TermsView]


def gateway_view(gateway: Gateway) -> GatewayView:
    """A gateway as the API shows it."""
    return GatewayView(
        id=gateway.id,
        name=gateway.name,
        key_id=gateway.key_id,
        agents=list(gateway.agents),
        created_s=gateway.created_s,
    )


def asset_view(tx: Connection, asset: RegisteredAsset) -> RegisteredAssetView:
    """A registered asset as the API shows it, with its sums."""
    done, outstanding = sums(tx, asset.code), outstanding_units(tx, asset)

    def text(units: int) -> str:
        return to_text(units, asset.decimals)

    quota = asset.quota_units
    return RegisteredAssetView(
        asset=asset.code,
        gateway=asset.gateway,
        symbol=asset.symbol,
        name=asset.name,
        type=asset.type,
        decimals=asset.decimals,
        mirrors=asset.mirrors,
        quota=None if quota is None else text(quota),
        quota_units=None if quota is None else str(quota),
        locked=asset.locked,
        issued=text(done.issued_units),
        issued_units=str(done.issued_units),
        redeemed=text(done.redeemed_units),
        redeemed_units=str(done.redeemed_units),
        outstanding=text(outstanding),
        outstanding_units=str(outstanding),
        registered_by=asset.registered_by,
        registered_s=asset.registered_s,
    )


def issue_view(made: Issue, decimals: int) -> IssueView:
    """A row of the journal as the API shows it."""
    return IssueView(
        id=made.id,
        asset=made.asset,
        kind=made.kind,
        account_id=made.account_id,
        amount=to_text(made.units, decimals),
        amount_units=str(made.units),
        external_id=made.external_id,
        done_by=made.done_by,
        created_s=made.created_s,
    )


def trust_line_view(line: TrustLine, decimals: int) -> TrustLineView:
    """A trust line as the API shows it."""
    return TrustLineView(
        account_id=line.account_id,
        asset=line.asset,
        limit=to_text(line.limit_units, decimals),
        limit_units=str(line.limit_units),
        held=to_text(line.held_units, decimals),
        held_units=str(line.held_units),
        withdrawn=line.is_withdrawn,
        frozen=line.frozen,
        since_s=line.since_s,
    )


def terms_view(one: Stated, decimals: int) -> TermsView:
    """The terms of a user's account as the API shows them."""
    limit = one.terms.limit_units
    return TermsView(
        account_id=one.owner.partition(":")[2],
        asset=one.asset,
        number=one.number,
        frozen=one.terms.frozen,
        limit=None if limit is None else to_text(limit, decimals),
        limit_units=None if limit is None else str(limit),
        reason=one.change.reason,
        changed_by=one.change.changed_by,
        since_height=one.change.since_height,
        since_s=one.change.since_s,
    )

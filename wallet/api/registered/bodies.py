"""What callers send about registered assets: strict types, bounded text, no unknown fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from chains.units import to_units
from wallet.api.bodies import AMOUNT, EXTERNAL_ID, UNITS, UUID, Code
from wallet.assets.freezing import REASON_MAX
from wallet.assets.registration import AssetType
from wallet.errors import Invalid

Name = Annotated[str, Field(min_length=1, max_length=128)]
Id = Annotated[str, Field(pattern=UUID)]
Amount = Annotated[str, Field(pattern=AMOUNT)]
Units = Annotated[str, Field(pattern=UNITS)]


class AmountMissing(Invalid):
    """Neither the decimal text nor the base units were given, or both."""

    code = "asset.amount_missing"


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class NewGateway(_Body):
    """A gateway; its `id` stands behind the dot of its assets, `key_id` is the API key it is."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,23}$")]
    name: Name
    key_id: Id


class GatewayKey(_Body):
    """An API key that shall act for a gateway."""

    key_id: Id


class NewRegisteredAsset(_Body):
    """Terms for ever. A `currency` has `mirrors`; a `physical` asset `decimals` and a quota.

    Give `quota` (decimal text) or `quota_units` (base units), not both.
    """

    gateway: Code
    symbol: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,15}$")]
    name: Name
    type: Annotated[AssetType, Field(strict=False)]
    decimals: Annotated[int, Field(ge=0, le=36)] | None = None
    mirrors: Code | None = None
    quota: Amount | None = None
    quota_units: Units | None = None


class NewIssue(_Body):
    """Issue to or redeem from an account. Give `amount` or `amount_units`, not both.

    An `external_id` names one issue or redemption of the asset for ever.
    """

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)]
    account_id: Id
    amount: Amount | None = None
    amount_units: Units | None = None


class NewTrustLine(_Body):
    """How much of a registered asset the account may be worth; 0 lets no more in.

    Give `limit` (decimal text) or `limit_units` (base units), not both.
    """

    asset: Code
    limit: Amount | None = None
    limit_units: Units | None = None


class FreezeOrder(_Body):
    """Which account to freeze or to let go on, in which asset; and why, for who looks later."""

    account_id: Id
    asset: Code
    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX)]


def units_of(text: str | None, units: str | None, decimals: int) -> int:
    """Base units of one of the two. Raises AmountMissing, and CodecError for too many decimals."""
    if (text is None) is (units is None):
        raise AmountMissing("got both or neither of the amount and its base units, expected one")
    return int(units) if units is not None else to_units(text or "", decimals)

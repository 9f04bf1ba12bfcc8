"""The routes of registered assets, one method for each; values as the API shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from wallet.client.decoding import decode
from wallet.client.transport import Transport, path_part
from wallet.client.types import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway: `key_id` is the API key that it is, `agents` the keys it appointed."""

    id: str
    name: str
    key_id: str
    agents: tuple[str, ...]
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAsset:
    """A registered asset: `outstanding` = `issued` - `redeemed`; a quota is None for currencies."""

    asset: str
    gateway: str
    symbol: str
    name: str
    type: str
    decimals: int
    mirrors: str | None
    quota: str | None
    quota_units: int | None
    locked: bool
    issued: str
    issued_units: int
    redeemed: str
    redeemed_units: int
    outstanding: str
    outstanding_units: int
    registered_by: str
    registered_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue or a redemption (`kind`), booked."""

    id: str
    asset: str
    kind: str
    account_id: str
    amount: str
    amount_units: int
    external_id: str
    done_by: str
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustLine:
    """What an account may be worth in a registered asset, and what it is worth."""

    account_id: str
    asset: str
    limit: str
    limit_units: int
    held: str
    held_units: int
    withdrawn: bool
    frozen: bool
    since_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """An account's terms in an asset as stated once; the highest `number` holds."""

    account_id: str
    asset: str
    number: int
    frozen: bool
    limit: str | None
    limit_units: int | None
    reason: str
    changed_by: str
    since_height: int
    since_s: int


class RegisteredAssetCalls:
    """Every method raises ApiError with the API's code, or NoAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # --- gateways -----------------------------------------------------------------------------

    def open_gateway(
        self, gateway_id: str, name: str, key_id: str, *, idempotency_key: str | None = None
    ) -> Gateway:
        """Open a gateway for an API key."""
        body = {"id": gateway_id, "name": name, "key_id": key_id}
        return decode(Gateway, self._transport.post("/v1/gateways", body, idempotency_key))

    def gateways(self) -> tuple[Gateway, ...]:
        """All gateways, oldest first."""
        data = self._transport.get("/v1/gateways", {})["data"]
        return tuple(decode(Gateway, item) for item in data)

    def gateway(self, gateway_id: str) -> Gateway:
        """One gateway."""
        return decode(Gateway, self._transport.get(f"/v1/gateways/{path_part(gateway_id)}", {}))

    def change_gateway_key(
        self, gateway_id: str, key_id: str, *, idempotency_key: str | None = None
    ) -> Gateway:
        """Make another API key the gateway."""
        path = f"/v1/gateways/{path_part(gateway_id)}/key"
        return decode(Gateway, self._transport.post(path, {"key_id": key_id}, idempotency_key))

    def appoint_agent(
        self, gateway_id: str, key_id: str, *, idempotency_key: str | None = None
    ) -> Gateway:
        """Let an API key act for the gateway that this client's key is."""
        path = f"/v1/gateways/{path_part(gateway_id)}/agents"
        return decode(Gateway, self._transport.post(path, {"key_id": key_id}, idempotency_key))

    def dismiss_agent(
        self, gateway_id: str, key_id: str, *, idempotency_key: str | None = None
    ) -> Gateway:
        """Let an agent act no more."""
        path = f"/v1/gateways/{path_part(gateway_id)}/agents/{path_part(key_id)}/dismiss"
        return decode(Gateway, self._transport.post(path, None, idempotency_key))

    # --- assets -------------------------------------------------------------------------------

    def register_currency(
        self,
        gateway_id: str,
        symbol: str,
        name: str,
        mirrors: str,
        *,
        idempotency_key: str | None = None,
    ) -> RegisteredAsset:
        """Register what mirrors an asset of a chain, unlimited."""
        body = {
            "gateway": gateway_id,
            "symbol": symbol,
            "name": name,
            "type": "currency",
            "mirrors": mirrors,
        }
        return decode(RegisteredAsset, self._transport.post("/v1/assets", body, idempotency_key))

    def register_physical(
        self,
        gateway_id: str,
        symbol: str,
        name: str,
        decimals: int,
        *,
        quota: str | None = None,
        quota_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> RegisteredAsset:
        """Register what there is only a quota of: decimal text or base units, never both."""
        body = {
            "gateway": gateway_id,
            "symbol": symbol,
            "name": name,
            "type": "physical",
            "decimals": decimals,
            **_amount("quota", quota, quota_units),
        }
        return decode(RegisteredAsset, self._transport.post("/v1/assets", body, idempotency_key))

    def asset(self, asset: str) -> RegisteredAsset:
        """One registered asset and how much of it there is."""
        return decode(RegisteredAsset, self._transport.get(f"/v1/assets/{path_part(asset)}", {}))

    def list_assets(
        self, *, gateway: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[RegisteredAsset]:
        """Registered assets, newest first."""
        query = {"gateway": gateway, "limit": limit, "cursor": cursor}
        return decode(Page[RegisteredAsset], self._transport.get("/v1/assets/registered", query))

    def issue(
        self,
        asset: str,
        account_id: str,
        external_id: str,
        *,
        amount: str | None = None,
        amount_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> Issue:
        """Issue to an account that trusts the asset."""
        body = _order(account_id, external_id, amount, amount_units)
        path = f"/v1/assets/{path_part(asset)}/issue"
        return decode(Issue, self._transport.post(path, body, idempotency_key))

    def redeem(
        self,
        asset: str,
        account_id: str,
        external_id: str,
        *,
        amount: str | None = None,
        amount_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> Issue:
        """Take back from an account what it gets outside."""
        body = _order(account_id, external_id, amount, amount_units)
        path = f"/v1/assets/{path_part(asset)}/redeem"
        return decode(Issue, self._transport.post(path, body, idempotency_key))

    def list_issues(self, asset: str, *, limit: int = 50, cursor: str | None = None) -> Page[Issue]:
        """Issues and redemptions of an asset, newest first."""
        query = {"limit": limit, "cursor": cursor}
        path = f"/v1/assets/{path_part(asset)}/issues"
        return decode(Page[Issue], self._transport.get(path, query))

    # --- accounts -----------------------------------------------------------------------------

    def state_trust(
        self,
        account_id: str,
        asset: str,
        *,
        limit: str | None = None,
        limit_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> TrustLine:
        """State how much of an asset the account may be worth; 0 lets no more in."""
        body = {"asset": asset, **_amount("limit", limit, limit_units)}
        path = f"/v1/accounts/{path_part(account_id)}/trust-lines"
        return decode(TrustLine, self._transport.post(path, body, idempotency_key))

    def trust_lines(self, account_id: str) -> tuple[TrustLine, ...]:
        """Every trust line of an account."""
        path = f"/v1/accounts/{path_part(account_id)}/trust-lines"
        return tuple(decode(TrustLine, item) for item in self._transport.get(path, {})["data"])

    def terms(self, account_id: str, asset: str) -> tuple[Terms, ...]:
        """All that was ever stated about an account in an asset, oldest first."""
        path = f"/v1/accounts/{path_part(account_id)}/terms"
        data = self._transport.get(path, {"asset": asset})["data"]
        return tuple(decode(Terms, item) for item in data)

    def freeze(
        self, account_id: str, asset: str, reason: str, *, idempotency_key: str | None = None
    ) -> Terms:
        """Freeze an account in an asset."""
        body = {"account_id": account_id, "asset": asset, "reason": reason}
        return decode(Terms, self._transport.post("/v1/freezes", body, idempotency_key))

    def lift_freeze(
        self, account_id: str, asset: str, reason: str, *, idempotency_key: str | None = None
    ) -> Terms:
        """Let a frozen account go on."""
        body = {"account_id": account_id, "asset": asset, "reason": reason}
        return decode(Terms, self._transport.post("/v1/freezes/lift", body, idempotency_key))

    def list_freezes(
        self,
        *,
        account_id: str | None = None,
        asset: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Terms]:
        """What is frozen now, newest first."""
        query = {"account_id": account_id, "asset": asset, "limit": limit, "cursor": cursor}
        return decode(Page[Terms], self._transport.get("/v1/freezes", query))


def _order(
    account_id: str, external_id: str, amount: str | None, amount_units: int | None
) -> Mapping[str, object]:
    order = {"account_id": account_id, "external_id": external_id}
    return order | _amount("amount", amount, amount_units)


def _amount(name: str, text: str | None, units: int | None) -> dict[str, str]:
    """The fields of an amount that are given."""
    fields = {}
    if text is not None:
        fields[name] = text
    if units is not None:
        fields[f"{name}_units"] = str(units)
    return fields

"""The routes of the exchange's own engines, one method for each."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from wallet.client.decoding import decode
from wallet.client.exchange_types import (
    Apportionment,
    ApportionmentPreview,
    Escrow,
    PostedSettlement,
    Settlement,
    SubAccountTransfer,
)
from wallet.client.transport import Transport, path_part
from wallet.client.types import Page
from wallet.settlements.wire import MSGPACK, SettlementOrder, TransferOrder


class ExchangeCalls:
    """Every method raises ApiError with the API's code, or NoAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def preview_apportionment(
        self,
        *,
        asset: str,
        loss_units: int,
        gains: Mapping[str, int],
        sub_account: str = "contract",
        receiver_id: str | None = None,
    ) -> ApportionmentPreview:
        """Who would bear how much of a loss; `gains` maps account ids to base units."""
        body = _loss(asset, loss_units, gains, sub_account, receiver_id)
        found = self._transport.post("/v1/apportionments/preview", body, None)
        return decode(ApportionmentPreview, found)

    def apportion(
        self,
        *,
        external_id: str,
        asset: str,
        loss_units: int,
        gains: Mapping[str, int],
        sub_account: str = "contract",
        receiver_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Apportionment:
        """Share a loss out, once under `external_id`."""
        body = _loss(asset, loss_units, gains, sub_account, receiver_id)
        body["external_id"] = external_id
        found = self._transport.post("/v1/apportionments", body, idempotency_key)
        return decode(Apportionment, found)

    def apportionment_of(self, external_id: str) -> Apportionment:
        """The apportionment of one of the exchange's own ids."""
        path = f"/v1/apportionments/external/{path_part(external_id)}"
        return decode(Apportionment, self._transport.get(path, {}))

    def transfer(
        self,
        *,
        external_id: str,
        account_id: str,
        asset: str,
        from_sub_account: str,
        to_sub_account: str,
        amount: str | None = None,
        amount_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> SubAccountTransfer:
        """Move `amount` (decimal text) or `amount_units` between the parts of one account."""
        body: dict[str, object] = {
            "external_id": external_id,
            "account_id": account_id,
            "asset": asset,
            "from_sub_account": from_sub_account,
            "to_sub_account": to_sub_account,
            **_amount(amount, amount_units),
        }
        found = self._transport.post("/v1/transfers", body, idempotency_key)
        return decode(SubAccountTransfer, found)

    def list_transfers(
        self, *, account_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[SubAccountTransfer]:
        """Transfers between parts of accounts, newest first."""
        query = {"account_id": account_id, "limit": limit, "cursor": cursor}
        return decode(Page[SubAccountTransfer], self._transport.get("/v1/transfers", query))

    def transfer_of(self, external_id: str) -> SubAccountTransfer:
        """The transfer of one of the exchange's own ids."""
        path = f"/v1/transfers/external/{path_part(external_id)}"
        return decode(SubAccountTransfer, self._transport.get(path, {}))

    def hold(
        self,
        *,
        external_id: str,
        asset: str,
        payer_id: str,
        payee_id: str,
        deadline_s: int,
        amount: str | None = None,
        amount_units: int | None = None,
        fee_basis_points: int = 0,
        payer_sub_account: str = "spot",
        payee_sub_account: str = "spot",
        idempotency_key: str | None = None,
    ) -> Escrow:
        """Hold `amount` (decimal text) or `amount_units` of the payer for the payee."""
        body: dict[str, object] = {
            "external_id": external_id,
            "asset": asset,
            "payer_id": payer_id,
            "payer_sub_account": payer_sub_account,
            "payee_id": payee_id,
            "payee_sub_account": payee_sub_account,
            "fee_basis_points": fee_basis_points,
            "deadline_s": deadline_s,
            **_amount(amount, amount_units),
        }
        return decode(Escrow, self._transport.post("/v1/escrows", body, idempotency_key))

    def escrow(self, escrow_id: str) -> Escrow:
        """One escrow."""
        return decode(Escrow, self._transport.get(_escrow(escrow_id), {}))

    def escrow_of(self, external_id: str) -> Escrow:
        """The escrow of one of the exchange's own ids."""
        path = f"/v1/escrows/external/{path_part(external_id)}"
        return decode(Escrow, self._transport.get(path, {}))

    def list_escrows(
        self,
        *,
        payer_id: str | None = None,
        payee_id: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Escrow]:
        """Escrows, newest first."""
        query = {
            "payer_id": payer_id,
            "payee_id": payee_id,
            "status": status,
            "limit": limit,
            "cursor": cursor,
        }
        return decode(Page[Escrow], self._transport.get("/v1/escrows", query))

    def release(
        self,
        escrow_id: str,
        *,
        amount: str | None = None,
        amount_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> Escrow:
        """Give the payee all that is held, or a part of it and hold the rest on."""
        body, path = _amount(amount, amount_units), _escrow(escrow_id, "/release")
        return decode(Escrow, self._transport.post(path, body, idempotency_key))

    def give_back(self, escrow_id: str, *, idempotency_key: str | None = None) -> Escrow:
        """Give the payer back what is held."""
        path = _escrow(escrow_id, "/return")
        return decode(Escrow, self._transport.post(path, None, idempotency_key))

    def dispute(self, escrow_id: str, reason: str, *, idempotency_key: str | None = None) -> Escrow:
        """Hold the money until staff decide."""
        path, body = _escrow(escrow_id, "/dispute"), {"reason": reason}
        return decode(Escrow, self._transport.post(path, body, idempotency_key))

    def settle(
        self,
        *,
        external_id: str,
        transfers: Sequence[TransferOrder],
        mode: Literal["atomic", "best_effort"] = "best_effort",
    ) -> Settlement:
        """Post many transfers between users, as MessagePack; the same ones under an id once."""
        order = SettlementOrder(external_id=external_id, mode=mode, transfers=list(transfers))
        body = msgspec.msgpack.encode(order)
        return decode(Settlement, self._transport.post_bytes("/v1/settlements", body, MSGPACK))

    def settlement_of(self, external_id: str) -> PostedSettlement:
        """Where in the ledger the settlement of one of the exchange's own ids is."""
        path = f"/v1/settlements/external/{path_part(external_id)}"
        return decode(PostedSettlement, self._transport.get(path, {}))


def _escrow(escrow_id: str, verb: str = "") -> str:
    return f"/v1/escrows/{path_part(escrow_id)}{verb}"


def _amount(amount: str | None, amount_units: int | None) -> dict[str, object]:
    """Those of the two that were given: that it is one of them is for the API to say."""
    given: dict[str, object] = {} if amount is None else {"amount": amount}
    return given if amount_units is None else {**given, "amount_units": str(amount_units)}


def _loss(
    asset: str,
    loss_units: int,
    gains: Mapping[str, int],
    sub_account: str,
    receiver_id: str | None,
) -> dict[str, object]:
    body: dict[str, object] = {
        "asset": asset,
        "loss_units": str(loss_units),
        "sub_account": sub_account,
        "gains": [{"account_id": id, "gain_units": str(units)} for id, units in gains.items()],
    }
    if receiver_id is not None:
        body["receiver_id"] = receiver_id
    return body

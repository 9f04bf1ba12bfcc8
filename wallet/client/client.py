"""The client: one method for each route.

Methods that change something take an `idempotency_key`; left out, a new one is made, and NoAnswer
carries it for the next try.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from signer.protocol import Approval
from wallet.client.credentials import load_credentials
from wallet.client.decoding import decode
from wallet.client.exchange import ExchangeCalls
from wallet.client.hosted import HostedKeyCalls
from wallet.client.ledger import LedgerCalls
from wallet.client.registered import RegisteredAssetCalls
from wallet.client.transport import Transport, path_part
from wallet.client.types import (
    Account,
    Address,
    Asset,
    Balances,
    Deliveries,
    Deposit,
    Events,
    Health,
    Page,
    QuarantinedCoin,
    Reserves,
    Runway,
    TreasuryRequest,
    Webhook,
    Webhooks,
    WebhookSecret,
    Withdrawal,
)
from wallet.clock import SystemClock

TIMEOUT_S = 30
"""How long one request may take."""


def connect(credentials_file: Path) -> "Client":
    """A client of the API that the credentials file names. Raises CredentialsBad."""
    credentials = load_credentials(credentials_file)
    http = httpx.Client(base_url=credentials.url, timeout=TIMEOUT_S, trust_env=False)
    return Client(http, Transport(http, credentials, SystemClock(), os.urandom))


class Client:
    """The API, typed. Every method raises ApiError with the API's code, or NoAnswer."""

    def __init__(self, http: httpx.Client, transport: Transport) -> None:
        self._http = http
        self.transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give connections back."""
        self._http.close()

    @property
    def hosted(self) -> HostedKeyCalls:
        """The routes of hosted keys."""
        return HostedKeyCalls(self.transport)

    @property
    def ledger(self) -> LedgerCalls:
        """The routes of the ledger's heights and values."""
        return LedgerCalls(self.transport)

    @property
    def exchange(self) -> ExchangeCalls:
        """The routes that the exchange's own engines use."""
        return ExchangeCalls(self.transport)

    @property
    def registered(self) -> RegisteredAssetCalls:
        """The routes of gateways, registered assets, trust lines and freezes."""
        return RegisteredAssetCalls(self.transport)

    # --- health, assets ---------------------------------------------------------------------------

    def health(self) -> Health:
        """How the service follows its chains."""
        return decode(Health, self.transport.get("/v1/health", {}))

    def assets(self) -> tuple[Asset, ...]:
        """Every asset with its terms."""
        data = self.transport.get("/v1/assets", {})["data"]
        return tuple(decode(Asset, item) for item in data)

    # --- accounts, addresses, balances ------------------------------------------------------------

    def create_account(self, external_id: str, *, idempotency_key: str | None = None) -> Account:
        """Open an account for one of the exchange's users."""
        body = {"external_id": external_id}
        return decode(Account, self.transport.post("/v1/accounts", body, idempotency_key))

    def account(self, account_id: str) -> Account:
        """One account."""
        return decode(Account, self.transport.get(f"/v1/accounts/{path_part(account_id)}", {}))

    def account_of(self, external_id: str) -> Account:
        """The account of one of the exchange's own user ids."""
        path = f"/v1/accounts/external/{path_part(external_id)}"
        return decode(Account, self.transport.get(path, {}))

    def list_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[Account]:
        """Accounts, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return decode(Page[Account], self.transport.get("/v1/accounts", query))

    def create_address(
        self,
        account_id: str,
        network: str,
        *,
        label: str | None = None,
        idempotency_key: str | None = None,
    ) -> Address:
        """A fresh deposit address."""
        body = {"account_id": account_id, "network": network, "label": label}
        return decode(Address, self.transport.post("/v1/addresses", body, idempotency_key))

    def address(self, address_id: str) -> Address:
        """One deposit address."""
        return decode(Address, self.transport.get(f"/v1/addresses/{path_part(address_id)}", {}))

    def list_addresses(
        self,
        *,
        account_id: str | None = None,
        network: str | None = None,
        address: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Address]:
        """Deposit addresses, newest first."""
        query = {
            "account_id": account_id,
            "network": network,
            "address": address,
            "limit": limit,
            "cursor": cursor,
        }
        return decode(Page[Address], self.transport.get("/v1/addresses", query))

    def balances(
        self, account_id: str, *, at_height: int | None = None, at: str | None = None
    ) -> Balances:
        """All balances of one account: now, after a height, or at a time (RFC 3339)."""
        query = {"account_id": account_id, "at_height": at_height, "at": at}
        return decode(Balances, self.transport.get("/v1/balances", query))

    # --- deposits, withdrawals --------------------------------------------------------------------

    def deposit(self, deposit_id: str) -> Deposit:
        """One deposit."""
        return decode(Deposit, self.transport.get(f"/v1/deposits/{path_part(deposit_id)}", {}))

    def list_deposits(
        self,
        *,
        account_id: str | None = None,
        network: str | None = None,
        asset: str | None = None,
        status: str | None = None,
        txid: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Deposit]:
        """Deposits, newest first."""
        query = {
            "account_id": account_id,
            "network": network,
            "asset": asset,
            "status": status,
            "txid": txid,
            "limit": limit,
            "cursor": cursor,
        }
        return decode(Page[Deposit], self.transport.get("/v1/deposits", query))

    def create_withdrawal(
        self,
        *,
        external_id: str,
        account_id: str,
        asset: str,
        address: str,
        amount: str | None = None,
        amount_units: int | None = None,
        idempotency_key: str | None = None,
    ) -> Withdrawal:
        """Ask for a payout of `amount` (decimal text) or `amount_units`, never both."""
        body: dict[str, object] = {
            "external_id": external_id,
            "account_id": account_id,
            "asset": asset,
            "address": address,
        }
        if amount is not None:
            body["amount"] = amount
        if amount_units is not None:
            body["amount_units"] = str(amount_units)
        return decode(Withdrawal, self.transport.post("/v1/withdrawals", body, idempotency_key))

    def withdrawal(self, withdrawal_id: str) -> Withdrawal:
        """One withdrawal."""
        path = f"/v1/withdrawals/{path_part(withdrawal_id)}"
        return decode(Withdrawal, self.transport.get(path, {}))

    def withdrawal_of(self, external_id: str) -> Withdrawal:
        """The withdrawal of one of the exchange's own ids."""
        path = f"/v1/withdrawals/external/{path_part(external_id)}"
        return decode(Withdrawal, self.transport.get(path, {}))

    def list_withdrawals(
        self,
        *,
        account_id: str | None = None,
        network: str | None = None,
        asset: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Withdrawal]:
        """Withdrawals, newest first."""
        query = {
            "account_id": account_id,
            "network": network,
            "asset": asset,
            "status": status,
            "limit": limit,
            "cursor": cursor,
        }
        return decode(Page[Withdrawal], self.transport.get("/v1/withdrawals", query))

    def cancel_withdrawal(
        self, withdrawal_id: str, *, idempotency_key: str | None = None
    ) -> Withdrawal:
        """Take a payout back before it is signed."""
        path = f"/v1/withdrawals/{path_part(withdrawal_id)}/cancel"
        return decode(Withdrawal, self.transport.post(path, None, idempotency_key))

    def approve_withdrawal(
        self, withdrawal_id: str, approval: Approval, *, idempotency_key: str | None = None
    ) -> Withdrawal:
        """Hand in a staff member's approval."""
        path = f"/v1/withdrawals/{path_part(withdrawal_id)}/approvals"
        body = _approval(approval)
        return decode(Withdrawal, self.transport.post(path, body, idempotency_key))

    # --- treasury ---------------------------------------------------------------------------------

    def treasury_request(self, request_id: str) -> TreasuryRequest:
        """One treasury request."""
        path = f"/v1/treasury/requests/{path_part(request_id)}"
        return decode(TreasuryRequest, self.transport.get(path, {}))

    def list_treasury_requests(
        self,
        *,
        asset: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[TreasuryRequest]:
        """Treasury requests, newest first."""
        query = {"asset": asset, "status": status, "limit": limit, "cursor": cursor}
        found = self.transport.get("/v1/treasury/requests", query)
        return decode(Page[TreasuryRequest], found)

    def approve_treasury_request(
        self, request_id: str, approval: Approval, *, idempotency_key: str | None = None
    ) -> TreasuryRequest:
        """Hand in a staff member's approval."""
        path = f"/v1/treasury/requests/{path_part(request_id)}/approvals"
        found = self.transport.post(path, _approval(approval), idempotency_key)
        return decode(TreasuryRequest, found)

    def reserves(self) -> tuple[Reserves, ...]:
        """Published proofs of reserves, newest first."""
        data = self.transport.get("/v1/reserves", {})["data"]
        return tuple(decode(Reserves, item) for item in data)

    def reserves_proof(self, account_id: str, *, statement: str | None = None) -> object:
        """An account's own proof, as its user's verifier reads it; the newest or a named one."""
        path = f"/v1/accounts/{path_part(account_id)}/reserves-proof"
        return self.transport.get(path, {"statement": statement})

    def runways(self) -> tuple[Runway, ...]:
        """How long hot money lasts, asset by asset."""
        data = self.transport.get("/v1/treasury/runway", {})["data"]
        return tuple(decode(Runway, item) for item in data)

    def quarantined_coins(self) -> tuple[QuarantinedCoin, ...]:
        """Coins that no payment may choose, the largest first."""
        data = self.transport.get("/v1/treasury/quarantine", {})["data"]
        return tuple(decode(QuarantinedCoin, item) for item in data)

    # --- events, webhooks -------------------------------------------------------------------------

    def events(self, *, after: int = 0, limit: int = 100) -> Events:
        """Events later than `after`, in order."""
        return decode(Events, self.transport.get("/v1/events", {"after": after, "limit": limit}))

    def create_webhook(
        self, url: str, event_types: Sequence[str] = (), *, idempotency_key: str | None = None
    ) -> Webhook:
        """Register a receiver; without `event_types` it gets everything."""
        body = {"url": url, "event_types": list(event_types)}
        return decode(Webhook, self.transport.post("/v1/webhooks", body, idempotency_key))

    def webhook(self, webhook_id: str) -> Webhook:
        """One webhook."""
        return decode(Webhook, self.transport.get(f"/v1/webhooks/{path_part(webhook_id)}", {}))

    def list_webhooks(self) -> tuple[Webhook, ...]:
        """All webhooks."""
        return decode(Webhooks, self.transport.get("/v1/webhooks", {})).data

    def webhook_secret(self, webhook_id: str) -> WebhookSecret:
        """What verifies a webhook's signatures."""
        path = f"/v1/webhooks/{path_part(webhook_id)}/secret"
        return decode(WebhookSecret, self.transport.get(path, {}))

    def webhook_deliveries(
        self, webhook_id: str, *, before: int | None = None, limit: int = 50
    ) -> Deliveries:
        """How a webhook's deliveries went, newest event first."""
        path = f"/v1/webhooks/{path_part(webhook_id)}/deliveries"
        return decode(Deliveries, self.transport.get(path, {"before": before, "limit": limit}))

    def pause_webhook(self, webhook_id: str, *, idempotency_key: str | None = None) -> Webhook:
        """Send nothing there until resumed."""
        return self._change_webhook(webhook_id, "pause", idempotency_key)

    def resume_webhook(self, webhook_id: str, *, idempotency_key: str | None = None) -> Webhook:
        """Send again, beginning with what waited."""
        return self._change_webhook(webhook_id, "resume", idempotency_key)

    def resend_webhook(self, webhook_id: str, *, idempotency_key: str | None = None) -> Webhook:
        """Try every delivery again that was given up."""
        return self._change_webhook(webhook_id, "resend", idempotency_key)

    def delete_webhook(self, webhook_id: str, *, idempotency_key: str | None = None) -> Webhook:
        """Never send there again."""
        return self._change_webhook(webhook_id, "delete", idempotency_key)

    def _change_webhook(self, webhook_id: str, verb: str, key: str | None) -> Webhook:
        path = f"/v1/webhooks/{path_part(webhook_id)}/{verb}"
        return decode(Webhook, self.transport.post(path, None, key))


def _approval(approval: Approval) -> dict[str, object]:
    return {"body": approval.body.hex(), "sig": approval.sig.hex()}

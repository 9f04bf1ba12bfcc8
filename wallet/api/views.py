"""What the API answers: one model for each noun. Amounts are decimal text beside base-unit text."""

from typing import Any

from pydantic import BaseModel


class AccountView(BaseModel):
    """One user of the exchange; `external_id` is the exchange's own id."""

    id: str
    external_id: str
    created_s: int


class AddressView(BaseModel):
    """A deposit address; it stays the account's for ever."""

    id: str
    account_id: str
    network: str
    address: str
    label: str | None
    created_s: int


class ConfirmationsView(BaseModel):
    """Deposits of at least `from_amount` are credited after `confirmations` blocks."""

    from_amount: str
    from_amount_units: str
    confirmations: int


class AssetView(BaseModel):
    """A currency; `evidence_mode` says how deposits in it are found on the chain."""

    asset: str
    network: str
    decimals: int
    contract: str | None
    evidence_mode: str
    deposit_amount_min: str
    deposit_amount_min_units: str
    withdrawal_amount_min: str
    withdrawal_amount_min_units: str
    withdrawal_fee: str
    withdrawal_fee_units: str
    withdrawals_paused: bool
    withdrawals_paused_reasons: list[str]
    confirmations: list[ConfirmationsView]


class AssetsView(BaseModel):
    """All assets of this deployment."""

    data: list[AssetView]


class BalanceView(BaseModel):
    """What an account has: `total` = `available` + `held`; `incoming` is not credited yet.

    `owed` is what it spent of deposits that a reorganisation then took back.
    """

    asset: str
    network: str
    total: str
    total_units: str
    available: str
    available_units: str
    held: str
    held_units: str
    incoming: str | None
    incoming_units: str | None
    owed: str
    owed_units: str


class SubAccountView(BaseModel):
    """What the margin or contract part of an account has; no withdrawal is paid from it."""

    sub_account: str
    asset: str
    total: str
    total_units: str
    available: str
    available_units: str
    held: str
    held_units: str


class BalancesView(BaseModel):
    """One spot balance for each asset of a chain, zero included, then those of registered assets.

    Of these only what the account ever held or trusted; `as_of_seq` is the last event contained.
    A moment in the past has the ledger's `at_height` in place of it, and nothing `incoming`: what
    was on its way then is not kept.
    `sub_accounts` are the other parts of the account, as far as they were ever used.
    """

    account_id: str
    as_of_seq: int | None
    at_height: int | None
    data: list[BalanceView]
    sub_accounts: list[SubAccountView]


class DepositView(BaseModel):
    """A movement to one of our addresses; `evidence` says how it was found."""

    id: str
    account_id: str | None
    network: str
    asset: str
    address: str
    txid: str
    position: str
    amount: str
    amount_units: str
    evidence: str
    status: str
    sub_status: str
    height: int | None
    block_hash: str | None
    confirmations: int
    confirmations_required: int
    seen_s: int
    credited_s: int | None


class WithdrawalView(BaseModel):
    """A payout; the account is charged `amount` + `fee`. `network_fee` is in the native asset."""

    id: str
    external_id: str
    account_id: str
    network: str
    asset: str
    address: str
    amount: str
    amount_units: str
    fee: str
    fee_units: str
    status: str
    sub_status: str
    approvals_required: int
    approvals: list[str]
    intent: str
    intent_digest: str
    txid: str | None
    height: int | None
    confirmations: int
    created_s: int
    updated_s: int
    deadline_s: int


class TreasuryRequestView(BaseModel):
    """A movement between hot and cold; people approve `intent_digest`."""

    id: str
    purpose: str
    network: str
    asset: str
    amount: str
    amount_units: str
    status: str
    sub_status: str
    intent: str
    intent_digest: str
    approvals_required: int
    approvals: list[str]
    requester: str
    txid: str | None
    created_s: int
    updated_s: int
    expires_s: int


class RunwayView(BaseModel):
    """How long an asset's hot money lasts; `hours` is null where nothing usually leaves."""

    asset: str
    hours: int | None
    hours_min: int
    is_low: bool
    hot_units: str
    queued_units: str
    usual_units_hour: str


class RunwaysView(BaseModel):
    """One forecast for each asset."""

    data: list[RunwayView]


class QuarantinedCoinView(BaseModel):
    """A coin that a stranger sent to a used address; no payment may choose it."""

    network: str
    outpoint: str
    address: str
    units: str
    height: int | None


class QuarantinedCoinsView(BaseModel):
    """All coins held back, the largest first."""

    data: list[QuarantinedCoinView]


class EventView(BaseModel):
    """Something that happened. `hash` chains over all events: none can be missing unseen."""

    seq: int
    type: str
    subject: str
    body: dict[str, Any]
    hash: str
    created_s: int


class EventsView(BaseModel):
    """Events in order; ask again with `after` = `next_after`."""

    data: list[EventView]
    next_after: int


class WebhookView(BaseModel):
    """A receiver of events; an empty `event_types` means all."""

    id: str
    url: str
    event_types: list[str]
    status: str
    created_s: int


class WebhooksView(BaseModel):
    """All webhooks."""

    data: list[WebhookView]


class WebhookSecretView(BaseModel):
    """What the receiver verifies signatures with (Standard Webhooks, `whsec_...`)."""

    id: str
    secret: str


class DeliveryView(BaseModel):
    """One event on its way to one webhook."""

    seq: int
    status: str
    attempts: int
    next_s: int
    last_result: str


class DeliveriesView(BaseModel):
    """Deliveries of a webhook, newest event first; ask again with `before` = `next_before`."""

    data: list[DeliveryView]
    next_before: int | None


class NetworkHealthView(BaseModel):
    """How far our scan is behind one node; heights are null when unknown."""

    network: str
    status: str
    node_height: int | None
    scanned_height: int | None
    lag_blocks: int | None
    estimate_s: int | None
    withdrawals_paused: list[str]


class HealthView(BaseModel):
    """`ok`, or `degraded` when a network is behind or its node does not answer."""

    status: str
    last_event_seq: int
    networks: list[NetworkHealthView]


class ErrorDetail(BaseModel):
    """`code` is stable; `message` is for people; `request_id` finds the request in our log."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorView(BaseModel):
    """Every answer that is not 2xx."""

    error: ErrorDetail


class HostedKeyView(BaseModel):
    """A user's own key, of which the service has only ciphertext; `public_key` is hex."""

    id: str
    account_id: str
    network: str
    address: str
    public_key: str
    version: int
    authenticator: int
    next_authenticator_from_s: int | None
    locked_until_s: int
    created_s: int
    updated_s: int


class HostedBlobView(BaseModel):
    """The ciphertext of a hosted key, in hex; only its owner's device can open it."""

    id: str
    network: str
    version: int
    blob: str


class HostedPaymentView(BaseModel):
    """A payment from a hosted key; `unsigned` (PSBT, or EIP-1559) is hex.

    `fee` is the most it can be, and from completion on what the chain took.
    """

    id: str
    key_id: str
    network: str
    asset: str
    address: str
    amount: str
    amount_units: str
    fee_asset: str
    fee: str
    fee_units: str
    unsigned: str
    nonce: int | None
    status: str
    sub_status: str
    txid: str | None
    height: int | None
    created_s: int
    updated_s: int
    expires_s: int


class OwedView(BaseModel):
    """What was owed in an asset, in all."""

    asset: str
    amount: str
    amount_units: str


class ReservesView(BaseModel):
    """A published proof of reserves; `statement` is the digest that names it."""

    statement: str
    operator: str
    made_s: int
    ledger_height: int
    package_sha256: str
    owed: list[OwedView]


class ReservesListView(BaseModel):
    """Publications, newest first."""

    data: list[ReservesView]


class ReservesProofView(BaseModel):
    """A user's own proof, for the verifier's `me`: shares by asset, each with its path."""

    statement: str
    account: str
    shares: dict[str, list[dict[str, Any]]]

"""What the client gives back. Amounts: decimal text, and `..._units` as `int` base units."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some items; ask again with `cursor` = `next_cursor` until that is None."""

    data: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One user of the exchange."""

    id: str
    external_id: str
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A deposit address."""

    id: str
    account_id: str
    network: str
    address: str
    label: str | None
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmations:
    """Deposits of at least `from_amount` are credited after `confirmations` blocks."""

    from_amount: str
    from_amount_units: int
    confirmations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A currency and its terms; `evidence_mode` says how deposits in it are found."""

    asset: str
    network: str
    decimals: int
    contract: str | None
    evidence_mode: str
    deposit_amount_min: str
    deposit_amount_min_units: int
    withdrawal_amount_min: str
    withdrawal_amount_min_units: int
    withdrawal_fee: str
    withdrawal_fee_units: int
    withdrawals_paused: bool
    withdrawals_paused_reasons: tuple[str, ...]
    confirmations: tuple[Confirmations, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account has in one asset: `total` = `available` + `held`."""

    asset: str
    network: str
    total: str
    total_units: int
    available: str
    available_units: int
    held: str
    held_units: int
    incoming: str | None
    incoming_units: int | None
    owed: str
    owed_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubAccountBalance:
    """What the margin or contract part of an account has in one asset."""

    sub_account: str
    asset: str
    total: str
    total_units: int
    available: str
    available_units: int
    held: str
    held_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balances:
    """All balances of an account; `as_of_seq` is the last event they contain.

    Those of the past have the ledger's `at_height` in place of it, and nothing `incoming`.
    `data` is its spot part, `sub_accounts` the others as far as they were ever used.
    """

    account_id: str
    as_of_seq: int | None
    at_height: int | None
    data: tuple[Balance, ...]
    sub_accounts: tuple[SubAccountBalance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Money that came to one of our addresses."""

    id: str
    account_id: str | None
    network: str
    asset: str
    address: str
    txid: str
    position: str
    amount: str
    amount_units: int
    evidence: str
    status: str
    sub_status: str
    height: int | None
    block_hash: str | None
    confirmations: int
    confirmations_required: int
    seen_s: int
    credited_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A payout; the account is charged `amount` + `fee`."""

    id: str
    external_id: str
    account_id: str
    network: str
    asset: str
    address: str
    amount: str
    amount_units: int
    fee: str
    fee_units: int
    status: str
    sub_status: str
    approvals_required: int
    approvals: tuple[str, ...]
    intent: str
    intent_digest: str
    txid: str | None
    height: int | None
    confirmations: int
    created_s: int
    updated_s: int
    deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TreasuryRequest:
    """A movement between hot and cold; `intent` is its canonical bytes in hex."""

    id: str
    purpose: str
    network: str
    asset: str
    amount: str
    amount_units: int
    status: str
    sub_status: str
    intent: str
    intent_digest: str
    approvals_required: int
    approvals: tuple[str, ...]
    requester: str
    txid: str | None
    created_s: int
    updated_s: int
    expires_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, with its place in the hash chain."""

    seq: int
    type: str
    subject: str
    body: dict[str, object]
    hash: str
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Events in order; ask again with `after` = `next_after`."""

    data: tuple[Event, ...]
    next_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events."""

    id: str
    url: str
    event_types: tuple[str, ...]
    status: str
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """All webhooks."""

    data: tuple[Webhook, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecret:
    """What verifies a webhook's signatures; keep it out of logs."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"WebhookSecret(id={self.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook."""

    seq: int
    status: str
    attempts: int
    next_s: int
    last_result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Deliveries, newest event first; ask again with `before` = `next_before`."""

    data: tuple[Delivery, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkHealth:
    """How far the service's scan is behind one node."""

    network: str
    status: str
    node_height: int | None
    scanned_height: int | None
    lag_blocks: int | None
    estimate_s: int | None
    withdrawals_paused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`ok`, or `degraded` with the networks that say why."""

    status: str
    last_event_seq: int
    networks: tuple[NetworkHealth, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedKeyInfo:
    """A hosted key without its ciphertext; `public_key` is hex."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What was owed in an asset, in all."""

    asset: str
    amount: str
    amount_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserves:
    """A published proof of reserves; `statement` is the digest that names it."""

    statement: str
    operator: str
    made_s: int
    ledger_height: int
    package_sha256: str
    owed: tuple[Owed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """How long an asset's hot money lasts; `hours` is None where nothing usually leaves."""

    asset: str
    hours: int | None
    hours_min: int
    is_low: bool
    hot_units: int
    queued_units: int
    usual_units_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedCoin:
    """A coin that a stranger sent to a used address; no payment may choose it."""

    network: str
    outpoint: str
    address: str
    units: int
    height: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedBlob:
    """A hosted key's ciphertext, in hex."""

    id: str
    network: str
    version: int
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedPayment:
    """A payment from a hosted key; `fee` is the most it can be until it is completed."""

    id: str
    key_id: str
    network: str
    asset: str
    address: str
    amount: str
    amount_units: int
    fee_asset: str
    fee: str
    fee_units: int
    unsigned: str
    nonce: int | None
    status: str
    sub_status: str
    txid: str | None
    height: int | None
    created_s: int
    updated_s: int
    expires_s: int

"""Every table, brought together from its subject's module.

A comment beside a column says what it means and which part writes it. Identifiers are UUID text
made by the caller; times are Unix seconds; amounts are base units. Rows that carry money are never
updated except where a column says "state".
"""

from wallet.store.columns import metadata
from wallet.store.tables.accounts import accounts, addresses
from wallet.store.tables.api import api_keys, api_nonces, idempotency
from wallet.store.tables.apportionments import apportionment_shares, apportionments
from wallet.store.tables.assets import (
    account_terms,
    asset_issues,
    gateway_keys,
    gateways,
    registered_assets,
)
from wallet.store.tables.counters import counters
from wallet.store.tables.deposits import (
    blocks,
    deposits,
    pending_transactions,
    reorgs,
    scan_ranges,
    scan_stops,
    utxos,
)
from wallet.store.tables.escrows import escrows
from wallet.store.tables.events import events, webhook_deliveries, webhooks
from wallet.store.tables.fees import block_prices, fee_estimates
from wallet.store.tables.gathers import batch_shares, delegations, top_ups
from wallet.store.tables.hosted_keys import hosted_coins, hosted_keys, hosted_payments
from wallet.store.tables.leases import leases
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_heads,
    ledger_holds,
    ledger_origin,
    ledger_rollbacks,
    ledger_totals,
    ledger_transfer_ids,
    ledger_transfers,
)
from wallet.store.tables.moves import moved_to
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions
from wallet.store.tables.payments import (
    payment_answers,
    payment_broadcasts,
    payment_versions,
    payments,
)
from wallet.store.tables.statements import (
    breaks,
    statement_accounts,
    statement_coins,
    statement_heads,
    statement_lines,
    statements,
)
from wallet.store.tables.sub_accounts import sub_account_transfers
from wallet.store.tables.tokens import (
    token_balances,
    token_codes,
    unreadable_transfers,
)
from wallet.store.tables.treasury import (
    approvals,
    pauses,
    runways,
    thresholds,
    treasury_requests,
)
from wallet.store.tables.withdrawals import withdrawals

__all__ = [
    "account_terms",
    "accounts",
    "addresses",
    "api_keys",
    "api_nonces",
    "apportionment_shares",
    "apportionments",
    "approvals",
    "asset_issues",
    "batch_shares",
    "block_prices",
    "blocks",
    "breaks",
    "counters",
    "delegations",
    "deposits",
    "escrows",
    "events",
    "fee_estimates",
    "gateway_keys",
    "gateways",
    "hosted_coins",
    "hosted_keys",
    "hosted_payments",
    "idempotency",
    "leases",
    "ledger_accounts",
    "ledger_balances",
    "ledger_batches",
    "ledger_checkpoints",
    "ledger_heads",
    "ledger_holds",
    "ledger_origin",
    "ledger_partitions",
    "ledger_rollbacks",
    "ledger_totals",
    "ledger_transfer_ids",
    "ledger_transfers",
    "metadata",
    "moved_to",
    "pauses",
    "payment_answers",
    "payment_broadcasts",
    "payment_versions",
    "payments",
    "pending_transactions",
    "registered_assets",
    "reorgs",
    "runways",
    "scan_ranges",
    "scan_stops",
    "statement_accounts",
    "statement_coins",
    "statement_heads",
    "statement_lines",
    "statements",
    "sub_account_transfers",
    "thresholds",
    "token_balances",
    "token_codes",
    "top_ups",
    "treasury_requests",
    "unreadable_transfers",
    "utxos",
    "webhook_deliveries",
    "webhooks",
    "withdrawals",
]

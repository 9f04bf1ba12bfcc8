"""What each route asks of a key: one map for the whole API, so that a review is one page."""

from enum import StrEnum


class Scope(StrEnum):
    """What a key may do. A key has only the scopes it was created with."""

    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    ADDRESSES_READ = "addresses:read"
    ADDRESSES_WRITE = "addresses:write"
    APPORTIONMENTS_READ = "apportionments:read"
    APPORTIONMENTS_WRITE = "apportionments:write"
    AGENTS_WRITE = "agents:write"
    ASSETS_ISSUE = "assets:issue"
    ASSETS_READ = "assets:read"
    ASSETS_REDEEM = "assets:redeem"
    ASSETS_REGISTER = "assets:register"
    BALANCES_READ = "balances:read"
    DEPOSITS_READ = "deposits:read"
    ESCROWS_READ = "escrows:read"
    ESCROWS_WRITE = "escrows:write"
    EVENTS_READ = "events:read"
    FREEZES_READ = "freezes:read"
    FREEZES_WRITE = "freezes:write"
    GATEWAYS_READ = "gateways:read"
    GATEWAYS_WRITE = "gateways:write"
    HOSTED_KEYS_READ = "hosted_keys:read"
    HOSTED_KEYS_WRITE = "hosted_keys:write"
    LEDGER_READ = "ledger:read"
    RESERVES_READ = "reserves:read"
    SETTLEMENTS_READ = "settlements:read"
    SETTLEMENTS_WRITE = "settlements:write"
    TRANSFERS_READ = "transfers:read"
    TRANSFERS_WRITE = "transfers:write"
    TREASURY_READ = "treasury:read"
    TREASURY_WRITE = "treasury:write"
    TRUST_LINES_READ = "trust_lines:read"
    TRUST_LINES_WRITE = "trust_lines:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    WITHDRAWALS_READ = "withdrawals:read"
    WITHDRAWALS_WRITE = "withdrawals:write"


PUBLIC = None
"""The permission of a route that needs no key."""

PERMISSIONS: dict[str, Scope | None] = {
    "read_health": PUBLIC,
    "list_assets": Scope.ASSETS_READ,
    "open_gateway": Scope.GATEWAYS_WRITE,
    "change_gateway_key": Scope.GATEWAYS_WRITE,
    "list_gateways": Scope.GATEWAYS_READ,
    "read_gateway": Scope.GATEWAYS_READ,
    "appoint_agent": Scope.AGENTS_WRITE,
    "dismiss_agent": Scope.AGENTS_WRITE,
    "register_asset": Scope.ASSETS_REGISTER,
    "list_registered_assets": Scope.ASSETS_READ,
    "read_registered_asset": Scope.ASSETS_READ,
    "issue_asset": Scope.ASSETS_ISSUE,
    "redeem_asset": Scope.ASSETS_REDEEM,
    "list_issues": Scope.ASSETS_READ,
    "state_trust": Scope.TRUST_LINES_WRITE,
    "list_trust_lines": Scope.TRUST_LINES_READ,
    "list_account_terms": Scope.TRUST_LINES_READ,
    "freeze_account": Scope.FREEZES_WRITE,
    "thaw_account": Scope.FREEZES_WRITE,
    "list_freezes": Scope.FREEZES_READ,
    "create_account": Scope.ACCOUNTS_WRITE,
    "list_accounts": Scope.ACCOUNTS_READ,
    "read_account": Scope.ACCOUNTS_READ,
    "read_account_by_external_id": Scope.ACCOUNTS_READ,
    "create_address": Scope.ADDRESSES_WRITE,
    "list_addresses": Scope.ADDRESSES_READ,
    "read_address": Scope.ADDRESSES_READ,
    "list_balances": Scope.BALANCES_READ,
    "list_heights": Scope.LEDGER_READ,
    "read_height": Scope.LEDGER_READ,
    "list_ledger_balances": Scope.LEDGER_READ,
    "list_reserves": Scope.RESERVES_READ,
    "read_reserves_proof": Scope.RESERVES_READ,
    "list_deposits": Scope.DEPOSITS_READ,
    "read_deposit": Scope.DEPOSITS_READ,
    "create_withdrawal": Scope.WITHDRAWALS_WRITE,
    "list_withdrawals": Scope.WITHDRAWALS_READ,
    "read_withdrawal": Scope.WITHDRAWALS_READ,
    "read_withdrawal_by_external_id": Scope.WITHDRAWALS_READ,
    "cancel_withdrawal": Scope.WITHDRAWALS_WRITE,
    "approve_withdrawal": Scope.TREASURY_WRITE,
    "list_treasury_requests": Scope.TREASURY_READ,
    "read_treasury_request": Scope.TREASURY_READ,
    "list_runways": Scope.TREASURY_READ,
    "list_quarantined_coins": Scope.TREASURY_READ,
    "approve_treasury_request": Scope.TREASURY_WRITE,
    "create_hosted_key": Scope.HOSTED_KEYS_WRITE,
    "list_hosted_keys": Scope.HOSTED_KEYS_READ,
    "read_hosted_key": Scope.HOSTED_KEYS_READ,
    "fetch_hosted_key": Scope.HOSTED_KEYS_WRITE,
    "replace_hosted_key": Scope.HOSTED_KEYS_WRITE,
    "change_authenticator": Scope.HOSTED_KEYS_WRITE,
    "keep_authenticator": Scope.HOSTED_KEYS_WRITE,
    "delete_hosted_key": Scope.HOSTED_KEYS_WRITE,
    "create_hosted_payment": Scope.HOSTED_KEYS_WRITE,
    "list_hosted_payments": Scope.HOSTED_KEYS_READ,
    "read_hosted_payment": Scope.HOSTED_KEYS_READ,
    "submit_hosted_payment": Scope.HOSTED_KEYS_WRITE,
    "preview_apportionment": Scope.APPORTIONMENTS_READ,
    "create_apportionment": Scope.APPORTIONMENTS_WRITE,
    "read_apportionment": Scope.APPORTIONMENTS_READ,
    "create_transfer": Scope.TRANSFERS_WRITE,
    "list_transfers": Scope.TRANSFERS_READ,
    "read_transfer": Scope.TRANSFERS_READ,
    "create_escrow": Scope.ESCROWS_WRITE,
    "list_escrows": Scope.ESCROWS_READ,
    "read_escrow": Scope.ESCROWS_READ,
    "read_escrow_by_external_id": Scope.ESCROWS_READ,
    "release_escrow": Scope.ESCROWS_WRITE,
    "return_escrow": Scope.ESCROWS_WRITE,
    "dispute_escrow": Scope.ESCROWS_WRITE,
    "create_settlement": Scope.SETTLEMENTS_WRITE,
    "read_settlement": Scope.SETTLEMENTS_READ,
    "list_events": Scope.EVENTS_READ,
    "create_webhook": Scope.WEBHOOKS_WRITE,
    "list_webhooks": Scope.WEBHOOKS_READ,
    "read_webhook": Scope.WEBHOOKS_READ,
    "read_webhook_secret": Scope.WEBHOOKS_WRITE,
    "list_webhook_deliveries": Scope.WEBHOOKS_READ,
    "pause_webhook": Scope.WEBHOOKS_WRITE,
    "resume_webhook": Scope.WEBHOOKS_WRITE,
    "resend_webhook": Scope.WEBHOOKS_WRITE,
    "delete_webhook": Scope.WEBHOOKS_WRITE,
}
"""Route name -> scope. A route missing here fails at start, not at its first request."""

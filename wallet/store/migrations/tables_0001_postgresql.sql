CREATE TABLE account_terms (
  id VARCHAR(36) NOT NULL,
  owner VARCHAR(128) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  frozen INTEGER NOT NULL,
  limit_units NUMERIC(78, 0),
  reason TEXT NOT NULL,
  changed_by VARCHAR(128) NOT NULL,
  since_height BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  CONSTRAINT pk_account_terms PRIMARY KEY (id),
  CONSTRAINT ck_account_terms_frozen CHECK (frozen IN (0, 1)),
  CONSTRAINT uq_account_terms_owner_asset_number UNIQUE (owner, asset, number)
);

CREATE INDEX ix_account_terms_asset ON account_terms (asset);

CREATE INDEX ix_account_terms_since ON account_terms (since_s, id);

CREATE TABLE accounts (
  id VARCHAR(36) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_accounts PRIMARY KEY (id),
  CONSTRAINT uq_accounts_external_id UNIQUE (external_id)
);

CREATE TABLE api_keys (
  id VARCHAR(36) NOT NULL,
  name VARCHAR(128) NOT NULL,
  public_key BYTEA NOT NULL,
  scopes TEXT NOT NULL,
  networks_allowed TEXT NOT NULL,
  created_s BIGINT NOT NULL,
  revoked_s BIGINT,
  CONSTRAINT pk_api_keys PRIMARY KEY (id)
);

CREATE TABLE api_nonces (
  key_id VARCHAR(36) NOT NULL,
  nonce VARCHAR(64) NOT NULL,
  expires_s BIGINT NOT NULL,
  CONSTRAINT pk_api_nonces PRIMARY KEY (key_id, nonce)
);

CREATE INDEX ix_api_nonces_expires_s ON api_nonces (expires_s);

CREATE TABLE approvals (
  intent_digest BYTEA NOT NULL,
  approver VARCHAR(128) NOT NULL,
  body BYTEA NOT NULL,
  sig BYTEA NOT NULL,
  received_s BIGINT NOT NULL,
  CONSTRAINT pk_approvals PRIMARY KEY (intent_digest, approver)
);

CREATE TABLE block_prices (
  network VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  CONSTRAINT pk_block_prices PRIMARY KEY (network, height)
);

CREATE TABLE blocks (
  network VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  parent VARCHAR(64) NOT NULL,
  time_s BIGINT NOT NULL,
  bits BIGINT NOT NULL,
  scanned_s BIGINT NOT NULL,
  CONSTRAINT pk_blocks PRIMARY KEY (network, height)
);

CREATE TABLE breaks (
  id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  wallet VARCHAR(64) NOT NULL,
  code VARCHAR(64) NOT NULL,
  txid VARCHAR(66) NOT NULL,
  position VARCHAR(128) NOT NULL,
  subject VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  block_hash VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  reason TEXT NOT NULL,
  decided_by VARCHAR(128),
  opened_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  CONSTRAINT pk_breaks PRIMARY KEY (id),
  CONSTRAINT uq_breaks_network_code_txid_position_asset_wallet UNIQUE (network, code, txid, position, asset, wallet)
);

CREATE INDEX ix_breaks_status ON breaks (status, network);

CREATE TABLE counters (
  name VARCHAR(255) NOT NULL,
  value BIGINT NOT NULL,
  head BYTEA,
  CONSTRAINT pk_counters PRIMARY KEY (name)
);

CREATE TABLE events (
  seq BIGINT NOT NULL,
  type VARCHAR(64) NOT NULL,
  subject VARCHAR(128) NOT NULL,
  body TEXT NOT NULL,
  hash BYTEA NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_events PRIMARY KEY (seq)
);

CREATE TABLE fee_estimates (
  network VARCHAR(64) NOT NULL,
  at_s BIGINT NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  CONSTRAINT pk_fee_estimates PRIMARY KEY (network, at_s)
);

CREATE TABLE gateways (
  id VARCHAR(64) NOT NULL,
  name VARCHAR(128) NOT NULL,
  created_by VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_gateways PRIMARY KEY (id)
);

CREATE TABLE idempotency (
  key_id VARCHAR(36) NOT NULL,
  idempotency_key VARCHAR(128) NOT NULL,
  request_hash BYTEA NOT NULL,
  status_code INTEGER NOT NULL,
  response TEXT NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_idempotency PRIMARY KEY (key_id, idempotency_key)
);

CREATE INDEX ix_idempotency_created_s ON idempotency (created_s);

CREATE TABLE leases (
  role VARCHAR(128) NOT NULL,
  holder VARCHAR(36) NOT NULL,
  token BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  CONSTRAINT pk_leases PRIMARY KEY (role)
);

CREATE TABLE ledger_accounts (
  number BIGINT NOT NULL,
  owner VARCHAR(128) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  kind VARCHAR(64) NOT NULL,
  may_go_negative INTEGER NOT NULL,
  height BIGINT NOT NULL,
  CONSTRAINT pk_ledger_accounts PRIMARY KEY (number),
  CONSTRAINT ck_ledger_accounts_kind CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')),
  CONSTRAINT ck_ledger_accounts_flag CHECK (may_go_negative IN (0, 1)),
  CONSTRAINT ck_ledger_accounts_liabilities_covered CHECK (kind <> 'liability' OR may_go_negative = 0),
  CONSTRAINT uq_ledger_accounts_owner_asset UNIQUE (owner, asset)
);

CREATE TABLE ledger_balances (
  account BIGINT NOT NULL,
  debits NUMERIC(78, 0) NOT NULL,
  credits NUMERIC(78, 0) NOT NULL,
  debits_held NUMERIC(78, 0) NOT NULL,
  credits_held NUMERIC(78, 0) NOT NULL,
  may_go_negative INTEGER NOT NULL,
  height BIGINT NOT NULL,
  CONSTRAINT pk_ledger_balances PRIMARY KEY (account),
  CONSTRAINT ck_ledger_balances_insufficient_funds CHECK (may_go_negative = 1 OR debits + debits_held <= credits),
  CONSTRAINT ck_ledger_balances_negative CHECK (debits_held >= 0 AND credits_held >= 0)
)
 WITH (fillfactor = 50);

CREATE TABLE ledger_batches (
  height BIGINT NOT NULL,
  cause VARCHAR(128) NOT NULL,
  transfers INTEGER NOT NULL,
  content BYTEA NOT NULL,
  created_s BIGINT NOT NULL,
  state_hash BYTEA NOT NULL,
  CONSTRAINT pk_ledger_batches PRIMARY KEY (height),
  CONSTRAINT uq_ledger_batches_cause UNIQUE (cause)
);

CREATE INDEX ix_ledger_batches_state_hash ON ledger_batches (state_hash);

CREATE TABLE ledger_checkpoints (
  account BIGINT NOT NULL,
  height BIGINT NOT NULL,
  debits NUMERIC(78, 0) NOT NULL,
  credits NUMERIC(78, 0) NOT NULL,
  debits_held NUMERIC(78, 0) NOT NULL,
  credits_held NUMERIC(78, 0) NOT NULL,
  CONSTRAINT pk_ledger_checkpoints PRIMARY KEY (account, height)
);

CREATE TABLE ledger_heads (
  height BIGINT NOT NULL,
  time_s BIGINT NOT NULL,
  state_hash BYTEA NOT NULL,
  public_key BYTEA NOT NULL,
  signature BYTEA NOT NULL,
  CONSTRAINT pk_ledger_heads PRIMARY KEY (height, time_s)
);

CREATE TABLE ledger_holds (
  id UUID NOT NULL,
  debit BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  expires_s BIGINT NOT NULL,
  ended_height BIGINT,
  ended_line INTEGER,
  CONSTRAINT pk_ledger_holds PRIMARY KEY (id)
);

CREATE INDEX ix_ledger_holds_expires_s ON ledger_holds (expires_s);

CREATE TABLE ledger_origin (
  height BIGINT NOT NULL,
  state_hash BYTEA NOT NULL,
  fingerprint BYTEA NOT NULL,
  image BYTEA NOT NULL,
  may_post INTEGER NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_ledger_origin PRIMARY KEY (height),
  CONSTRAINT ck_ledger_origin_height CHECK (height > 0),
  CONSTRAINT ck_ledger_origin_flag CHECK (may_post IN (0, 1))
);

CREATE TABLE ledger_partitions (
  last_height BIGINT NOT NULL,
  first_height BIGINT NOT NULL,
  transfers BIGINT NOT NULL,
  CONSTRAINT pk_ledger_partitions PRIMARY KEY (last_height)
);

CREATE TABLE ledger_rollbacks (
  id VARCHAR(36) NOT NULL,
  tag VARCHAR(64) NOT NULL,
  to_height BIGINT NOT NULL,
  from_height BIGINT NOT NULL,
  status VARCHAR(64) NOT NULL,
  body BYTEA NOT NULL,
  digest BYTEA NOT NULL,
  approvals_required INTEGER NOT NULL,
  requester VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  archive BYTEA,
  done_s BIGINT,
  CONSTRAINT pk_ledger_rollbacks PRIMARY KEY (id),
  CONSTRAINT ck_ledger_rollbacks_status CHECK (status IN ('requested', 'undoing', 'done')),
  CONSTRAINT ck_ledger_rollbacks_heights CHECK (to_height > 0 AND to_height < from_height),
  CONSTRAINT ck_ledger_rollbacks_archived CHECK (status = 'requested' OR archive IS NOT NULL),
  CONSTRAINT uq_ledger_rollbacks_digest UNIQUE (digest)
);

CREATE TABLE ledger_totals (
  asset VARCHAR(64) NOT NULL,
  kind VARCHAR(64) NOT NULL,
  debits NUMERIC(78, 0) NOT NULL,
  credits NUMERIC(78, 0) NOT NULL,
  debits_held NUMERIC(78, 0) NOT NULL,
  credits_held NUMERIC(78, 0) NOT NULL,
  height BIGINT NOT NULL,
  CONSTRAINT pk_ledger_totals PRIMARY KEY (asset, kind)
);

CREATE TABLE ledger_transfer_ids (
  id UUID NOT NULL,
  height BIGINT NOT NULL,
  line INTEGER NOT NULL,
  CONSTRAINT pk_ledger_transfer_ids PRIMARY KEY (id)
);

CREATE TABLE ledger_transfers (
  height BIGINT NOT NULL,
  line INTEGER NOT NULL,
  id UUID NOT NULL,
  kind VARCHAR(64) NOT NULL,
  hold_id UUID,
  debit BIGINT NOT NULL,
  credit BIGINT NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  expires_s BIGINT NOT NULL,
  CONSTRAINT pk_ledger_transfers PRIMARY KEY (height, line),
  CONSTRAINT ck_ledger_transfers_kind CHECK (kind IN ('single', 'hold', 'post', 'void')),
  CONSTRAINT ck_ledger_transfers_two_sides CHECK (debit <> credit),
  CONSTRAINT ck_ledger_transfers_line CHECK (line >= 0 AND line < 1000000),
  CONSTRAINT ck_ledger_transfers_ends CHECK ((kind IN ('post', 'void')) = (hold_id IS NOT NULL)),
  CONSTRAINT ck_ledger_transfers_expiry CHECK (expires_s = 0 OR kind = 'hold'),
  CONSTRAINT ck_ledger_transfers_amount CHECK (units > 0 AND units <= 1000000000000000000000000000000000000000000000000000000000000)
)
 PARTITION BY RANGE (height);

CREATE TABLE moved_to (
  id INTEGER NOT NULL,
  home TEXT NOT NULL,
  begun_s BIGINT NOT NULL,
  ended_s BIGINT,
  CONSTRAINT pk_moved_to PRIMARY KEY (id),
  CONSTRAINT ck_moved_to_one CHECK (id = 1)
);

CREATE TABLE pauses (
  id VARCHAR(36) NOT NULL,
  scope VARCHAR(64) NOT NULL,
  subject VARCHAR(64) NOT NULL,
  reason TEXT NOT NULL,
  paused_by VARCHAR(128) NOT NULL,
  since_s BIGINT NOT NULL,
  lifted_by VARCHAR(128),
  lifted_s BIGINT,
  CONSTRAINT pk_pauses PRIMARY KEY (id)
);

CREATE INDEX ix_pauses_subject ON pauses (scope, subject);

CREATE TABLE payments (
  id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  purpose VARCHAR(64) NOT NULL,
  source VARCHAR(64) NOT NULL,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  version INTEGER NOT NULL,
  request BYTEA NOT NULL,
  request_id VARCHAR(36) NOT NULL,
  payload_digest BYTEA NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  fee_units_max NUMERIC(78, 0) NOT NULL,
  fee_units NUMERIC(78, 0),
  sender VARCHAR(64),
  nonce BIGINT,
  raw BYTEA,
  txid VARCHAR(66),
  height BIGINT,
  parent_id VARCHAR(36),
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  lost_s BIGINT,
  since_s BIGINT NOT NULL,
  CONSTRAINT pk_payments PRIMARY KEY (id),
  CONSTRAINT uq_payments_network_sender_nonce UNIQUE (network, sender, nonce),
  CONSTRAINT uq_payments_request_id UNIQUE (request_id),
  CONSTRAINT uq_payments_txid UNIQUE (txid),
  CONSTRAINT fk_payments_parent_id FOREIGN KEY(parent_id) REFERENCES payments (id)
);

CREATE INDEX ix_payments_status ON payments (status, network);

CREATE TABLE pending_transactions (
  network VARCHAR(64) NOT NULL,
  txid VARCHAR(66) NOT NULL,
  conflicts TEXT NOT NULL,
  first_seen_s BIGINT NOT NULL,
  gone_s BIGINT,
  CONSTRAINT pk_pending_transactions PRIMARY KEY (network, txid)
);

CREATE TABLE reorgs (
  network VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  fork_height BIGINT NOT NULL,
  tip_height BIGINT NOT NULL,
  seen_s BIGINT NOT NULL,
  CONSTRAINT pk_reorgs PRIMARY KEY (network, number)
);

CREATE TABLE runways (
  asset VARCHAR(64) NOT NULL,
  is_low BOOLEAN NOT NULL,
  hours BIGINT,
  updated_s BIGINT NOT NULL,
  CONSTRAINT pk_runways PRIMARY KEY (asset)
);

CREATE TABLE scan_ranges (
  network VARCHAR(64) NOT NULL,
  from_height BIGINT NOT NULL,
  from_hash VARCHAR(64) NOT NULL,
  to_height BIGINT NOT NULL,
  to_hash VARCHAR(64) NOT NULL,
  adapter_version INTEGER NOT NULL,
  rules_version VARCHAR(64) NOT NULL,
  CONSTRAINT pk_scan_ranges PRIMARY KEY (network, from_height)
);

CREATE TABLE scan_stops (
  network VARCHAR(64) NOT NULL,
  code VARCHAR(64) NOT NULL,
  detail TEXT NOT NULL,
  since_s BIGINT NOT NULL,
  CONSTRAINT pk_scan_stops PRIMARY KEY (network, code)
);

CREATE TABLE statement_accounts (
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  target BYTEA NOT NULL,
  wallet VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  moved_height BIGINT NOT NULL,
  checked_height BIGINT,
  CONSTRAINT pk_statement_accounts PRIMARY KEY (network, asset, target)
);

CREATE TABLE statement_coins (
  network VARCHAR(64) NOT NULL,
  txid VARCHAR(64) NOT NULL,
  vout INTEGER NOT NULL,
  wallet VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  height BIGINT NOT NULL,
  spent_height BIGINT,
  CONSTRAINT pk_statement_coins PRIMARY KEY (network, txid, vout)
);

CREATE INDEX ix_statement_coins_spent ON statement_coins (network, spent_height);

CREATE TABLE statement_heads (
  network VARCHAR(64) NOT NULL,
  from_height BIGINT NOT NULL,
  height BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  reorgs BIGINT NOT NULL,
  idle_after VARCHAR(36) NOT NULL,
  round_height BIGINT,
  made_s BIGINT NOT NULL,
  CONSTRAINT pk_statement_heads PRIMARY KEY (network)
);

CREATE TABLE statement_lines (
  network VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  number INTEGER NOT NULL,
  txid VARCHAR(66) NOT NULL,
  position VARCHAR(128) NOT NULL,
  wallet VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  target BYTEA NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  kind VARCHAR(64) NOT NULL,
  subject VARCHAR(64) NOT NULL,
  state VARCHAR(64) NOT NULL,
  seen_s BIGINT NOT NULL,
  CONSTRAINT pk_statement_lines PRIMARY KEY (network, height, number)
);

CREATE INDEX ix_statement_lines_state ON statement_lines (network, state);

CREATE INDEX ix_statement_lines_subject ON statement_lines (subject);

CREATE TABLE statements (
  network VARCHAR(64) NOT NULL,
  wallet VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  hash VARCHAR(64) NOT NULL,
  opening NUMERIC(78, 0) NOT NULL,
  deposits NUMERIC(78, 0) NOT NULL,
  withdrawals NUMERIC(78, 0) NOT NULL,
  fees NUMERIC(78, 0) NOT NULL,
  moves NUMERIC(78, 0) NOT NULL,
  kept NUMERIC(78, 0) NOT NULL,
  unexplained NUMERIC(78, 0) NOT NULL,
  closing NUMERIC(78, 0) NOT NULL,
  CONSTRAINT pk_statements PRIMARY KEY (network, wallet, asset, height)
);

CREATE INDEX ix_statements_height ON statements (network, height);

CREATE TABLE thresholds (
  asset VARCHAR(64) NOT NULL,
  mode VARCHAR(64) NOT NULL,
  hot_min NUMERIC(78, 0) NOT NULL,
  hot_target NUMERIC(78, 0) NOT NULL,
  hot_max NUMERIC(78, 0) NOT NULL,
  changed_by VARCHAR(128) NOT NULL,
  changed_s BIGINT NOT NULL,
  CONSTRAINT pk_thresholds PRIMARY KEY (asset)
);

CREATE TABLE token_balances (
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  target BYTEA NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  height BIGINT NOT NULL,
  checked_s BIGINT NOT NULL,
  CONSTRAINT pk_token_balances PRIMARY KEY (network, asset, target)
);

CREATE TABLE token_codes (
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  fingerprint VARCHAR(64) NOT NULL,
  waiting VARCHAR(64) NOT NULL,
  confirmed_by VARCHAR(128) NOT NULL,
  changed_s BIGINT NOT NULL,
  CONSTRAINT pk_token_codes PRIMARY KEY (network, asset)
);

CREATE TABLE unreadable_transfers (
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  height BIGINT NOT NULL,
  txid VARCHAR(66) NOT NULL,
  position VARCHAR(32) NOT NULL,
  logs INTEGER NOT NULL,
  detail TEXT NOT NULL,
  seen_s BIGINT NOT NULL,
  vouched_by VARCHAR(128) NOT NULL,
  vouched_s BIGINT,
  CONSTRAINT pk_unreadable_transfers PRIMARY KEY (network, asset, height)
);

CREATE TABLE webhooks (
  id VARCHAR(36) NOT NULL,
  url TEXT NOT NULL,
  secret_box BYTEA NOT NULL,
  event_types TEXT NOT NULL,
  status VARCHAR(64) NOT NULL,
  next_seq BIGINT NOT NULL,
  created_by VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_webhooks PRIMARY KEY (id)
);

CREATE TABLE addresses (
  id VARCHAR(36) NOT NULL,
  account_id VARCHAR(36),
  network VARCHAR(64) NOT NULL,
  source VARCHAR(64) NOT NULL,
  branch INTEGER NOT NULL,
  position BIGINT NOT NULL,
  purpose VARCHAR(64) NOT NULL,
  address VARCHAR(128) NOT NULL,
  target BYTEA NOT NULL,
  label VARCHAR(128),
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_addresses PRIMARY KEY (id),
  CONSTRAINT uq_addresses_network_target UNIQUE (network, target),
  CONSTRAINT uq_addresses_network_source_branch_position UNIQUE (network, source, branch, position),
  CONSTRAINT fk_addresses_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_addresses_account ON addresses (account_id, network, created_s);

CREATE TABLE apportionments (
  id VARCHAR(36) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  sub_account VARCHAR(64) NOT NULL,
  loss_units NUMERIC(78, 0) NOT NULL,
  receiver_id VARCHAR(36),
  requester VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_apportionments PRIMARY KEY (id),
  CONSTRAINT uq_apportionments_external_id UNIQUE (external_id),
  CONSTRAINT fk_apportionments_receiver_id FOREIGN KEY(receiver_id) REFERENCES accounts (id)
);

CREATE TABLE escrows (
  id VARCHAR(36) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  payer_id VARCHAR(36) NOT NULL,
  payer_part VARCHAR(64) NOT NULL,
  payee_id VARCHAR(36) NOT NULL,
  payee_part VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  released_units NUMERIC(78, 0) NOT NULL,
  fee_units NUMERIC(78, 0) NOT NULL,
  fee_basis_points INTEGER NOT NULL,
  releases INTEGER NOT NULL,
  status VARCHAR(64) NOT NULL,
  reason VARCHAR(128) NOT NULL,
  decided_by VARCHAR(128) NOT NULL,
  requester VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  deadline_s BIGINT NOT NULL,
  CONSTRAINT pk_escrows PRIMARY KEY (id),
  CONSTRAINT uq_escrows_external_id UNIQUE (external_id),
  CONSTRAINT fk_escrows_payer_id FOREIGN KEY(payer_id) REFERENCES accounts (id),
  CONSTRAINT fk_escrows_payee_id FOREIGN KEY(payee_id) REFERENCES accounts (id)
);

CREATE INDEX ix_escrows_due ON escrows (status, deadline_s);

CREATE INDEX ix_escrows_payee ON escrows (payee_id, created_s);

CREATE INDEX ix_escrows_payer ON escrows (payer_id, created_s);

CREATE INDEX ix_escrows_status ON escrows (status, network);

CREATE TABLE gateway_keys (
  id VARCHAR(36) NOT NULL,
  gateway VARCHAR(64) NOT NULL,
  key_id VARCHAR(36) NOT NULL,
  role VARCHAR(64) NOT NULL,
  added_by VARCHAR(128) NOT NULL,
  added_s BIGINT NOT NULL,
  removed_by VARCHAR(128),
  removed_s BIGINT,
  CONSTRAINT pk_gateway_keys PRIMARY KEY (id),
  CONSTRAINT ck_gateway_keys_role CHECK (role IN ('gateway', 'agent')),
  CONSTRAINT fk_gateway_keys_gateway FOREIGN KEY(gateway) REFERENCES gateways (id),
  CONSTRAINT fk_gateway_keys_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id)
);

CREATE INDEX ix_gateway_keys_gateway ON gateway_keys (gateway, key_id);

CREATE TABLE hosted_keys (
  id VARCHAR(36) NOT NULL,
  account_id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  position BIGINT NOT NULL,
  public_key BYTEA NOT NULL,
  address VARCHAR(128) NOT NULL,
  target BYTEA NOT NULL,
  blob BYTEA NOT NULL,
  version INTEGER NOT NULL,
  status VARCHAR(64) NOT NULL,
  totp_box BYTEA NOT NULL,
  totp_step BIGINT NOT NULL,
  totp_number INTEGER NOT NULL,
  totp_next_box BYTEA NOT NULL,
  totp_next_step BIGINT NOT NULL,
  totp_next_from_s BIGINT,
  failures INTEGER NOT NULL,
  locked_until_s BIGINT NOT NULL,
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  CONSTRAINT pk_hosted_keys PRIMARY KEY (id),
  CONSTRAINT uq_hosted_keys_network_target UNIQUE (network, target),
  CONSTRAINT uq_hosted_keys_network_position UNIQUE (network, position),
  CONSTRAINT fk_hosted_keys_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_hosted_keys_account ON hosted_keys (account_id, created_s);

CREATE TABLE payment_answers (
  payment_id VARCHAR(36) NOT NULL,
  version INTEGER NOT NULL,
  signer_id VARCHAR(128) NOT NULL,
  answer BYTEA NOT NULL,
  counter BIGINT NOT NULL,
  received_s BIGINT NOT NULL,
  CONSTRAINT pk_payment_answers PRIMARY KEY (payment_id, version, signer_id),
  CONSTRAINT uq_payment_answers_signer_id_counter UNIQUE (signer_id, counter),
  CONSTRAINT fk_payment_answers_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id)
);

CREATE TABLE payment_broadcasts (
  payment_id VARCHAR(36) NOT NULL,
  attempt INTEGER NOT NULL,
  version INTEGER NOT NULL,
  started_s BIGINT NOT NULL,
  outcome VARCHAR(64) NOT NULL,
  reason VARCHAR(64) NOT NULL,
  detail TEXT NOT NULL,
  CONSTRAINT pk_payment_broadcasts PRIMARY KEY (payment_id, attempt),
  CONSTRAINT fk_payment_broadcasts_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id)
);

CREATE TABLE payment_versions (
  payment_id VARCHAR(36) NOT NULL,
  number INTEGER NOT NULL,
  act VARCHAR(64) NOT NULL,
  status VARCHAR(64) NOT NULL,
  reason VARCHAR(64) NOT NULL,
  request BYTEA NOT NULL,
  request_id VARCHAR(36) NOT NULL,
  payload_digest BYTEA NOT NULL,
  fee_units_max NUMERIC(78, 0) NOT NULL,
  consumes TEXT NOT NULL,
  raw BYTEA,
  txid VARCHAR(66),
  height BIGINT NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_payment_versions PRIMARY KEY (payment_id, number),
  CONSTRAINT fk_payment_versions_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
  CONSTRAINT uq_payment_versions_request_id UNIQUE (request_id),
  CONSTRAINT uq_payment_versions_txid UNIQUE (txid)
);

CREATE TABLE registered_assets (
  code VARCHAR(64) NOT NULL,
  id VARCHAR(36) NOT NULL,
  gateway VARCHAR(64) NOT NULL,
  symbol VARCHAR(64) NOT NULL,
  name VARCHAR(128) NOT NULL,
  type VARCHAR(64) NOT NULL,
  decimals INTEGER NOT NULL,
  mirrors VARCHAR(64),
  quota_units NUMERIC(78, 0),
  locked INTEGER NOT NULL,
  registered_by VARCHAR(128) NOT NULL,
  registered_s BIGINT NOT NULL,
  CONSTRAINT pk_registered_assets PRIMARY KEY (code),
  CONSTRAINT ck_registered_assets_type CHECK (type IN ('currency', 'physical')),
  CONSTRAINT ck_registered_assets_mirror CHECK ((type = 'currency') = (mirrors IS NOT NULL)),
  CONSTRAINT ck_registered_assets_quota CHECK ((type = 'physical') = (quota_units IS NOT NULL)),
  CONSTRAINT ck_registered_assets_lock CHECK ((type = 'physical') = (locked = 1) AND locked IN (0, 1)),
  CONSTRAINT uq_registered_assets_gateway_symbol UNIQUE (gateway, symbol),
  CONSTRAINT uq_registered_assets_gateway_mirrors UNIQUE (gateway, mirrors),
  CONSTRAINT uq_registered_assets_id UNIQUE (id),
  CONSTRAINT fk_registered_assets_gateway FOREIGN KEY(gateway) REFERENCES gateways (id)
);

CREATE TABLE sub_account_transfers (
  id VARCHAR(36) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  account_id VARCHAR(36) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  source VARCHAR(64) NOT NULL,
  target VARCHAR(64) NOT NULL,
  requester VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_sub_account_transfers PRIMARY KEY (id),
  CONSTRAINT uq_sub_account_transfers_external_id UNIQUE (external_id),
  CONSTRAINT fk_sub_account_transfers_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_sub_account_transfers_account ON sub_account_transfers (account_id, created_s);

CREATE TABLE treasury_requests (
  id VARCHAR(36) NOT NULL,
  purpose VARCHAR(64) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  intent BYTEA NOT NULL,
  intent_digest BYTEA NOT NULL,
  approvals_required INTEGER NOT NULL,
  requester VARCHAR(128) NOT NULL,
  payment_id VARCHAR(36),
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  CONSTRAINT pk_treasury_requests PRIMARY KEY (id),
  CONSTRAINT uq_treasury_requests_intent_digest UNIQUE (intent_digest),
  CONSTRAINT fk_treasury_requests_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id)
);

CREATE TABLE webhook_deliveries (
  webhook_id VARCHAR(36) NOT NULL,
  seq BIGINT NOT NULL,
  status VARCHAR(64) NOT NULL,
  attempts INTEGER NOT NULL,
  next_s BIGINT NOT NULL,
  last_result TEXT NOT NULL,
  CONSTRAINT pk_webhook_deliveries PRIMARY KEY (webhook_id, seq),
  CONSTRAINT fk_webhook_deliveries_webhook_id FOREIGN KEY(webhook_id) REFERENCES webhooks (id),
  CONSTRAINT fk_webhook_deliveries_seq FOREIGN KEY(seq) REFERENCES events (seq)
);

CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (status, next_s);

CREATE TABLE withdrawals (
  id VARCHAR(36) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  account_id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  address VARCHAR(128) NOT NULL,
  target BYTEA NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  fee_units NUMERIC(78, 0) NOT NULL,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  intent BYTEA NOT NULL,
  intent_digest BYTEA NOT NULL,
  approvals_required INTEGER NOT NULL,
  policy_hash VARCHAR(64) NOT NULL,
  payment_id VARCHAR(36),
  requester VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  deadline_s BIGINT NOT NULL,
  CONSTRAINT pk_withdrawals PRIMARY KEY (id),
  CONSTRAINT uq_withdrawals_external_id UNIQUE (external_id),
  CONSTRAINT fk_withdrawals_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
  CONSTRAINT uq_withdrawals_intent_digest UNIQUE (intent_digest)
);

CREATE INDEX ix_withdrawals_account ON withdrawals (account_id, created_s);

CREATE INDEX ix_withdrawals_spent ON withdrawals (network, asset, created_s);

CREATE INDEX ix_withdrawals_status ON withdrawals (status, network);

CREATE TABLE apportionment_shares (
  apportionment_id VARCHAR(36) NOT NULL,
  account_id VARCHAR(36) NOT NULL,
  gain_units NUMERIC(78, 0) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  CONSTRAINT pk_apportionment_shares PRIMARY KEY (apportionment_id, account_id),
  CONSTRAINT fk_apportionment_shares_apportionment_id FOREIGN KEY(apportionment_id) REFERENCES apportionments (id),
  CONSTRAINT fk_apportionment_shares_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE TABLE asset_issues (
  id VARCHAR(36) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  number BIGINT NOT NULL,
  kind VARCHAR(64) NOT NULL,
  account_id VARCHAR(36) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  issued_units NUMERIC(78, 0) NOT NULL,
  redeemed_units NUMERIC(78, 0) NOT NULL,
  external_id VARCHAR(128) NOT NULL,
  done_by VARCHAR(128) NOT NULL,
  created_s BIGINT NOT NULL,
  CONSTRAINT pk_asset_issues PRIMARY KEY (id),
  CONSTRAINT ck_asset_issues_kind CHECK (kind IN ('issue', 'redeem')),
  CONSTRAINT uq_asset_issues_asset_number UNIQUE (asset, number),
  CONSTRAINT uq_asset_issues_asset_external_id UNIQUE (asset, external_id),
  CONSTRAINT fk_asset_issues_asset FOREIGN KEY(asset) REFERENCES registered_assets (code),
  CONSTRAINT fk_asset_issues_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
);

CREATE INDEX ix_asset_issues_account ON asset_issues (account_id, created_s);

CREATE TABLE batch_shares (
  payment_id VARCHAR(36) NOT NULL,
  address_id VARCHAR(36) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  block_hash VARCHAR(64),
  left_units NUMERIC(78, 0),
  arrived_units NUMERIC(78, 0),
  CONSTRAINT pk_batch_shares PRIMARY KEY (payment_id, address_id),
  CONSTRAINT fk_batch_shares_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
  CONSTRAINT fk_batch_shares_address_id FOREIGN KEY(address_id) REFERENCES addresses (id)
);

CREATE INDEX ix_batch_shares_address ON batch_shares (address_id);

CREATE TABLE delegations (
  payment_id VARCHAR(36) NOT NULL,
  address_id VARCHAR(36) NOT NULL,
  sweeper VARCHAR(64) NOT NULL,
  batch_id VARCHAR(36),
  CONSTRAINT pk_delegations PRIMARY KEY (payment_id),
  CONSTRAINT fk_delegations_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
  CONSTRAINT fk_delegations_address_id FOREIGN KEY(address_id) REFERENCES addresses (id),
  CONSTRAINT fk_delegations_batch_id FOREIGN KEY(batch_id) REFERENCES payments (id)
);

CREATE INDEX ix_delegations_address ON delegations (address_id);

CREATE TABLE deposits (
  id VARCHAR(36) NOT NULL,
  account_id VARCHAR(36),
  address_id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  txid VARCHAR(66) NOT NULL,
  position VARCHAR(128) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  logged_units NUMERIC(78, 0),
  evidence VARCHAR(64) NOT NULL,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  height BIGINT,
  block_hash VARCHAR(64),
  agreed_hash VARCHAR(64),
  exposed_units NUMERIC(78, 0) NOT NULL,
  confirmations_required INTEGER NOT NULL,
  seen_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  credited_s BIGINT,
  CONSTRAINT pk_deposits PRIMARY KEY (id),
  CONSTRAINT uq_deposits_network_txid_position UNIQUE (network, txid, position),
  CONSTRAINT fk_deposits_account_id FOREIGN KEY(account_id) REFERENCES accounts (id),
  CONSTRAINT fk_deposits_address_id FOREIGN KEY(address_id) REFERENCES addresses (id)
);

CREATE INDEX ix_deposits_account ON deposits (account_id, seen_s);

CREATE INDEX ix_deposits_height ON deposits (network, height);

CREATE INDEX ix_deposits_status ON deposits (network, status);

CREATE TABLE hosted_coins (
  network VARCHAR(64) NOT NULL,
  txid VARCHAR(64) NOT NULL,
  vout INTEGER NOT NULL,
  key_id VARCHAR(36) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  raw_tx BYTEA NOT NULL,
  height BIGINT,
  spent_txid VARCHAR(64),
  spent_height BIGINT,
  payment_id VARCHAR(36),
  CONSTRAINT pk_hosted_coins PRIMARY KEY (network, txid, vout),
  CONSTRAINT fk_hosted_coins_key_id FOREIGN KEY(key_id) REFERENCES hosted_keys (id)
);

CREATE TABLE hosted_payments (
  id VARCHAR(36) NOT NULL,
  key_id VARCHAR(36) NOT NULL,
  network VARCHAR(64) NOT NULL,
  asset VARCHAR(64) NOT NULL,
  address VARCHAR(128) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  fee_units_max NUMERIC(78, 0) NOT NULL,
  fee_units NUMERIC(78, 0),
  unsigned BYTEA NOT NULL,
  nonce BIGINT,
  status VARCHAR(64) NOT NULL,
  sub_status VARCHAR(64) NOT NULL,
  raw BYTEA,
  txid VARCHAR(66),
  height BIGINT,
  sends INTEGER NOT NULL,
  sent_s BIGINT NOT NULL,
  created_s BIGINT NOT NULL,
  updated_s BIGINT NOT NULL,
  since_s BIGINT NOT NULL,
  expires_s BIGINT NOT NULL,
  CONSTRAINT pk_hosted_payments PRIMARY KEY (id),
  CONSTRAINT fk_hosted_payments_key_id FOREIGN KEY(key_id) REFERENCES hosted_keys (id),
  CONSTRAINT uq_hosted_payments_txid UNIQUE (txid)
);

CREATE INDEX ix_hosted_payments_key ON hosted_payments (key_id, created_s);

CREATE INDEX ix_hosted_payments_status ON hosted_payments (status, network);

CREATE TABLE top_ups (
  payment_id VARCHAR(36) NOT NULL,
  address_id VARCHAR(36) NOT NULL,
  CONSTRAINT pk_top_ups PRIMARY KEY (payment_id),
  CONSTRAINT fk_top_ups_payment_id FOREIGN KEY(payment_id) REFERENCES payments (id),
  CONSTRAINT fk_top_ups_address_id FOREIGN KEY(address_id) REFERENCES addresses (id)
);

CREATE INDEX ix_top_ups_address ON top_ups (address_id);

CREATE TABLE utxos (
  network VARCHAR(64) NOT NULL,
  txid VARCHAR(64) NOT NULL,
  vout INTEGER NOT NULL,
  address_id VARCHAR(36) NOT NULL,
  units NUMERIC(78, 0) NOT NULL,
  raw_tx BYTEA NOT NULL,
  height BIGINT,
  mature_height BIGINT NOT NULL,
  spent_txid VARCHAR(64),
  spent_height BIGINT,
  payment_id VARCHAR(36),
  quarantine VARCHAR(64) NOT NULL,
  CONSTRAINT pk_utxos PRIMARY KEY (network, txid, vout),
  CONSTRAINT fk_utxos_address_id FOREIGN KEY(address_id) REFERENCES addresses (id)
);

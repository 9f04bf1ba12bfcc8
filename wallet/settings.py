"""All settings of the online service, typed and frozen. No other module reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationTier:
    """Deposits of at least `from_units` need `confirmations` blocks."""

    from_units: int
    confirmations: int


class TokenKind(StrEnum):
    """How a token's balances may differ from what its events tell."""

    PLAIN = "plain"
    FEE_ON_TRANSFER = "fee_on_transfer"  # less may arrive than is sent
    REBASING = "rebasing"  # balances move by themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSettings:
    """One currency; `contract` marks an ERC-20 token. Amounts are base units.

    `token_kind` is one of `TokenKind`; `code_hash` pins a token's code.
    """

    code: str
    network: str
    decimals: int
    contract: str | None = None
    token_kind: str = TokenKind.PLAIN
    balance_check: bool = True
    code_hash: str = ""
    deposit_units_min: int = 0
    confirmations: tuple[ConfirmationTier, ...] = (ConfirmationTier(from_units=0, confirmations=1),)
    safe_from: int = 0
    finalized_from: int = 0
    second_node_from: int = 0
    balance_proof_from: int = 0
    withdrawal_units_min: int = 1
    withdrawal_fee_units: int = 0
    gather_units_min: int = 0
    hot_mode: str = "absolute"
    hot_min: int = 0
    hot_target: int = 0
    hot_max: int = 0
    runway_hours_min: int = 0
    canary_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinClass:
    """So many confirmed coins of at least `units` shall lie ready in a UTXO hot vault."""

    units: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """One chain. `params` names a built-in parameter set, or `custom` defines one.

    `hot` and `cold` name vault files (UTXO) or addresses (EVM) in `vaults`. `sweeper` is the
    contract that deposit addresses delegate to (EIP-7702), empty where gas is topped up instead.
    """

    id: str
    family: str
    params: str
    node_url: str
    second_node_url: str = ""
    poll_ms: int = 1000
    start_height: int = 0
    start_hash: str = ""
    reorg_alarm_depth: int = 0
    reorg_alarm_blocks: int = 0
    reorg_alarm_confirmations: int = 0
    reorg_blocks_max: int = 100
    mempool_drop_s: int = 86_400
    batch_payees_max: int = 100
    batch_wait_s: int = 0
    fee_units_max: int = 0
    fee_ppm_max: int = 0
    feerate_min: int = 0
    feerate_max: int = 0
    feerate_ceiling: int = 0
    fee_target_blocks: int = 3
    feerate_long_term: int = 0
    consolidate_inputs_max: int = 0
    bump_after_blocks: int = 6
    bump_step_ppm: int = 250_000
    bump_least_ppm: int = 100_000
    feerate_relay: int = 1000
    coin_pool: tuple[CoinClass, ...] = ()
    change_outputs_max: int = 4
    small_coin_units: int = 0
    small_coins_max: int = 50
    cheap_percent: int = 20
    dusting_times: int = 0
    hot: str = ""
    cold: str = ""
    deposit: str = ""
    sweeper: str = ""
    gather_feerate_max: int = 0
    custom: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerSettings:
    """A signer: the command that starts it and the identity key (hex) its answers carry.

    An empty `command` marks an offline signer that answers by files. `sources` names the vaults
    and key accounts whose keys it holds.
    """

    id: str
    command: tuple[str, ...]
    public_key: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSettings:
    """A member of treasury staff: approvals are checked against `public_key` (Ed25519, hex)."""

    id: str
    name: str
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One deployment."""

    data_dir: Path
    database_url: str
    api_host: str
    api_port: int
    policy_file: Path
    vault_files: tuple[Path, ...]
    coordinator_key_file: Path
    service_key_file: Path
    networks: tuple[NetworkSettings, ...]
    assets: tuple[AssetSettings, ...]
    signers: tuple[SignerSettings, ...]
    staff: tuple[StaffSettings, ...]
    approvals_required: int
    webhooks_private_allowed: bool = False
    hosted_keys_legacy_allowed: bool = False
    hosted_keys_authenticator_delay_s: int = 48 * 3600
    metrics_port: int = 0
    ledger_partition_transfers: int = 2_000_000
    images_every_hours: int = 0
    images_keep_daily: int = 7
    images_keep_weekly: int = 5
    images_with_ids: bool = True
    canary_account: str = ""
    canary_every_s: int = 3600
    canary_latency_s: int = 1800
    kill_at: str = ""


def cache_dir() -> Path:
    """Where installed development tools are kept: in a checkout, else as XDG says."""
    checkout = Path(__file__).parents[1]
    if checkout.joinpath("pyproject.toml").is_file():
        return checkout.joinpath(".cache")
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home().joinpath(".cache")).joinpath("glaytos-wallet")

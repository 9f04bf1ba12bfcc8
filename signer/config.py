"""`signer.toml`: who may ask, who may approve, and hard limits by network. Unknown keys are errors.

The limits live here and in `policy.toml`, never in a request; a person activates both, and the log
pins their hashes.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chains.errors import ChainError
from chains.evm import addresses as evm_addresses
from chains.utxo.params import BUILTIN, UtxoParams, params_from
from policies.errors import PolicyError
from policies.loader import load_policy
from policies.policy import Policy
from signer.errors import SignerError
from signer.guards.facts import NetworkRules, TokenRule
from signer.languages import Language
from signer.roster import GOVERNANCE, Approver, Roster, RosterError

CONFIG_BYTES_MAX = 256 * 1024
"""No configuration file is larger; checked before parsing."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{1,78}")
_Row = TypeVar("_Row")


class ConfigError(SignerError):
    """A configuration file that does not say one clear thing; nothing of it is used."""

    code = "config.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerConfig:
    """All that a person activated. Hashes are SHA-256 of the files' bytes."""

    coordinators: tuple[bytes, ...]
    clock_skew_s: int
    request_lifetime_s_max: int
    networks: Mapping[str, NetworkRules]
    roster: Roster
    policy: Policy
    config_sha256: bytes
    policy_sha256: bytes
    governance_quorum: int = 0
    rollback_quorum: int = 0
    language: Language = Language.ENGLISH


def load_config(config_text: bytes, policy_text: bytes) -> SignerConfig:
    """Both files. Raises ConfigError naming the place."""
    table = _Table(_toml(config_text, "signer.toml"), "signer.toml")
    coordinators = tuple(_key(key, "coordinators") for key in table.texts("coordinators"))
    skew, lifetime = table.integer("clock_skew_s", 300), table.integer("request_lifetime_s_max")
    networks = table.rows("networks", _network)
    approvers = table.rows("approvers", _approver) if table.has("approvers") else []
    quorum = table.integer("governance_quorum", 0)
    rollback_quorum = table.integer("rollback_quorum", 0)
    language = _language(table.text("language", Language.ENGLISH))
    table.done()
    governors = sum(approver.role == GOVERNANCE for approver in approvers)
    if quorum > governors:
        raise ConfigError(
            f"signer.toml.governance_quorum: got {quorum}, expected at most {governors}, the"
            f" approvers whose role is {GOVERNANCE}"
        )
    if rollback_quorum > len(approvers):
        raise ConfigError(
            f"signer.toml.rollback_quorum: got {rollback_quorum}, expected at most "
            f"{len(approvers)}, the approvers"
        )
    if not coordinators:
        raise ConfigError("signer.toml.coordinators: got none, expected at least one key")
    if len({rules.id for rules in networks}) != len(networks):
        raise ConfigError("signer.toml.networks: got the same id twice, expected one each")
    try:
        roster = Roster(tuple(approvers))
        policy = load_policy(_toml(policy_text, "policy.toml"))
    except (RosterError, PolicyError) as error:
        raise ConfigError(str(error)) from error
    return SignerConfig(
        coordinators=coordinators,
        clock_skew_s=skew,
        request_lifetime_s_max=lifetime,
        networks={rules.id: rules for rules in networks},
        roster=roster,
        policy=policy,
        config_sha256=hashlib.sha256(config_text).digest(),
        policy_sha256=hashlib.sha256(policy_text).digest(),
        governance_quorum=quorum,
        rollback_quorum=rollback_quorum,
        language=language,
    )


def parse_toml(text: bytes, what: str) -> dict[str, Any]:
    """A TOML document within the size limit. Raises ConfigError."""
    return _toml(text, what)


def check_name(text: str, what: str) -> str:
    """A short name of letters, digits, dot, dash and underscore. Raises ConfigError."""
    if _NAME.fullmatch(text) is None:
        raise ConfigError(f"got {what} {text[:64]!r}, expected letters, digits, dots and dashes")
    return text


def _toml(text: bytes, what: str) -> dict[str, Any]:
    if len(text) > CONFIG_BYTES_MAX:
        raise ConfigError(f"got {what} of {len(text)} bytes, expected at most {CONFIG_BYTES_MAX}")
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{what}: got no valid TOML: {error}") from error


def _network(table: "_Table") -> NetworkRules:
    network = check_name(table.text("id"), "network id")
    chain_id = table.integer("chain_id") if table.has("chain_id") else None
    utxo = None if chain_id is not None else _utxo_params(table, network)
    rules = NetworkRules(
        id=network,
        asset=table.text("asset"),
        decimals=table.integer("decimals", 8 if chain_id is None else 18),
        fee_units_max=table.integer("fee_units_max"),
        fee_ppm_max=table.integer("fee_ppm_max"),
        feerate_max=table.integer("feerate_max"),
        chain_id=chain_id,
        utxo=utxo,
        gas_limit_max=table.integer("gas_limit_max", 0 if chain_id is None else None),
        nonce_gap_max=table.integer("nonce_gap_max", 0),
        inputs_max=table.integer("inputs_max", 500),
        outputs_max=table.integer("outputs_max", 500),
        change_gap_max=table.integer("change_gap_max", 200),
        tokens={token.code: token for token in table.rows("tokens", _token)},
        sweeper=_sweeper(table, chain_id),
        batch_gas_limit_max=table.integer("batch_gas_limit_max", 0),
        legacy=table.flag("legacy", False),
    )
    if utxo is not None and rules.legacy:
        raise ConfigError(f"{table.where}.legacy: got one on a UTXO network, expected none")
    if utxo is not None and rules.tokens:
        raise ConfigError(f"{table.where}.tokens: got tokens on a UTXO network, expected none")
    if rules.asset in rules.tokens:
        raise ConfigError(f"{table.where}.tokens: got the native asset, expected tokens only")
    return rules


def _utxo_params(table: "_Table", network: str) -> UtxoParams:
    if not table.has("utxo"):
        if network not in BUILTIN:
            raise ConfigError(
                f"{table.where}: got unknown network {network}, expected a utxo table"
            )
        return BUILTIN[network]
    try:
        return params_from(table.table("utxo"))
    except ChainError as error:
        raise ConfigError(f"{table.where}.utxo: {error}") from error


def _token(table: "_Table") -> TokenRule:
    token = TokenRule(
        code=table.text("code"),
        contract=table.text("contract"),
        decimals=table.integer("decimals"),
        symbol=table.text("symbol"),
    )
    try:
        evm_addresses.from_text(token.contract)
    except ChainError as error:
        raise ConfigError(f"{table.where}.contract: {error}") from error
    return token


def _sweeper(table: "_Table", chain_id: int | None) -> str:
    if not table.has("sweeper"):
        return ""
    text = table.text("sweeper")
    if chain_id is None:
        raise ConfigError(f"{table.where}.sweeper: got one on a UTXO network, expected none")
    try:
        evm_addresses.from_text(text)
    except ChainError as error:
        raise ConfigError(f"{table.where}.sweeper: {error}") from error
    return text


def _approver(table: "_Table") -> Approver:
    return Approver(
        id=check_name(table.text("id"), "approver id"),
        role=check_name(table.text("role", "approver"), "role"),
        key=_key(table.text("key"), f"{table.where}.key"),
    )


def _language(text: str) -> Language:
    try:
        return Language(text)
    except ValueError as error:
        expected = ", ".join(Language)
        raise ConfigError(f"signer.toml.language: got {text!r}, expected {expected}") from error


def _key(text: str, where: str) -> bytes:
    if _KEY.fullmatch(text) is None:
        raise ConfigError(f"{where}: got no Ed25519 public key, expected 64 lower-case hex digits")
    return bytes.fromhex(text)


class _Table:
    """A TOML table that is read field by field and must then be used up."""

    def __init__(self, value: Mapping[str, Any], where: str) -> None:
        self._map = value
        self._left = set(value)
        self.where = where

    def has(self, name: str) -> bool:
        return name in self._map

    def _take(self, name: str, default: Any) -> Any:
        self._left.discard(name)
        value = self._map.get(name, default)
        if value is None:
            raise ConfigError(f"{self.where}: got no {name}, expected one")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.where}.{name}: got {value!r}, expected a text")
        return value

    def texts(self, name: str) -> list[str]:
        values = self._take(name, None)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ConfigError(f"{self.where}.{name}: got {values!r}, expected a list of texts")
        return values

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number; large ones may be a text of digits."""
        value = self._take(name, default)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**256:
            raise ConfigError(f"{self.where}.{name}: got {value!r}, expected a whole number")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise ConfigError(f"{self.where}.{name}: got {value!r}, expected true or false")
        return value

    def table(self, name: str) -> Mapping[str, Any]:
        value = self._take(name, None)
        if not isinstance(value, dict):
            raise ConfigError(f"{self.where}.{name}: got {value!r}, expected a table")
        return value

    def rows(self, name: str, read: Callable[["_Table"], _Row]) -> list[_Row]:
        values = self._take(name, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise ConfigError(f"{self.where}.{name}: got {values!r}, expected tables")
        rows = []
        for position, value in enumerate(values):
            table = _Table(value, f"{self.where}.{name}[{position}]")
            rows.append(read(table))
            table.done()
        return rows

    def done(self) -> None:
        if self._left:
            names = ", ".join(sorted(self._left))
            raise ConfigError(f"{self.where}: got unknown keys {names}, expected none")

"""Read a settings file: TOML in, `wallet.settings.Settings` out, every mistake named.

Keys are the fields of the dataclasses in `wallet.settings`; `config/example.toml` explains each.
Amounts (`*_units*`, `hot_*`) are base units, as integers or, since wei outgrow TOML, as texts of
digits. Relative paths start at the file's folder.
"""

import re
import tomllib
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from wallet.errors import Invalid
from wallet.settings import AssetSettings, Settings, TokenKind

FILE_BYTES_MAX = 1024 * 1024
"""No settings file is larger; checked before parsing."""

AUTHENTICATOR_DELAY_S_MIN = 3600
"""A change that counts at once would let nobody notice it."""

_HASH = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9]{1,78}")


class SettingsError(Invalid):
    """A settings file that does not say one clear thing; nothing of it is used."""

    code = "settings.invalid"


def load_settings(path: Path) -> Settings:
    """The settings of a file. Raises SettingsError naming every wrong key."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(
            f"got no settings file {path}, expected one like config/example.toml"
        ) from error
    if len(data) > FILE_BYTES_MAX:
        raise SettingsError(f"got {path} of over {FILE_BYTES_MAX} bytes, expected less")
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: got no valid TOML: {error}") from error
    return parse_settings(table, path.absolute().parent)


def parse_settings(table: Mapping[str, object], base: Path) -> Settings:
    """The settings of parsed TOML; relative paths start at `base`. Raises SettingsError."""
    reader = _Reader(base)
    settings: Settings = reader.dataclass(Settings, table, "")
    if reader.wrong:
        raise SettingsError("; ".join(reader.wrong), {"wrong": reader.wrong})
    _check_names(settings)
    return settings


def _check_names(settings: Settings) -> None:
    wrong = []
    for what, names in (
        ("networks", [network.id for network in settings.networks]),
        ("assets", [asset.code for asset in settings.assets]),
        ("signers", [signer.id for signer in settings.signers]),
        ("staff", [member.id for member in settings.staff]),
    ):
        wrong += [
            f"{what}: got {name} twice" for name in sorted({n for n in names if names.count(n) > 1})
        ]
    wrong += [
        f"networks: got start_hash {network.start_hash[:70]!r} of {network.id}, "
        "expected 64 lower-case hex digits without 0x"
        for network in settings.networks
        if network.start_hash and not _HASH.fullmatch(network.start_hash)
    ]
    known = {network.id for network in settings.networks}
    wrong += [
        f"assets: got {asset.code} on unknown network {asset.network}"
        for asset in settings.assets
        if asset.network not in known
    ]
    wrong += [
        f"assets: got {asset.code[:40]!r}, expected a code without '.': those are gateways' assets"
        for asset in settings.assets
        if "." in asset.code
    ]
    wrong += [complaint for asset in settings.assets for complaint in _token_complaints(asset)]
    wrong += _unprovable(settings)
    if settings.hosted_keys_authenticator_delay_s < AUTHENTICATOR_DELAY_S_MIN:
        wrong.append(
            f"hosted_keys_authenticator_delay_s: got {settings.hosted_keys_authenticator_delay_s},"
            f" expected {AUTHENTICATOR_DELAY_S_MIN} at least, so that people can notice"
        )
    if wrong:
        raise SettingsError("; ".join(wrong), {"wrong": wrong})


def _unprovable(settings: Settings) -> list[str]:
    """Proofs that an asset asks for and its network cannot give: deposits would wait for ever."""
    networks = {network.id: network for network in settings.networks}
    wrong = []
    for asset in settings.assets:
        network = networks.get(asset.network)
        if network is None:
            continue
        if (asset.safe_from or asset.finalized_from) and network.family != "evm":
            wrong.append(f"assets: got safe_from or finalized_from for {asset.code}, not on EVM")
        if asset.second_node_from and not network.second_node_url:
            wrong.append(
                f"assets: got second_node_from for {asset.code}, "
                f"but {network.id} has no second_node_url"
            )
    return wrong


def _token_complaints(asset: AssetSettings) -> list[str]:
    """What is wrong with what an asset says of its token."""
    wrong = []
    if asset.token_kind not in list(TokenKind):
        expected = ", ".join(TokenKind)
        wrong.append(f"got token_kind {asset.token_kind[:40]!r}, expected one of {expected}")
    elif asset.token_kind != TokenKind.PLAIN and not asset.balance_check:
        wrong.append(f"got {asset.token_kind} without balance_check, which it needs")
    if asset.code_hash and _HASH.fullmatch(asset.code_hash) is None:
        wrong.append(f"got code_hash {asset.code_hash[:80]!r}, expected 64 hex digits")
    return [f"assets {asset.code}: {complaint}" for complaint in wrong]


class _Reader:
    """Turns plain values into typed ones; keeps all complaints instead of the first."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.wrong: list[str] = []

    def dataclass(self, kind: type[Any], value: object, where: str) -> Any:
        if not isinstance(value, Mapping):
            return self._complain(where, value, "a table")
        hints = get_type_hints(kind)
        known = {field.name: field for field in fields(kind)}
        prefix = f"{where}." if where else ""
        self.wrong += [f"unknown key {prefix}{name}" for name in value if name not in known]
        values = {}
        for name, field in known.items():
            if name in value:
                values[name] = self._value(hints[name], value[name], prefix + name)
            elif field.default is MISSING and field.default_factory is MISSING:
                self.wrong.append(f"missing key {prefix}{name}")
        return None if self.wrong else kind(**values)

    def _value(self, kind: Any, value: object, where: str) -> Any:
        origin = get_origin(kind)
        if origin is tuple:
            return self._items(get_args(kind)[0], value, where)
        if origin in (Union, types.UnionType):
            return self._value(get_args(kind)[0], value, where)
        if origin is not None:
            return (
                dict(value)
                if isinstance(value, Mapping)
                else self._complain(where, value, "a table")
            )
        if is_dataclass(kind):
            return self.dataclass(kind, value, where)  # type: ignore[arg-type]
        return self._plain(kind, value, where)

    def _items(self, kind: Any, value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            self._complain(where, value, "a list")
            return ()
        return tuple(self._value(kind, item, f"{where}[{n}]") for n, item in enumerate(value))

    def _plain(self, kind: Any, value: object, where: str) -> Any:
        if kind is int:
            if isinstance(value, str) and _DIGITS.fullmatch(value):
                return int(value)
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            return value if good else self._complain(where, value, "a whole number")
        if kind is bool:
            return (
                value if isinstance(value, bool) else self._complain(where, value, "true or false")
            )
        if not isinstance(value, str):
            return self._complain(where, value, "a text")
        return self._base.joinpath(value) if kind is Path else value

    def _complain(self, where: str, value: object, expected: str) -> None:
        self.wrong.append(f"{where}: got {str(value)[:40]!r}, expected {expected}")

"""Settings files: read strictly, and every key shown in the example."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from wallet.settings import (
    AssetSettings,
    ConfirmationTier,
    NetworkSettings,
    Settings,
    SignerSettings,
    StaffSettings,
)
from wallet.settings_file import FILE_BYTES_MAX, SettingsError, load_settings, parse_settings

EXAMPLE = ROOT / "config" / "example.toml"
TABLES = (Settings, NetworkSettings, AssetSettings, ConfirmationTier, SignerSettings, StaffSettings)


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))


def refusal(table: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(table, Path("/deployment"))
    assert caught.value.code == "settings.invalid"
    return caught.value.message


def test_example_is_readable() -> None:
    settings = load_settings(EXAMPLE)
    assert settings.policy_file == EXAMPLE.parent / "policies" / "service.toml"
    assert settings.policy_file.is_file()
    assert settings.assets[0].confirmations[1] == ConfirmationTier(
        from_units=100_000_000, confirmations=6
    )
    assert settings.networks[1].fee_units_max == 50_000_000_000_000_000
    assert settings.networks[1].custom["chain_id"] == 31337
    assert settings.signers[1].command == ()


@pytest.mark.parametrize("table", TABLES)
def test_example_shows_every_key(table: type[Any]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = set(
        re.findall(r"(?:^#?\s*|[{,]\s*)\[*([a-z_]+)\]*(?:\s*=|$)", text, flags=re.MULTILINE)
    )
    assert not {field.name for field in dataclasses.fields(table)} - shown


@pytest.mark.parametrize("table", TABLES)
def test_example_shows_defaults_truly(table: type[Any]) -> None:
    """A key behind a # shows the value it has when left out."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for field in dataclasses.fields(table):
        shown = re.findall(rf"^# ({field.name} = .*)$", text, flags=re.MULTILINE)
        for line in shown:
            value = tomllib.loads(line)[field.name]
            factory = field.default_factory
            default = field.default if factory is dataclasses.MISSING else factory()
            assert (tuple(value) if isinstance(value, list) else value) == default


def test_all_mistakes_are_named_at_once() -> None:
    table = example()
    table["api_prot"] = 1
    del table["data_dir"]
    table["api_port"] = "http"
    table["networks"][0]["poll"] = 1
    table["assets"][0]["confirmations"][0]["from"] = 1
    table["assets"][1]["decimals"] = True
    table["signers"][0]["command"] = "glaytos-signer"
    message = refusal(table)
    for wrong in (
        "unknown key api_prot",
        "missing key data_dir",
        "api_port: got 'http', expected a whole number",
        "unknown key networks[0].poll",
        "unknown key assets[0].confirmations[0].from",
        "assets[1].decimals: got 'True', expected a whole number",
        "signers[0].command: got 'glaytos-signer', expected a list",
    ):
        assert wrong in message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("approvals_required", -1),
        ("approvals_required", 1.5),
        ("approvals_required", "1.5"),
        ("approvals_required", "-1"),
        ("approvals_required", "9" * 79),
        ("api_host", 1),
        ("webhooks_private_allowed", "yes"),
        ("vault_files", [1]),
        ("networks", {}),
        ("networks", ["bitcoin"]),
    ],
)
def test_mistyped_value_is_refused(key: str, value: object) -> None:
    assert key in refusal({**example(), key: value})


@pytest.mark.parametrize("key", ["networks", "assets", "signers", "staff"])
def test_a_name_given_twice_is_refused(key: str) -> None:
    table = example()
    table[key].append(table[key][0])
    assert "twice" in refusal(table)


@pytest.mark.parametrize("wrong", ["0x" + "ab" * 32, "AB" * 32, "ab" * 31])
def test_a_start_hash_of_another_shape_is_refused(wrong: str) -> None:
    table = example()
    table["networks"][0]["start_hash"] = "ab" * 32
    parse_settings(table, Path())
    table["networks"][0]["start_hash"] = wrong
    assert "start_hash" in refusal(table)


@pytest.mark.parametrize("key", ["safe_from", "finalized_from"])
def test_finality_tags_are_refused_where_there_are_none(key: str) -> None:
    table = example()
    table["assets"][1][key] = 1
    parse_settings(table, Path())
    table["assets"][0][key] = 1
    assert "BTC" in refusal(table)


def test_a_second_opinion_is_refused_without_a_second_node() -> None:
    table = example()
    table["assets"][0]["second_node_from"] = 1
    assert "second_node_url" in refusal(table)
    table["networks"][0]["second_node_url"] = "http://127.0.0.1:1"
    parse_settings(table, Path())


def test_a_delay_in_which_nobody_notices_is_refused() -> None:
    table = example()
    table["hosted_keys_authenticator_delay_s"] = 3599

    assert "hosted_keys_authenticator_delay_s: got 3599" in refusal(table)


def test_a_code_with_a_dot_is_a_gateways() -> None:
    table = example()
    table["assets"][0]["code"] = "BTC.zurich"
    assert "expected a code without '.'" in refusal(table)


def test_an_asset_of_no_network_is_refused() -> None:
    table = example()
    table["assets"][0]["network"] = "dogecoin"
    assert "unknown network dogecoin" in refusal(table)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"token_kind": "odd"}, "token_kind 'odd'"),
        ({"token_kind": "rebasing", "balance_check": False}, "without balance_check"),
        ({"token_kind": "fee_on_transfer", "balance_check": False}, "without balance_check"),
        ({"code_hash": "0x" + "ab" * 32}, "64 hex digits"),
        ({"code_hash": "AB" * 32}, "64 hex digits"),
    ],
)
def test_a_token_described_against_itself_is_refused(
    changes: dict[str, object], wrong: str
) -> None:
    table = example()
    table["assets"][0].update(changes)
    assert wrong in refusal(table)


def test_units_beyond_toml_integers_are_digits() -> None:
    table = example()
    table["assets"][0]["hot_max"] = "115792089237316195423570985008687907853269984665640564039457"
    settings = parse_settings(table, Path("/deployment"))
    assert settings.assets[0].hot_max == int(table["assets"][0]["hot_max"])


@pytest.mark.parametrize(
    "data", [b"=", b"\xff", b"a = " + b"[" * 5000, b"#" * (FILE_BYTES_MAX + 1)]
)
def test_bytes_that_are_no_settings_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "wallet.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError):
        load_settings(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.toml"):
        load_settings(tmp_path / "no.toml")

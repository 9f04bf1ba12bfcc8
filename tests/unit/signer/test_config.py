"""signer.toml: every key, every mistake, and the example file that documents them."""

import re
from pathlib import Path

import pytest

from signer import config as config_module
from signer.config import ConfigError, load_config
from tests.signer_world import BTC, CONFIG, ETH, POLICY

ROOT = Path(__file__).parents[3]
TOKEN = """
[[networks.tokens]]
code = "DUSD"
contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
decimals = 6
symbol = "DUSD"
"""
DOGE = """
[[networks]]
id = "dogecoin"
asset = "DOGE"
fee_units_max = 1
fee_ppm_max = 1
feerate_max = 1
[networks.utxo]
id = "dogecoin"
native = "DOGE"
p2pkh = 30
p2sh = 22
coin_type = 3
money_sats_max = 1000000000000000000
dust_sats = 1000000
segwit = false
taproot = false
pow = "scrypt"
pow_limit_bits = 504365055
"""


def with_token(text: str) -> str:
    """The configuration with a table added to its EVM network, which is the last one."""
    return CONFIG.replace("nonce_gap_max = 5\n", f"nonce_gap_max = 5\n{text}")


def test_it_says_what_it_says() -> None:
    config = load_config(with_token(TOKEN).encode(), POLICY.encode())

    assert {BTC, "litecoin-regtest", ETH} == set(config.networks)
    assert 31337 == config.networks[ETH].chain_id
    assert 20_000_000_000_000_000 == config.networks[ETH].fee_units_max
    assert 6 == config.networks[ETH].tokens["DUSD"].decimals
    assert (8, 18) == (config.networks[BTC].decimals, config.networks[ETH].decimals)
    assert config.policy.unattended


def test_a_chain_is_added_by_configuration_alone() -> None:
    config = load_config((CONFIG + DOGE).encode(), POLICY.encode())

    params = config.networks["dogecoin"].utxo
    assert params is not None
    assert (30, False) == (params.p2pkh, params.segwit)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("clock_skew_s = 300", "clock_skew = 300"),
        ("clock_skew_s = 300", 'clock_skew_s = "-1"'),
        ("clock_skew_s = 300", "clock_skew_s = true"),
        ("request_lifetime_s_max = 86400", ""),
        ("coordinators = [", "coordinators = ["[:-1] + "[] #"),
        ("coordinators = [", "coordinators = [1,"),
        ("fee_units_max = 50000", ""),
        ("fee_units_max = 50000", "fee_units_max = 1.5"),
        ("fee_units_max = 50000", f'fee_units_max = "{2**256}"'),
        ("inputs_max = 20", "inputs_max = 20\nsurprise = 1"),
        ("gas_limit_max = 500000", ""),
        ('asset = "BTC"', "asset = 1"),
        ('asset = "BTC"', 'asset = ""'),
        ('id = "bitcoin-regtest"', 'id = "dogecoin"'),
        ('id = "bitcoin-regtest"', 'id = "litecoin-regtest"'),
        ('id = "bitcoin-regtest"', 'id = "bit coin"'),
        ('id = "alice"', 'id = "bob"'),
        ('id = "alice"', 'id = "a\\u0000"'),
        ("[[approvers]]", "[approvers]\n[[approvers.x]]"),
        ("clock_skew_s", "clock_skew_s = = 3"),
        ("coordinators = [", 'coordinators = "x" # ['),
        ('[[networks]]\nid = "bitcoin-regtest"', '[[networks]]\nutxo = 1\nid = "dogecoin"'),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old: str, new: str) -> None:
    assert old in CONFIG

    with pytest.raises(ConfigError):
        load_config(CONFIG.replace(old, new, 1).encode(), POLICY.encode())


def test_a_missing_key_is_named() -> None:
    text = CONFIG.replace("request_lifetime_s_max = 86400", "")

    with pytest.raises(ConfigError, match="got no request_lifetime_s_max"):
        load_config(text.encode(), POLICY.encode())


@pytest.mark.parametrize("rows", ["1", "[1]"])
def test_rows_that_are_no_tables_are_refused(rows: str) -> None:
    start = CONFIG.index("[[approvers]]")

    with pytest.raises(ConfigError, match="expected tables"):
        load_config(f"approvers = {rows}\n{CONFIG[:start]}".encode(), POLICY.encode())


def test_two_approvers_of_one_key_are_refused() -> None:
    keys = re.findall(r'key = "([0-9a-f]{64})"', CONFIG)

    with pytest.raises(ConfigError):
        load_config(CONFIG.replace(keys[0], keys[1]).encode(), POLICY.encode())


@pytest.mark.parametrize("key", ["00" * 31, "AB" * 32, "zz" * 32])
def test_keys_of_another_shape_are_refused(key: str) -> None:
    keys = re.findall(r'key = "([0-9a-f]{64})"', CONFIG)

    with pytest.raises(ConfigError):
        load_config(CONFIG.replace(keys[0], key).encode(), POLICY.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('code = "DUSD"', 'code = "ETH"'),
        (
            "0x5FbDB2315678afecb367f032d93F642f64180aa3",
            "0x5fbdb2315678afecb367f032d93f642f64180aa3",
        ),
        ("decimals = 6", ""),
        ('symbol = "DUSD"', 'symbol = "DUSD"\nsurprise = 1'),
    ],
)
def test_a_token_that_is_not_pinned_is_refused(old: str, new: str) -> None:
    with pytest.raises(ConfigError):
        load_config(with_token(TOKEN.replace(old, new)).encode(), POLICY.encode())


def test_tokens_on_a_utxo_network_are_refused() -> None:
    text = CONFIG.replace("change_gap_max = 200\n", f"change_gap_max = 200\n{TOKEN}", 1)

    with pytest.raises(ConfigError):
        load_config(text.encode(), POLICY.encode())


@pytest.mark.parametrize("old", ['pow = "scrypt"', "p2sh = 22"])  # fmt: skip
def test_wrong_chain_parameters_are_refused(old: str) -> None:
    with pytest.raises(ConfigError):
        load_config((CONFIG + DOGE.replace(old, "unknown = 1")).encode(), POLICY.encode())


def test_a_wrong_policy_is_refused() -> None:
    with pytest.raises(ConfigError):
        load_config(CONFIG.encode(), POLICY.replace("version = 1", "version = 2").encode())


@pytest.mark.parametrize("bad", [b"\xff", b"#" * (256 * 1024 + 1), b"a = [" * 5000])
def test_other_bytes_are_refused(bad: bytes) -> None:
    with pytest.raises(ConfigError, match=r"bytes|TOML"):
        load_config(bad, POLICY.encode())


def test_the_example_loads_and_names_every_key() -> None:
    example = (ROOT / "config" / "signer" / "hot.toml").read_text()
    policy = (ROOT / "config" / "policies" / "hot-signer.toml").read_bytes()

    config = load_config(example.encode(), policy)

    assert {"DUSD", "DGLD"} == set(config.networks[ETH].tokens)
    source = Path(config_module.__file__).read_text()
    known = re.findall(r'table\.(?:text|texts|integer|flag|rows|table)\("(\w+)"', source)
    assert len(known) > 20
    for key in known:
        assert re.search(rf"(^|\[|\.|# )\[*{key}\b", example, re.MULTILINE), key

"""Difficulty and time rules: Bitcoin Core's and Litecoin's own cases, and every lie refused."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import NodeError
from chains.headers import HeaderError, TooEarly, TooLate, WrongDifficulty
from chains.types import BlockRef
from chains.utxo.difficulty import RULES, check_header, retargeted, work_of
from chains.utxo.params import BUILTIN, ParamsError, params_from
from chains.utxo.targets import bits_of, target_of
from tests.utxo_world import DOGECOIN

NOW_S = 1_800_000_000
START_S = 1_700_000_000
BITCOIN_BITS = 0x1B0404CB


@pytest.mark.parametrize(
    ("network", "first_s", "last_s", "old_bits", "new_bits"),
    [
        # Bitcoin Core src/test/pow_tests.cpp
        ("bitcoin", 1261130161, 1262152739, 0x1D00FFFF, 0x1D00D86A),
        ("bitcoin", 1231006505, 1233061996, 0x1D00FFFF, 0x1D00FFFF),
        ("bitcoin", 1279008237, 1279297671, 0x1C05A3F4, 0x1C0168FD),
        ("bitcoin", 1263163443, 1269211443, 0x1C387F6F, 0x1D00E1FD),
        # Litecoin src/test/pow_tests.cpp
        ("litecoin", 1358118740, 1358378777, 0x1C0AC141, 0x1C093F8D),
        ("litecoin", 1317972665, 1318480354, 0x1E0FFFF0, 0x1E0FFFFF),
        ("litecoin", 1401682934, 1401757934, 0x1B075CF1, 0x1B01D73C),
        ("litecoin", 1463690315, 1464900315, 0x1B015318, 0x1B054C60),
    ],
)
def test_targets_change_as_the_nodes_own_tests_say(
    network: str, first_s: int, last_s: int, old_bits: int, new_bits: int
) -> None:
    params = BUILTIN[network]

    assert new_bits == retargeted(params, RULES[network], old_bits, last_s - first_s)


@given(st.integers(0, (1 << 256) - 1))
def test_bits_keep_the_three_highest_bytes(target: int) -> None:
    bits = bits_of(target)
    again = target_of(bits)

    assert bits == bits_of(again)
    assert 0 <= target - again
    assert (target - again) << 15 <= target


def test_work_is_what_core_counts() -> None:
    assert 0x100010001 == work_of(0x1D00FFFF)
    assert 2 == work_of(0x207FFFFF)


class Past:
    """Blocks every ten minutes; some other than usual."""

    def __init__(self, bits: int, step_s: int, other: Mapping[int, tuple[int, int]] = {}) -> None:
        self.bits, self.step_s, self.other = bits, step_s, other
        self.asked: list[int] = []

    def __call__(self, height: int) -> BlockRef:
        self.asked.append(height)
        time_s, bits = self.other.get(height, (START_S + height * self.step_s, self.bits))
        return BlockRef(height=height, hash=f"{height:064x}", parent="", time_s=time_s, bits=bits)


def _next(height: int, past: Past, *, bits: int | None = None, after_s: int = 600) -> BlockRef:
    time_s = past(height - 1).time_s + after_s
    past.asked.clear()
    return BlockRef(
        height=height,
        hash=f"{height:064x}",
        parent="",
        time_s=time_s,
        bits=past.bits if bits is None else bits,
    )


def _check(network: str, block: BlockRef, past: Past) -> None:
    check_header(BUILTIN[network], block, past, NOW_S)


def test_target_stays_within_a_period() -> None:
    past = Past(BITCOIN_BITS, 600)
    _check("bitcoin", _next(5000, past), past)

    with pytest.raises(WrongDifficulty, match="expected 1b0404cb"):
        _check("bitcoin", _next(5000, past, bits=0x1D00FFFF), past)


@pytest.mark.parametrize("network", ["bitcoin", "bitcoin-signet", "bitcoin-testnet", "litecoin"])
def test_target_is_made_anew_after_a_period(network: str) -> None:
    past = Past(BITCOIN_BITS, 60)
    blocks_back = 2017 if network == "litecoin" else 2016
    took_s = (blocks_back - 1) * 60
    rules = RULES[BUILTIN[network].difficulty]
    bits = retargeted(BUILTIN[network], rules, BITCOIN_BITS, took_s)
    block = _next(4032, past, bits=bits)
    _check(network, block, past)

    assert 4032 - blocks_back in past.asked
    assert bits != BITCOIN_BITS
    with pytest.raises(WrongDifficulty):
        _check(network, replace(block, bits=BITCOIN_BITS), past)


def test_litecoins_first_period_begins_at_the_first_block() -> None:
    past = Past(0x1E0FFFF0, 150)
    bits = retargeted(BUILTIN["litecoin"], RULES["litecoin"], past.bits, 2015 * 150)
    _check("litecoin", _next(2016, past, bits=bits), past)

    assert 0 in past.asked


def test_regtest_never_changes_its_target() -> None:
    past = Past(0x207FFFFF, 1)
    _check("bitcoin-regtest", _next(2016, past, after_s=1), past)

    with pytest.raises(WrongDifficulty):
        _check("bitcoin-regtest", _next(2016, past, bits=0x207FFFFE, after_s=1), past)


def test_testnet_allows_an_easy_block_after_twice_the_usual_time_only() -> None:
    past = Past(BITCOIN_BITS, 600)
    easy = BUILTIN["bitcoin-testnet"].pow_limit_bits
    _check("bitcoin-testnet", _next(5000, past, bits=easy, after_s=1201), past)

    with pytest.raises(WrongDifficulty):
        _check("bitcoin-testnet", _next(5000, past, bits=easy, after_s=1200), past)
    with pytest.raises(WrongDifficulty):
        _check("bitcoin", _next(5000, past, bits=easy, after_s=1201), past)


def test_testnet_goes_back_to_the_real_target_behind_easy_blocks() -> None:
    easy = BUILTIN["bitcoin-testnet"].pow_limit_bits
    slow = {height: (START_S + height * 600, easy) for height in (4997, 4998, 4999)}
    past = Past(BITCOIN_BITS, 600, slow)
    _check("bitcoin-testnet", _next(5000, past), past)

    with pytest.raises(WrongDifficulty):
        _check("bitcoin-testnet", _next(5000, past, bits=easy), past)


def test_testnet4_makes_its_target_from_the_first_block_of_the_period() -> None:
    easy = BUILTIN["bitcoin-testnet4"].pow_limit_bits
    past = Past(BITCOIN_BITS, 600, {4031: (START_S + 4031 * 600, easy)})
    rules = RULES["bitcoin-testnet4"]
    bits = retargeted(BUILTIN["bitcoin-testnet4"], rules, BITCOIN_BITS, 2015 * 600)
    _check("bitcoin-testnet4", _next(4032, past, bits=bits), past)

    with pytest.raises(WrongDifficulty):
        _check("bitcoin-testnet", _next(4032, past, bits=bits), past)


def test_testnet4_periods_cannot_warp_time() -> None:
    # Not below the median, but more than ten minutes before its parent.
    past = Past(BITCOIN_BITS, 600)
    bits = retargeted(BUILTIN["bitcoin"], RULES["bitcoin"], BITCOIN_BITS, 2015 * 600)
    block = _next(4032, past, bits=bits, after_s=-601)
    _check("bitcoin", block, past)

    with pytest.raises(TooEarly):
        _check("bitcoin-testnet4", block, past)
    _check("bitcoin-testnet4", replace(block, time_s=block.time_s + 1), past)


def test_time_is_above_the_median_of_eleven() -> None:
    past = Past(BITCOIN_BITS, 600)
    median_s = past(4994).time_s
    block = _next(5000, past)
    _check("bitcoin", replace(block, time_s=median_s + 1), past)

    with pytest.raises(TooEarly):
        _check("bitcoin", replace(block, time_s=median_s), past)


def test_the_first_blocks_have_fewer_before_them() -> None:
    past = Past(0x207FFFFF, 1)
    _check("bitcoin-regtest", _next(1, past, after_s=1), past)
    _check("bitcoin-regtest", past(0), past)

    with pytest.raises(TooEarly):
        _check("bitcoin-regtest", _next(1, past, after_s=0), past)


def test_time_is_at_most_two_hours_ahead() -> None:
    past = Past(BITCOIN_BITS, 600)
    block = replace(_next(5000, past), time_s=NOW_S + 7200)
    _check("bitcoin", block, past)

    with pytest.raises(TooLate):
        _check("bitcoin", replace(block, time_s=NOW_S + 7201), past)


def test_unknown_rules_still_rule_out_times() -> None:
    params = params_from(DOGECOIN)
    past = Past(BITCOIN_BITS, 60)
    check_header(params, _next(5000, past, bits=0x1E0FFFFF), past, NOW_S)

    with pytest.raises(TooEarly):
        check_header(params, _next(5000, past, after_s=-600), past, NOW_S)


def test_configured_chains_name_known_rules() -> None:
    assert "litecoin" == params_from({**DOGECOIN, "difficulty": "litecoin"}).difficulty
    with pytest.raises(ParamsError, match="difficulty"):
        params_from({**DOGECOIN, "difficulty": "digishield"})


def test_each_lie_has_its_own_code() -> None:
    kinds = HeaderError.__subclasses__()

    assert len(kinds) == len({kind.code for kind in kinds})
    assert all(issubclass(kind, NodeError) for kind in kinds)

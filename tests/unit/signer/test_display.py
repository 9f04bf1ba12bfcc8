"""What a person reads: complete, grouped, and without anything a terminal would obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.display import amount, grouped
from signer.home import Home
from signer.protocol import check_words, clean
from tests.signer_world import (
    BTC,
    CUSTOMER,
    ETH,
    a_psbt,
    a_request,
    an_approval,
    an_evm_withdrawal,
    an_intent,
    engine,
    sealed,
)


@given(st.text())
def test_nothing_a_terminal_obeys_gets_through(text: str) -> None:
    shown = clean(text)

    assert shown.isprintable()
    assert len(text) == len(shown)


@pytest.mark.parametrize(
    "bad", ["\x1b[2J", "\r", "\n", "\u202e", "\u200b", "\x9b", "\u2028", "\x00"]
)
def test_control_characters_are_replaced(bad: str) -> None:
    assert bad not in clean(f"a{bad}b")
    assert "?" in clean(f"a{bad}b")


def test_other_writing_is_kept() -> None:
    assert "金庫 保管" == clean("金庫 保管")


def test_an_address_is_shown_whole() -> None:
    assert CUSTOMER == grouped(CUSTOMER).replace(" ", "")
    assert "bcrt 1qqq" == grouped(CUSTOMER)[:9]


def test_check_words_are_six_and_follow_the_digest() -> None:
    words = check_words(bytes(32))

    assert "abandon abandon abandon abandon abandon abandon" == words
    assert "zoo zoo zoo zoo zoo zoo" == check_words(b"\xff" * 32)
    assert words != check_words(bytes(7) + b"\x01" + bytes(24))


def test_amounts_are_in_coin_and_base_units(hot: Home) -> None:
    assert "1.5 BTC (150000000)" == amount(150_000_000, hot.networks[BTC], "BTC")
    assert "0.000000000000000001 ETH (1)" == amount(1, hot.networks[ETH], "ETH")


def test_a_review_says_everything(hot: Home) -> None:
    intent = an_intent(requester="ser\x1b[31mvice")
    approvals = (an_approval("alice", intent), an_approval("carol", intent))
    request = a_request(a_psbt(hot, intent), intent, approvals=approvals)

    lines = engine(hot).review(sealed(request)).lines

    assert [
        "WITHDRAWAL of BTC on bitcoin-regtest from bitcoin-hot",
        "pays 1 BTC (100000000)",
        f"  to {grouped(CUSTOMER)} [OUTSIDE]",
        "change 0.49995 BTC (49995000)",
    ] == list(lines[:4])
    assert lines[4].endswith(" [1/1]")
    assert "in all 1 BTC (100000000)" == lines[5]
    assert "fee at most 0.00005 BTC (5000), 0.005 %, 26.456 sat/vB, 189 vB" == lines[6]
    assert "intent w1: asked by ser?[31mvice, approved by alice, carol" == lines[7]
    assert f"  check words: {check_words(intent.digest)}" == lines[8]
    assert all(line.isprintable() for line in lines)


def test_an_evm_review_shows_nonce_and_gas(hot: Home) -> None:
    lines = engine(hot).review(sealed(an_evm_withdrawal(hot, nonce=3))).lines

    assert (
        "fee at most 0.00063 ETH (630000000000000), 0.063 %, 30000000000 wei/gas, 21000 gas"
        in lines
    )
    assert any(line.startswith("nonce 3 of 0x") for line in lines)

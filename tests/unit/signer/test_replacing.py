"""An intent is signed again only in bytes that conflict with all that was signed for it before."""

import tomllib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from chains.evm.transactions import UnsignedTx
from chains.utxo.coins import Coin
from policies.loader import load_policy
from signer import log as log_module
from signer.audit import audit
from signer.errors import Refused
from signer.guards import replacing
from signer.home import Home
from signer.log import LogKind
from signer.protocol import Kind, Payee, Result, SignRequest
from signer.replay import replay
from tests.removal import Site, sites
from tests.signer_world import (
    BTC,
    CUSTOMER,
    ETH,
    NOW_S,
    POLICY,
    World,
    a_psbt,
    a_request,
    an_evm_withdrawal,
    an_intent,
    answer_of,
    coin,
    engine,
    sealed,
    utxo_vault,
)

FLOW = (BTC, "BTC", "bitcoin-hot", "withdrawal")
UNITS = 100_000_000


def asked(home: Home, request: SignRequest, now_s: int = NOW_S) -> str:
    """The exact code of a refusal, or "signed"."""
    answer = answer_of(engine(home, now_s).sign(sealed(request)), home)
    if answer.result is Result.SIGNED:
        return "signed"
    assert answer.signatures == ()
    copy = log_module.Log(home.path / "log", home.path / "mark")
    found = list(copy.replay())
    copy.close()
    return str(found[-1].data["code"])


def coins(home: Home, *salts: str) -> list[Coin]:
    """Coins of the hot vault, 1.5 BTC each."""
    return [coin(utxo_vault(home, "bitcoin-hot"), 150_000_000, salt=salt) for salt in salts]


def version(
    home: Home, name: str, spent: Sequence[Coin], fee_sats: int, **changes: object
) -> SignRequest:
    """One more set of bytes for the intent w1."""
    payload = a_psbt(home, an_intent("w1"), spent, fee_sats=fee_sats)
    return a_request(payload, an_intent("w1"), request_id=name, **changes)


def test_a_replacement_of_the_same_coin_at_a_higher_fee_is_signed(hot: Home) -> None:
    assert "signed" == asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    assert "signed" == asked(hot, version(hot, "second", coins(hot, "a"), 8_000))
    assert "signed" == asked(hot, version(hot, "third", coins(hot, "a", "b"), 9_100))


def test_other_coins_are_a_second_payment(hot: Home) -> None:
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))

    assert "replacement.no_conflict" == asked(hot, version(hot, "2", coins(hot, "b"), 8_000))


def test_it_must_conflict_with_every_earlier_version(hot: Home) -> None:
    """The third shares a coin with the second only: it could be mined beside the first."""
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    asked(hot, version(hot, "second", coins(hot, "a", "b"), 8_000))

    assert "replacement.no_conflict" == asked(hot, version(hot, "3", coins(hot, "b"), 9_100))


@pytest.mark.parametrize("fee_sats", [5_000, 7_999, 8_000])
def test_it_must_pay_more_than_every_earlier_version(hot: Home, fee_sats: int) -> None:
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    asked(hot, version(hot, "second", coins(hot, "a"), 8_000))

    assert "replacement.fee" == asked(hot, version(hot, "third", coins(hot, "a"), fee_sats))


def test_the_intents_ceiling_holds_for_a_replacement(hot: Home) -> None:
    intent = an_intent("w1", fee_units_max=6_000)
    first = a_psbt(hot, intent, coins(hot, "a"), fee_sats=5_000)
    asked(hot, a_request(first, intent, request_id="first"))
    second = a_psbt(hot, intent, coins(hot, "a"), fee_sats=6_001)

    assert "fee.intent" == asked(hot, a_request(second, intent, request_id="second"))


def test_one_of_a_batch_is_not_paid_alone(hot: Home) -> None:
    batch = (an_intent("w1"), an_intent("w2"))
    both = an_intent("w1", payees=tuple(p for intent in batch for p in intent.payees))
    payload = a_psbt(hot, both, [coin(utxo_vault(hot, "bitcoin-hot"), 300_000_000, salt="a")])
    assert "signed" == asked(hot, a_request(payload, *batch, request_id="first"))
    alone = a_psbt(
        hot,
        an_intent("w1"),
        [coin(utxo_vault(hot, "bitcoin-hot"), 300_000_000, salt="a")],
        fee_sats=8_000,
    )

    assert "replacement.payees" == asked(
        hot, a_request(alone, an_intent("w1"), request_id="second")
    )


def test_a_signed_intent_joins_no_batch(hot: Home) -> None:
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    more = an_intent("w2", payees=(Payee(address=CUSTOMER, units=10_000_000),))
    both = an_intent("w1", payees=(*an_intent("w1").payees, *more.payees))
    payload = a_psbt(hot, both, coins(hot, "a"), fee_sats=8_000)

    assert "replacement.payees" == asked(
        hot, a_request(payload, an_intent("w1"), more, request_id="second")
    )


def test_the_rule_survives_a_restart(world: World) -> None:
    home = world.open("hot")
    asked(home, version(home, "first", coins(home, "a"), 5_000))
    home.close()

    home = world.open("hot")
    assert "replacement.no_conflict" == asked(home, version(home, "2", coins(home, "b"), 8_000))
    assert "replacement.fee" == asked(home, version(home, "3", coins(home, "a"), 5_000))
    assert "signed" == asked(home, version(home, "4", coins(home, "a"), 8_000))
    home.close()
    audit(world.root / "hot", None)


def test_windows_count_a_replaced_payment_once(hot: Home) -> None:
    """The policy allows 6 BTC an hour: five other payments, and one that is replaced."""
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    for name in ("b", "c", "d", "e", "f"):
        other = an_intent(name)
        assert "signed" == asked(hot, a_request(a_psbt(hot, other), other, request_id=name))
    assert 6 * UNITS == hot.state.spent_units(FLOW, 3600, NOW_S)

    assert "signed" == asked(hot, version(hot, "second", coins(hot, "a"), 8_000))
    assert "signed" == asked(hot, version(hot, "third", coins(hot, "a"), 9_100))
    assert 6 * UNITS == hot.state.spent_units(FLOW, 3600, NOW_S)
    assert "policy.caps.window" == asked(
        hot, a_request(a_psbt(hot, an_intent("g")), an_intent("g"))
    )


def test_a_replayed_log_counts_it_once_too(hot: Home) -> None:
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    asked(hot, version(hot, "second", coins(hot, "a"), 8_000))
    copy = log_module.Log(hot.path / "log", hot.path / "mark")
    records = [one for one in copy.replay() if one.kind is LogKind.SIGNED]
    copy.close()
    tight = POLICY.replace("units_max = 600000000 }", "units_max = 100000000 }")
    policy = load_policy(tomllib.loads(tight))

    assert ["", ""] == [verdict.code for verdict in replay(records, policy)]


def evm_version(home: Home, name: str, nonce: int, max_fee_wei: int) -> SignRequest:
    made = an_evm_withdrawal(home, "e1", nonce=nonce)
    tx = replace(UnsignedTx.decode(made.payload), max_fee_wei=max_fee_wei)
    return replace(made, request_id=name, payload=tx.encode())


def test_an_account_replaces_under_the_same_nonce_only(hot: Home) -> None:
    assert "signed" == asked(hot, evm_version(hot, "first", 4, 30 * 10**9))
    assert "signed" == asked(hot, evm_version(hot, "second", 4, 33 * 10**9))

    assert "replacement.no_conflict" == asked(hot, evm_version(hot, "third", 5, 40 * 10**9))
    assert "nonce.replacement_fee" == asked(hot, evm_version(hot, "fourth", 4, 33 * 10**9))
    assert 10**18 == hot.state.spent_units((ETH, "ETH", "ethereum-hot", "withdrawal"), 60, NOW_S)


def test_a_log_from_before_replacements_lets_nothing_be_replaced(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(type(hot.state), "_keep_bytes", lambda *_: None)
        asked(hot, version(hot, "first", coins(hot, "a"), 5_000))

    assert "intent.already_signed" == asked(hot, version(hot, "second", coins(hot, "a"), 8_000))


def test_a_kind_that_no_chain_takes_once_is_never_replaced(hot: Home) -> None:
    first = version(hot, "first", coins(hot, "a"), 5_000)
    asked(hot, first)
    with pytest.raises(Refused, match="again"):
        replacing.check_again(replace(first, kind=Kind.SAFE_TX), hot.state)


@pytest.mark.parametrize("site", list(sites("signer.guards.replacing")), ids=str)
def test_each_check_taken_out_lets_something_through(
    hot: Home, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(hot, version(hot, "first", coins(hot, "a"), 5_000))
    other_text = replace(an_intent("w1"), requester="somebody")
    tries = {
        "intent.already_signed": a_request(
            a_psbt(hot, other_text, coins(hot, "a"), fee_sats=8_000), other_text, request_id="t"
        ),
        "replacement.payees": a_request(
            a_psbt(
                hot,
                an_intent("w1", payees=(*an_intent("w1").payees, Payee(address=CUSTOMER, units=9))),
                coins(hot, "a"),
                fee_sats=8_000,
            ),
            an_intent("w1"),
            an_intent("w2", payees=(Payee(address=CUSTOMER, units=9),)),
            request_id="t",
        ),
        "replacement.no_conflict": version(hot, "t", coins(hot, "b"), 8_000),
        "replacement.fee": version(hot, "t", coins(hot, "a"), 5_000),
    }
    request = tries[site.code]
    with pytest.raises(Refused) as refused:
        engine(hot).review(sealed(request))
    assert refused.value.code == site.code

    monkeypatch.setattr(site.target(), "__code__", site.without())
    engine(hot).review(sealed(request))

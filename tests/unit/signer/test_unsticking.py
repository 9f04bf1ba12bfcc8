"""Freeing a nonce: nobody is paid, fees are bounded, and what is shut out stays signed once."""

from dataclasses import replace
from typing import Any

import pytest

from chains.evm.transactions import UnsignedTx
from signer.errors import Refused
from signer.home import Home
from signer.protocol import Kind, Payee, Purpose, SignRequest
from tests.removal import Site, sites
from tests.signer_world import (
    CONFIG,
    CUSTOMER_EVM,
    ETH,
    NOW_S,
    POLICY,
    a_psbt,
    an_evm_withdrawal,
    an_intent,
    engine,
    sealed,
)
from tests.unit.signer.test_replacing import asked

GWEI = 10**9
FEE_MAX = 2 * 10**15
RULE = f"""
[[payments]]
network = "{ETH}"
asset = "ETH"
purposes = ["unstick"]
order_units_max = "{FEE_MAX}"
tx_units_max = "{FEE_MAX}"
windows = [{{ seconds = 3600, units_max = "{2 * FEE_MAX}" }}]
tiers = [{{ from_units = 0, approvals = 0 }}]
"""


@pytest.fixture
def ready(hot: Home) -> Home:
    """A hot signer whose policy has a rule for stuck nonces, and that signed nonce 4."""
    hot.configure(CONFIG.encode(), (POLICY + RULE).encode(), NOW_S)
    assert "signed" == asked(hot, an_evm_withdrawal(hot, "e1", nonce=4))
    return hot


def freeing(home: Home, name: str, nonce: int = 4, gwei: int = 50, **changes: Any) -> SignRequest:
    """Use up a nonce of the hot account."""
    made = an_evm_withdrawal(home, name, nonce=nonce)
    sender = made.sender
    assert sender is not None
    intent = replace(made.intents[0], purpose=Purpose.UNSTICK, payees=())
    tx = replace(
        UnsignedTx.decode(made.payload),
        to=bytes.fromhex(sender.address[2:]),
        value_wei=0,
        max_fee_wei=gwei * GWEI,
        **changes,
    )
    return replace(made, payload=tx.encode(), intents=(intent,), request_id=f"free-{name}")


def test_a_payment_is_dropped_and_then_never_signed_again(ready: Home) -> None:
    assert "signed" == asked(ready, freeing(ready, "f1"))
    again = an_evm_withdrawal(ready, "e1", nonce=4)
    dearer = replace(UnsignedTx.decode(again.payload), max_fee_wei=90 * GWEI)

    bump = replace(again, payload=dearer.encode(), request_id="bump")
    assert "nonce.used" == asked(ready, bump)
    elsewhere = replace(dearer, nonce=5)
    moved = replace(again, payload=elsewhere.encode(), request_id="moved")
    assert "replacement.no_conflict" == asked(ready, moved)


def test_a_hole_below_the_highest_nonce_is_filled(ready: Home) -> None:
    assert "signed" == asked(ready, freeing(ready, "f1", nonce=2))
    assert 4 == ready.state.last_nonce(ETH, ready.vaults["ethereum-hot"].vault.address_text(0))


def test_it_is_bumped_like_a_payment(ready: Home) -> None:
    assert "signed" == asked(ready, freeing(ready, "f1", gwei=50))
    higher = replace(freeing(ready, "f1", gwei=60), request_id="higher")
    assert "signed" == asked(ready, higher)


def test_fees_are_bounded_by_the_policys_windows(ready: Home) -> None:
    assert "signed" == asked(ready, freeing(ready, "f1", nonce=1, gwei=90))
    assert "signed" == asked(ready, freeing(ready, "f2", nonce=2, gwei=90))
    assert "policy.unstick.window" == asked(ready, freeing(ready, "f3", nonce=3, gwei=90))


def test_without_a_rule_nothing_is_spent(hot: Home) -> None:
    asked(hot, an_evm_withdrawal(hot, "e1", nonce=4))
    assert "policy.unstick.no_rule" == asked(hot, freeing(hot, "f1"))


def refused(home: Home) -> dict[str, SignRequest]:
    """One request for each check that refuses it."""
    good = freeing(home, "f1")
    intent = good.intents[0]
    payee = Payee(address=CUSTOMER_EVM, units=1)
    paying = replace(intent, payees=(payee,))
    other = replace(intent, intent_id="f9")
    return {
        "intent.unstick pays": replace(good, intents=(paying,)),
        "intent.unstick two": replace(good, intents=(intent, other)),
        "unstick.call to": replace(
            good, payload=_changed(good, to=bytes.fromhex(CUSTOMER_EVM[2:]))
        ),
        "unstick.call value": replace(good, payload=_changed(good, value_wei=1)),
        "unstick.call data": replace(good, payload=_changed(good, data=b"\x01")),
        "nonce.replacement_fee": freeing(home, "f1", gwei=30),
        "nonce.gap": freeing(home, "f1", nonce=11),
        "fee.rate": freeing(home, "f1", gwei=201),
        "policy.unstick.fee": freeing(home, "f1", gwei=96),
    }


def _changed(request: SignRequest, **changes: Any) -> bytes:
    return replace(UnsignedTx.decode(request.payload), **changes).encode()


def code(home: Home, request: SignRequest) -> str:
    try:
        engine(home).review(sealed(request))
    except Refused as error:
        return error.code
    return ""


def test_everything_else_is_refused(ready: Home) -> None:
    for name, request in refused(ready).items():
        assert name.split()[0] == code(ready, request), name


def test_coins_have_no_nonce(ready: Home) -> None:
    intent = an_intent("f1", purpose=Purpose.UNSTICK, payees=())
    made = freeing(ready, "f1")
    payload = a_psbt(ready, an_intent("f1"))
    request = replace(
        made,
        kind=Kind.PSBT,
        network=intent.network,
        source=intent.source,
        payload=payload,
        intents=(intent,),
        sender=None,
    )
    assert "intent.unstick" == code(ready, request)


GUARDED = [
    site
    for module in ("signer.guards.unsticking", "signer.guards.evm_nonces")
    for site in sites(module)
    if site.module.endswith("unsticking") or site.function == "check_freed_nonce"
]


@pytest.mark.parametrize("site", [s for s in GUARDED if s.code != "unstick.asset"], ids=str)
def test_each_check_taken_out_lets_something_through(
    ready: Home, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = next(r for name, r in refused(ready).items() if name.split()[0] == site.code)
    assert site.code == code(ready, request)
    monkeypatch.setattr(site.target(), "__code__", site.without())
    assert site.code != code(ready, request)


def test_a_tokens_intent_frees_no_nonce(ready: Home) -> None:
    made = freeing(ready, "f1")
    intent = replace(made.intents[0], asset="DUSD")
    tokens = CONFIG.replace(
        "nonce_gap_max = 5\n",
        'nonce_gap_max = 5\ntokens = [{ code = "DUSD", decimals = 6, symbol = "DUSD", '
        'contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3" }]\n',
    )
    ready.configure(tokens.encode(), (POLICY + RULE).encode(), NOW_S)
    assert "unstick.asset" == code(ready, replace(made, intents=(intent,)))

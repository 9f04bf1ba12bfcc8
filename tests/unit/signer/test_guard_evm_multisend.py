"""Several payments of a Safe in one transaction: each is read as if it stood alone."""

from dataclasses import replace

import pytest

from chains.evm import abi, erc20
from chains.evm.addresses import checksum, from_text
from chains.evm.multisend import ITEMS_MAX, MULTI_SEND, MultiSendItem, multisend_calldata
from chains.evm.safe import SafeTx
from chains.evm.safe_contracts import RELEASES
from signer.errors import Refused
from signer.guards.facts import Owner
from signer.guards.safe import check_safe_tx
from signer.protocol import Intent, Kind, Payee, Purpose, SignRequest
from tests.evm_world import (
    COLD,
    CUSTOMER,
    DUSD,
    ETHER,
    HOT,
    SAFE,
    SAFE_VAULT,
    a_context,
    a_request,
    a_safe_tx,
    an_intent,
)

PINNED = from_text(RELEASES["1.4.1"].multisend)
OTHER = b"\x77" * 20
FIRST = MultiSendItem(to=CUSTOMER, value_wei=ETHER)
SECOND = MultiSendItem(to=OTHER, value_wei=2 * ETHER)


def a_multisend(*items: MultiSendItem, **changes: object) -> SafeTx:
    fields: dict[str, object] = {
        "to": PINNED,
        "value_wei": 0,
        "operation": 1,
        "data": multisend_calldata(items or (FIRST, SECOND)),
    }
    return a_safe_tx(**{**fields, **changes})


def payees(*pairs: tuple[bytes, int]) -> tuple[Payee, ...]:
    return tuple(Payee(address=checksum(to), units=units) for to, units in pairs)


def cold_intent(**changes: object) -> Intent:
    fields: dict[str, object] = {
        "source": "ethereum-cold",
        "payees": payees((CUSTOMER, ETHER), (OTHER, 2 * ETHER)),
    }
    return an_intent(**{**fields, **changes})  # type: ignore[arg-type]


def request_of(tx: SafeTx, *intents: Intent) -> SignRequest:
    return a_request(
        tx.encode(),
        *(intents or (cold_intent(),)),
        source="ethereum-cold",
        kind=Kind.SAFE_TX,
        sender=None,
    )


def code_of(request: SignRequest) -> str:
    with pytest.raises(Refused) as caught:
        check_safe_tx(request, a_context())
    return caught.value.code


def test_every_payment_of_a_multisend_is_told() -> None:
    tx = a_multisend()

    facts = check_safe_tx(request_of(tx), a_context())

    assert (3 * ETHER, "ETH") == (facts.units, facts.asset)
    assert [Owner.NONE] * 2 == [payee.owner for payee in facts.payees]
    shown = "\n".join(facts.notes)
    for part in ("2 payments", checksum(CUSTOMER), checksum(OTHER), tx.safe_tx_hash.hex()):
        assert part in shown


def test_the_payments_may_be_of_several_intents() -> None:
    intents = (
        cold_intent(payees=payees((OTHER, 2 * ETHER))),
        cold_intent(intent_id="i-2", payees=payees((CUSTOMER, ETHER))),
    )

    facts = check_safe_tx(request_of(a_multisend(), *intents), a_context())

    assert {"i-1", "i-2"} == {payee.intent_id for payee in facts.payees}


def test_tokens_in_a_multisend_name_their_contract() -> None:
    items = [
        MultiSendItem(to=DUSD, value_wei=0, data=erc20.transfer_calldata(to, units))
        for to, units in ((CUSTOMER, 5), (OTHER, 6))
    ]
    intent = cold_intent(asset="DUSD", payees=payees((CUSTOMER, 5), (OTHER, 6)))

    facts = check_safe_tx(request_of(a_multisend(*items), intent), a_context())

    assert ("DUSD", 11) == (facts.asset, facts.units)
    assert checksum(DUSD) in "\n".join(facts.notes)


@pytest.mark.parametrize("version", ["1.3.0", "1.5.0"])
def test_each_release_has_its_own_multisend(version: str) -> None:
    context = a_context(HOT, replace(COLD, vault=replace(SAFE_VAULT, version=version)))
    tx = a_multisend(to=from_text(RELEASES[version].multisend))

    assert 2 == len(check_safe_tx(request_of(tx), context).payees)
    with pytest.raises(Refused, match="delegatecall"):
        check_safe_tx(request_of(a_multisend()), context)


def packed(data: bytes) -> SafeTx:
    return a_multisend(data=MULTI_SEND + abi.word(32) + abi.tail(data))


def item(**changes: object) -> SafeTx:
    return a_multisend(FIRST, replace(SECOND, **changes))  # type: ignore[arg-type]


GOOD = FIRST.encode() + SECOND.encode()


@pytest.mark.parametrize(
    ("tx", "code"),
    [
        (a_multisend(to=OTHER), "safe.delegatecall"),
        (a_multisend(to=from_text(RELEASES["1.3.0"].multisend)), "safe.delegatecall"),
        (a_multisend(operation=2), "safe.delegatecall"),
        (a_multisend(operation=0), "evm.unknown_selector"),
        (a_multisend(value_wei=1), "multisend.value"),
        (a_multisend(gas_price_wei=1), "safe.gas"),
        (a_multisend(refund_receiver=CUSTOMER), "safe.refund"),
        (a_multisend(data=b""), "multisend.calldata"),
        (
            a_multisend(data=b"\x8d\x80\xff\x0b" + abi.word(32) + abi.tail(GOOD)),
            "multisend.calldata",
        ),
        (a_multisend(data=multisend_calldata([FIRST]) + bytes(32)), "multisend.calldata"),
        (a_multisend(data=multisend_calldata([FIRST])[:-1]), "multisend.calldata"),
        (
            a_multisend(data=MULTI_SEND + abi.word(64) + bytes(32) + abi.tail(GOOD)),
            "multisend.calldata",
        ),
        (packed(b""), "multisend.items"),
        (a_multisend(*[replace(FIRST, value_wei=1)] * (ITEMS_MAX + 1)), "multisend.items"),
        (packed(GOOD + b"\x00"), "multisend.packing"),
        (packed(GOOD[:-1]), "multisend.packing"),
        (packed(FIRST.encode()[:-32] + abi.word(1)), "multisend.packing"),
        (packed(FIRST.encode()[:-32] + b"\xff" * 32), "multisend.packing"),
        (item(operation=1), "multisend.inner_operation"),
        (item(operation=255), "multisend.inner_operation"),
        (item(to=SAFE), "multisend.self_call"),
        (
            item(to=SAFE, value_wei=0, data=bytes.fromhex("694e80c3") + abi.word(1)),
            "multisend.self_call",
        ),
        (item(to=bytes(20)), "multisend.self_call"),
        (item(to=PINNED), "multisend.nested"),
        (item(value_wei=0, data=multisend_calldata([FIRST])), "multisend.nested"),
        (item(value_wei=0, data=b"\x01\x02\x03\x04"), "evm.unknown_selector"),
        (item(to=DUSD, value_wei=0, data=bytes.fromhex("095ea7b3") + bytes(64)), "evm.approve"),
        (item(to=OTHER, value_wei=0, data=erc20.transfer_calldata(OTHER, 5)), "evm.unlisted_token"),
        (item(to=DUSD, value_wei=0, data=erc20.transfer_calldata(OTHER, 5)), "intent.asset"),
        (item(value_wei=0), "evm.zero_units"),
        (item(value_wei=2 * ETHER + 1), "payees.mismatch"),
        (item(to=CUSTOMER), "payees.mismatch"),
        (a_multisend(FIRST), "intent.count"),
        (a_multisend(FIRST, SECOND, SECOND), "intent.count"),
        (a_multisend(FIRST, FIRST), "payees.mismatch"),
    ],
)
def test_multisends_that_are_not_the_payments(tx: SafeTx, code: str) -> None:
    assert code == code_of(request_of(tx))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": Purpose.REFILL}, "purpose.wrong_payee"),
        ({"purpose": Purpose.GOVERNANCE}, "purpose.wrong_payee"),
        ({"source": "ethereum-hot"}, "intent.source"),
        ({"network": "ethereum"}, "intent.network"),
        ({"call": b"\x01"}, "intent.call"),
    ],
)
def test_intents_that_a_multisend_does_not_fulfil(changes: dict[str, object], code: str) -> None:
    assert code == code_of(request_of(a_multisend(), cold_intent(**changes)))


def test_intents_of_two_purposes_do_not_mix() -> None:
    intents = (
        cold_intent(payees=payees((OTHER, 2 * ETHER))),
        cold_intent(intent_id="i-2", purpose=Purpose.REFILL, payees=payees((CUSTOMER, ETHER))),
    )

    assert "intent.mixed" == code_of(request_of(a_multisend(), *intents))

"""The guard of Safe transactions: what passes, and one test for every refusal."""

from dataclasses import replace

import pytest

from chains.evm import erc20
from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx
from chains.evm.safe_typed_data import typed_data_of
from signer.errors import Refused
from signer.guards import safe as safe_guard
from signer.guards.facts import GuardContext, Owner
from signer.guards.safe import check_safe_tx
from signer.protocol import Intent, Kind, Purpose, SignRequest
from tests.evm_world import (
    CHAIN_ID,
    COLD,
    CUSTOMER,
    DUSD,
    ETHER,
    HOT,
    HOT_KEY,
    HOT_VAULT,
    NETWORK,
    PEOPLE,
    RULES,
    SAFE,
    SAFE_VAULT,
    a_context,
    a_request,
    a_safe_tx,
    an_intent,
)


def refill(payee: bytes = HOT_VAULT.address, units: int = ETHER, **changes: object) -> Intent:
    fields: dict[str, object] = {"purpose": Purpose.REFILL, "source": "ethereum-cold"}
    return an_intent(payee, units, **{**fields, **changes})  # type: ignore[arg-type]


def request_of(tx: SafeTx, *intents: Intent, **changes: object) -> SignRequest:
    fields: dict[str, object] = {
        "source": "ethereum-cold",
        "kind": Kind.SAFE_TX,
        "sender": None,
    }
    return a_request(tx.encode(), *(intents or (refill(),)), **{**fields, **changes})


def code_of(request: SignRequest, context: GuardContext | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_safe_tx(request, context or a_context())
    return caught.value.code


def test_a_refill_is_told_as_it_is() -> None:
    tx = a_safe_tx()

    facts = check_safe_tx(request_of(tx), a_context())

    assert (Purpose.REFILL, "ETH", ETHER) == (facts.purpose, facts.asset, facts.units)
    assert (Owner.HOT, HOT_KEY.address()) == (facts.payees[0].owner, facts.payees[0].address)
    assert 0 == facts.fee_units
    assert (checksum(SAFE), 3) == facts.nonce
    shown = "\n".join(facts.notes)
    for part in (tx.safe_tx_hash, tx.domain_hash, tx.message_hash):
        assert part.hex() in shown
    assert "REPLACES" not in shown


@pytest.mark.parametrize("person", PEOPLE)
def test_each_owner_signs_with_its_own_key(person: object) -> None:
    own = person.own  # type: ignore[attr-defined]
    context = a_context(HOT, replace(COLD, own=own))

    job = check_safe_tx(request_of(a_safe_tx()), context).jobs[0]

    assert person.address() == checksum(job.answer_key)  # type: ignore[attr-defined]
    assert (*own.path, 0, 0) == job.path
    assert a_safe_tx().safe_tx_hash == job.digest


def test_a_token_withdrawal_from_cold_names_the_token() -> None:
    tx = a_safe_tx(to=DUSD, value_wei=0, data=erc20.transfer_calldata(CUSTOMER, 9))
    intent = refill(CUSTOMER, 9, purpose=Purpose.WITHDRAWAL, asset="DUSD")

    facts = check_safe_tx(request_of(tx, intent), a_context())

    assert ("DUSD", 9, Owner.NONE) == (facts.asset, facts.units, facts.payees[0].owner)
    assert checksum(DUSD) in "\n".join(facts.notes)


@pytest.mark.parametrize(
    ("tx", "code"),
    [
        (a_safe_tx(operation=1), "safe.delegatecall"),
        (a_safe_tx(operation=2), "safe.delegatecall"),
        (a_safe_tx(safe_tx_gas=1), "safe.gas"),
        (a_safe_tx(base_gas=1), "safe.gas"),
        (a_safe_tx(gas_price_wei=1), "safe.gas"),
        (a_safe_tx(gas_token=DUSD), "safe.refund"),
        (a_safe_tx(refund_receiver=CUSTOMER), "safe.refund"),
        (a_safe_tx(chain_id=1), "evm.wrong_chain"),
        (a_safe_tx(safe=b"\x5b" * 20), "safe.wrong_safe"),
        (a_safe_tx(to=CUSTOMER), "payees.mismatch"),
        (a_safe_tx(value_wei=ETHER - 1), "payees.mismatch"),
        (a_safe_tx(to=bytes(20)), "evm.zero_payee"),
        (a_safe_tx(data=b"\x01"), "evm.unknown_selector"),
        (a_safe_tx(value_wei=0), "evm.zero_units"),
    ],
)
def test_safe_transactions_that_are_not_the_refill(tx: SafeTx, code: str) -> None:
    assert code == code_of(request_of(tx))


@pytest.mark.parametrize(
    "selector",
    [
        "0d582f13",
        "f8dc5dd9",
        "e318b52b",
        "694e80c3",
        "610b5925",
        "e009cfde",
        "e19a9dd9",
        "e068df37",
        "f08a0323",
    ],
)
def test_the_safe_is_never_made_to_change_itself(selector: str) -> None:
    tx = a_safe_tx(to=SAFE, value_wei=0, data=bytes.fromhex(selector) + bytes(64))

    assert "safe.self_call" == code_of(request_of(tx))


def test_a_multisend_is_refused() -> None:
    tx = a_safe_tx(to=b"\x99" * 20, operation=1, data=bytes.fromhex("8d80ff0a") + bytes(64))

    assert "safe.delegatecall" == code_of(request_of(tx))


@pytest.mark.parametrize("payload", [b"", b"\x00" * 64, a_safe_tx().encode() + bytes(32)])
def test_other_payloads_are_refused(payload: bytes) -> None:
    assert "safe.malformed" == code_of(replace(request_of(a_safe_tx()), payload=payload))


@pytest.mark.parametrize(
    ("context", "code"),
    [
        (a_context(HOT), "request.source_unknown"),
        (a_context(HOT, replace(COLD, own=None)), "safe.not_an_owner"),
        (a_context(HOT, replace(COLD, own=HOT_KEY.own)), "safe.not_an_owner"),
        (a_context(HOT, replace(COLD, vault=HOT_VAULT)), "safe.not_a_safe"),
        (
            a_context(HOT, replace(COLD, vault=replace(SAFE_VAULT, version="1.1.1"))),
            "safe.not_pinned",
        ),
        (a_context(HOT, replace(COLD, vault=replace(SAFE_VAULT, threshold=1))), "safe.not_pinned"),
        (a_context(rules=replace(RULES, chain_id=CHAIN_ID + 1)), "evm.wrong_chain"),
        (a_context(rules=replace(RULES, chain_id=None)), "request.network"),
        (a_context(COLD), "purpose.wrong_payee"),
    ],
)
def test_what_is_not_registered_is_refused(context: GuardContext, code: str) -> None:
    assert code == code_of(request_of(a_safe_tx()), context)


@pytest.mark.parametrize(
    ("intents", "code"),
    [
        ((refill(), refill(intent_id="i-2")), "intent.count"),
        ((refill(network="ethereum"),), "intent.network"),
        ((refill(source="ethereum-hot"),), "intent.source"),
        ((refill(asset="DUSD"),), "intent.asset"),
        ((refill(purpose=Purpose.SWEEP),), "purpose.wrong_source"),
        ((refill(purpose=Purpose.GATHER),), "purpose.wrong_source"),
        ((refill(purpose=Purpose.WITHDRAWAL),), "purpose.wrong_payee"),
    ],
)
def test_intents_that_do_not_fit(intents: tuple[Intent, ...], code: str) -> None:
    assert code == code_of(request_of(a_safe_tx(), *intents))


def test_another_kind_of_request_is_refused() -> None:
    assert "request.kind" == code_of(request_of(a_safe_tx(), kind=Kind.EVM_TX))


@pytest.mark.parametrize(("nonce", "code"), [(4, "nonce.used"), (9, "nonce.gap")])
def test_nonces_do_not_fall_or_leap(nonce: int, code: str) -> None:
    context = a_context(nonces={(NETWORK, checksum(SAFE)): 5})

    assert code == code_of(request_of(a_safe_tx(nonce=nonce)), context)


def test_a_replacement_has_the_same_nonce_and_is_shown() -> None:
    context = a_context(nonces={(NETWORK, checksum(SAFE)): 5})

    again = check_safe_tx(request_of(a_safe_tx(nonce=5)), context)
    after = check_safe_tx(request_of(a_safe_tx(nonce=6)), context)

    assert again.replaces
    assert "REPLACES" in again.notes[-1]
    assert not after.replaces
    assert "REPLACES" not in "".join(after.notes)


def test_two_ways_to_the_hash_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_guard, "typed_data_of", lambda _tx: typed_data_of(a_safe_tx(nonce=4)))

    assert "safe.hash_mismatch" == code_of(request_of(a_safe_tx()))


def test_without_an_intent_nothing_is_signed() -> None:
    assert "intent.count" == code_of(replace(request_of(a_safe_tx()), intents=()))

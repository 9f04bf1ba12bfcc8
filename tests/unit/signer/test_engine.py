"""The engine's own refusals, its memory, and what survives a crash at each step."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from chains.errors import CodecError
from chains.evm.transactions import UnsignedTx
from chains.utxo.psbt import Psbt, Sighasher
from chains.utxo.psbt_fields import PsbtIncomplete
from chains.utxo.psbt_roles import add_signatures, finalize
from chains.utxo.transactions import Transaction
from policies.decision import Outcome
from signer import log as log_module
from signer import secp
from signer.engine import GUARDS, Engine, Review
from signer.errors import Refused
from signer.founding import create
from signer.guards.facts import GuardContext, SpendFacts
from signer.home import Home, NotActivated
from signer.keystore import Kek
from signer.log import LogKind, Record
from signer.protocol import (
    ANSWER,
    REQUEST,
    InputSignature,
    Intent,
    Kind,
    Payee,
    ProtocolError,
    Purpose,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    dump,
    identity_sign,
)
from tests.signer_world import (
    BTC,
    COORDINATOR,
    CUSTOMER,
    ETH,
    NOW_S,
    SOFT,
    STAFF,
    World,
    a_psbt,
    a_request,
    a_withdrawal,
    an_approval,
    an_evm_withdrawal,
    an_intent,
    answer_of,
    drip,
    engine,
    sealed,
)


def asked(home: Home, request: SignRequest, now_s: int = NOW_S) -> SignAnswer:
    return answer_of(engine(home, now_s).sign(sealed(request)), home)


def code_of(home: Home, request: SignRequest, now_s: int = NOW_S) -> str:
    """The exact code, as the local log has it; nothing is signed."""
    answer = asked(home, request, now_s)
    assert (Result.REFUSED, ()) == (answer.result, answer.signatures)
    return last_code(home)


def last_code(home: Home) -> str:
    return str(records(home)[-1].data["code"])


def records(home: Home) -> list[Record]:
    copy = log_module.Log(home.path / "log", home.path / "mark")
    found = list(copy.replay())
    copy.close()
    return found


def big(name: str = "w1", **changes: object) -> Intent:
    """An order large enough to need two approvals."""
    payee = Payee(address=CUSTOMER, units=200_000_000)
    return an_intent(name, payees=(payee,), **changes)


def approved(home: Home, intent: Intent, *names: str) -> SignRequest:
    approvals = tuple(an_approval(name, intent) for name in names)
    return a_request(a_psbt(home, intent), intent, approvals=approvals)


def test_a_good_request_is_signed_and_verifies(hot: Home) -> None:
    request = a_withdrawal(hot)

    answer = asked(hot, request)

    assert (Result.SIGNED, "", "hot") == (answer.result, answer.code, answer.signer_id)
    assert hot.activated().policy.hash == answer.policy_hash
    add_signatures(request.payload, answer.signatures)


def test_two_signers_of_three_finish_a_transaction(hot: Home) -> None:
    request = a_withdrawal(hot)
    (ours,) = asked(hot, request).signatures
    review = engine(hot).review(sealed(a_withdrawal(hot, "other"))).facts.jobs[0]
    digest_of = Sighasher(Psbt.parse(request.payload)).digest(0)
    secret = SOFT["second"].secret(review.path)
    theirs = InputSignature(
        index=0,
        public_key=secp.public_key(secret),
        signature=secp.sign_low_r(secret, digest_of) + b"\x01",
    )

    raw = finalize(add_signatures(request.payload, [ours, theirs]))

    witness = Transaction.parse(raw).inputs[0].witness
    assert (4, b"") == (len(witness), witness[0])
    with pytest.raises(PsbtIncomplete):
        finalize(add_signatures(request.payload, [ours]))


def test_an_evm_request_is_signed(hot: Home) -> None:
    answer = asked(hot, an_evm_withdrawal(hot))

    assert Result.SIGNED is answer.result
    assert hot.vaults["ethereum-hot"].vault.address == answer.signatures[0].public_key


def test_the_counter_names_the_record_that_holds_the_answer(hot: Home) -> None:
    head = hot.log.head

    answer = asked(hot, a_withdrawal(hot))

    assert (hot.log.counter, head) == (answer.counter, answer.log_head)
    assert LogKind.SIGNED is records(hot)[-1].kind


def test_malformed_bytes_get_no_answer(hot: Home) -> None:
    with pytest.raises(Refused) as caught:
        engine(hot).sign(b"nonsense")

    assert "request.malformed" == caught.value.code


def test_a_malformed_body_is_refused(hot: Home) -> None:
    body = dump({"v": 1})
    envelope = Sealed(REQUEST, body, identity_sign(COORDINATOR, digest(REQUEST, body)))

    answer = answer_of(engine(hot).sign(envelope.encode()), hot)

    assert "request.malformed" == answer.code


def test_a_request_without_id_is_refused(hot: Home) -> None:
    assert "request.malformed" == code_of(hot, a_withdrawal(hot, request_id=""))


def test_another_coordinator_is_refused(hot: Home) -> None:
    with pytest.raises(Refused) as caught:
        engine(hot).sign(sealed(a_withdrawal(hot), STAFF["alice"]))

    assert "request.coordinator" == caught.value.code
    assert "request.coordinator" == last_code(hot)


def test_a_request_that_the_coordinator_did_not_seal_uses_up_no_id(hot: Home) -> None:
    request = a_withdrawal(hot)
    with pytest.raises(Refused):
        engine(hot).sign(sealed(request, STAFF["alice"]))

    assert Result.SIGNED is asked(hot, request).result


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signers": ("other",)}, "request.not_for_us"),
        ({"network": "dogecoin"}, "request.network_unknown"),
        ({"source": "nowhere"}, "request.source_unknown"),
        ({"network": ETH}, "request.network"),
        ({"source": "bitcoin-cold"}, "request.not_our_key"),
        ({"kind": Kind.SAFE_TX}, "request.kind"),
        ({"intents": ()}, "intent.none"),
        ({"created_s": NOW_S + 301}, "request.from_future"),
        ({"expires_s": NOW_S}, "request.expired"),
        ({"expires_s": NOW_S + 86_401}, "request.lifetime"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(
    hot: Home, changes: dict[str, object], code: str
) -> None:
    assert code == code_of(hot, replace(a_withdrawal(hot), **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"network": ETH}, "intent.network"),
        ({"source": "litecoin-hot"}, "intent.source"),
        ({"source": "ethereum-cold"}, "intent.source"),
        ({"payees": ()}, "intent.no_payee"),
        ({"payees": (Payee(address=CUSTOMER, units=0),)}, "intent.nothing"),
        ({"asset": "DUSD"}, "intent.asset_unknown"),
        ({"expires_s": NOW_S}, "intent.expired"),
        ({"created_s": NOW_S + 301}, "intent.from_future"),
        ({"fee_units_max": 4_999}, "fee.intent"),
    ],
)
def test_an_intent_that_does_not_fit_is_refused(
    hot: Home, changes: dict[str, object], code: str
) -> None:
    intent = an_intent(**changes)  # type: ignore[arg-type]

    assert code == code_of(hot, a_request(a_psbt(hot), intent))


@pytest.mark.parametrize(
    "changes",
    [{"purpose": Purpose.SWEEP}, {"asset": "LTC"}, {"source": "litecoin-hot"}],
)
def test_intents_of_two_kinds_are_refused(hot: Home, changes: dict[str, object]) -> None:
    second = an_intent("w2", **changes)

    assert "intent.mixed" == code_of(hot, a_request(a_psbt(hot), an_intent(), second))


def test_an_intent_twice_is_refused(hot: Home) -> None:
    request = a_request(a_psbt(hot), an_intent(), an_intent())

    assert "intent.twice" == code_of(hot, request)


def test_two_intents_of_one_id_are_refused(hot: Home) -> None:
    request = a_request(a_psbt(hot), an_intent(), an_intent(requester="other"))

    assert "intent.twice" == code_of(hot, request)


def test_too_many_payees_together_are_refused(hot: Home) -> None:
    many = tuple(Payee(address=CUSTOMER, units=1) for _ in range(251))
    request = a_request(a_psbt(hot), an_intent("a", payees=many), an_intent("b", payees=many))

    assert "intent.too_many_payees" == code_of(hot, request)


def test_a_request_again_is_refused(hot: Home) -> None:
    request = a_withdrawal(hot)
    asked(hot, request)

    assert "request.replayed" == code_of(hot, request)


def test_an_intent_again_is_refused(hot: Home) -> None:
    asked(hot, a_withdrawal(hot))
    again = a_withdrawal(hot, request_id="another")

    assert "replacement.fee" == code_of(hot, again)


def test_another_intent_of_a_signed_id_is_refused(hot: Home) -> None:
    asked(hot, a_withdrawal(hot))
    intent = an_intent(requester="other")

    request = a_request(a_psbt(hot, intent), intent, request_id="another")

    assert "intent.already_signed" == code_of(hot, request)


def test_memory_outlives_the_process(world: World) -> None:
    home = world.open("hot")
    request = a_withdrawal(home)
    asked(home, request)
    home.close()

    home = world.open("hot")

    assert "request.replayed" == code_of(home, request)
    assert "replacement.fee" == code_of(home, replace(request, request_id="another"))
    home.close()


def test_an_evm_nonce_is_never_signed_twice(hot: Home) -> None:
    asked(hot, an_evm_withdrawal(hot, "e1", nonce=4))

    again = an_evm_withdrawal(hot, "e2", nonce=4)
    assert "nonce.replacement_fee" == code_of(hot, again)
    payee = replace(again.intents[0].payees[0], units=10**18 - 1)
    intent = replace(again.intents[0], intent_id="e3", payees=(payee,))
    tx = replace(UnsignedTx.decode(again.payload), value_wei=10**18 - 1, max_fee_wei=10**11)
    other = replace(again, request_id="r-e3", payload=tx.encode(), intents=(intent,))
    assert "nonce.used" == code_of(hot, other)
    assert Result.SIGNED is asked(hot, an_evm_withdrawal(hot, "e4", nonce=5)).result


def test_the_same_payment_may_get_a_higher_fee(hot: Home) -> None:
    asked(hot, an_evm_withdrawal(hot, "e1", nonce=4))
    first = an_evm_withdrawal(hot, "e2", nonce=4)
    tx = replace(UnsignedTx.decode(first.payload), max_fee_wei=4 * 10**10)

    assert Result.SIGNED is asked(hot, replace(first, payload=tx.encode())).result
    third = an_evm_withdrawal(hot, "e3", nonce=4)
    assert "nonce.replacement_fee" == code_of(hot, replace(third, payload=tx.encode()))


def test_the_change_index_is_remembered(hot: Home) -> None:
    asked(hot, a_withdrawal(hot))

    assert 1 == hot.state.change_index_max("bitcoin-hot")


def test_outpoint_amounts_are_remembered(hot: Home) -> None:
    request = a_withdrawal(hot)
    facts = engine(hot).review(sealed(request)).facts
    asked(hot, request)

    (outpoint,) = facts.outpoints
    assert 150_000_000 == hot.state.outpoint_units(BTC, outpoint)


def test_a_window_is_spent_and_opens_again_with_time(hot: Home) -> None:
    for name in ("w1", "w2", "w3", "w4", "w5", "w6"):
        assert Result.SIGNED is asked(hot, a_withdrawal(hot, name)).result

    assert "policy.caps.window" == code_of(hot, a_withdrawal(hot, "w7"))
    later = NOW_S + 3600
    intent = an_intent("w8", created_s=later, expires_s=later + 60)
    request = a_request(a_psbt(hot, intent), intent, created_s=later, expires_s=later + 60)
    assert Result.SIGNED is asked(hot, request, later).result


def test_setting_the_clock_back_opens_no_window(hot: Home) -> None:
    later = NOW_S + 100_000
    intent = an_intent("late", expires_s=later + 60)
    request = a_request(a_psbt(hot, intent), intent, created_s=later, expires_s=later + 60)
    asked(hot, request, later)

    assert "request.expired" == code_of(hot, a_withdrawal(hot, "w2"), NOW_S)


def test_the_requester_reads_no_limits(hot: Home) -> None:
    request = approved(hot, big())

    answer = asked(hot, request)

    assert "policy.denied" == answer.code
    assert "policy.approvals.quorum" == last_code(hot)


def test_two_of_three_staff_are_enough(hot: Home) -> None:
    assert "policy.approvals.quorum" == code_of(hot, approved(hot, big("a"), "alice"))
    assert Result.SIGNED is asked(hot, approved(hot, big("b"), "alice", "carol")).result


def test_the_requester_does_not_count(hot: Home) -> None:
    request = approved(hot, big(requester="alice"), "alice", "bob")

    assert "approval.by_requester" == code_of(hot, request)


def test_one_person_does_not_count_twice(hot: Home) -> None:
    assert "approval.twice" == code_of(hot, approved(hot, big(), "alice", "alice"))


def test_somebody_unknown_does_not_count(hot: Home) -> None:
    intent = big()
    stranger = an_approval("mallory", intent, seed=STAFF["alice"])
    request = a_request(a_psbt(hot, intent), intent, approvals=(stranger,))

    assert "approval.unknown_person" == code_of(hot, request)


def test_another_persons_signature_does_not_count(hot: Home) -> None:
    intent = big()
    forged = an_approval("alice", intent, seed=STAFF["bob"])
    request = a_request(a_psbt(hot, intent), intent, approvals=(forged,))

    assert "approval.bad_signature" == code_of(hot, request)


def test_an_approval_of_another_intent_does_not_count(hot: Home) -> None:
    intent = big()
    cheaper = big(fee_units_max=1)
    request = a_request(a_psbt(hot, intent), intent, approvals=(an_approval("alice", cheaper),))

    assert "approval.other_intent" == code_of(hot, request)


@pytest.mark.parametrize("time_s", [NOW_S - 1, NOW_S + 301])
def test_an_approval_of_another_time_does_not_count(hot: Home, time_s: int) -> None:
    intent = big()
    approval = an_approval("alice", intent, time_s)
    request = a_request(a_psbt(hot, intent), intent, approvals=(approval,))

    assert "approval.time" == code_of(hot, request)


def test_a_person_may_say_no(hot: Home) -> None:
    answer = engine(hot, confirm=lambda _: False).sign(sealed(a_withdrawal(hot)))

    assert "person.declined" == answer_of(answer, hot).code


def test_a_request_that_ages_while_a_person_reads_is_refused(hot: Home) -> None:
    times = iter([NOW_S])
    slow = Engine(hot, lambda: next(times, NOW_S + 600), lambda _: True, _no_kek)

    assert "request.expired" == answer_of(slow.sign(sealed(a_withdrawal(hot))), hot).code


def _no_kek() -> Kek:
    raise AssertionError("unlock was asked for")


def test_a_locked_home_is_unlocked_after_the_review(world: World) -> None:
    home = world.open("hot", unlock=False)
    seen: list[tuple[str, bool, Outcome | None]] = []

    def confirm(review: Review) -> bool:
        seen.append(("shown", home.keys is None, review.decision.outcome))
        return True

    def unlock() -> Kek:
        seen.append(("unlock", home.keys is None, None))
        return world.kek

    answer = Engine(home, lambda: NOW_S, confirm, unlock).sign(sealed(a_withdrawal(home)))

    assert [("shown", True, Outcome.ALLOW), ("unlock", True, None)] == seen
    assert Result.SIGNED is answer_of(answer, home).result
    home.close()


def test_a_locked_home_refuses_without_keys_and_burns_no_id(world: World) -> None:
    home = world.open("hot", unlock=False)
    request = a_withdrawal(home)
    refusing = Engine(home, lambda: NOW_S, lambda _: False, _no_kek)
    with pytest.raises(Refused):
        refusing.sign(sealed(request))
    assert "person.declined" == last_code(home)
    home.close()

    home = world.open("hot")
    assert Result.SIGNED is asked(home, request).result
    home.close()


def test_bytes_that_changed_after_the_review_are_refused(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GUARDS[Kind.PSBT]

    def other(request: SignRequest, context: GuardContext) -> SpendFacts:
        return replace(real(request, context), snapshot=bytes(32))

    monkeypatch.setitem(GUARDS, Kind.PSBT, other)

    assert "payload.changed" == code_of(hot, a_withdrawal(hot))


def test_a_codec_that_objects_late_refuses(hot: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: SignRequest, context: GuardContext) -> SpendFacts:
        raise CodecError("unexpected")

    monkeypatch.setitem(GUARDS, Kind.PSBT, broken)

    assert "payload.unreadable" == code_of(hot, a_withdrawal(hot))


def test_a_key_that_is_not_the_vaults_is_refused(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = GUARDS[Kind.PSBT]

    def other(request: SignRequest, context: GuardContext) -> SpendFacts:
        facts = real(request, context)
        return replace(facts, jobs=(replace(facts.jobs[0], path=(0, 1)),))

    monkeypatch.setitem(GUARDS, Kind.PSBT, other)

    assert "key.mismatch" == code_of(hot, a_withdrawal(hot))


def test_a_signature_that_does_not_verify_is_never_released(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = secp.sign_low_r(b"\x01" * 32, bytes(32))
    monkeypatch.setattr(secp, "sign_low_r", lambda secret, digest: wrong)

    assert "signature.invalid" == code_of(hot, a_withdrawal(hot))


def test_a_nonce_used_again_is_never_released(hot: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(hot, a_withdrawal(hot, "w1"))
    r_value = records(hot)[-1].data["r_values"][0][0]
    monkeypatch.setattr(secp, "r_of_der", lambda der: r_value)

    assert "signature.nonce_reused" == code_of(hot, a_withdrawal(hot, "w2"))


def test_an_unconfigured_home_signs_nothing(world: World, hot: Home) -> None:
    create(world.root / "new", "new", world.kek, drip("new"), NOW_S)
    fresh = world.open("new")

    with pytest.raises(NotActivated):
        engine(fresh).sign(sealed(a_withdrawal(hot)))
    fresh.close()


def test_recall_gives_the_recorded_answer(hot: Home) -> None:
    request = a_withdrawal(hot)
    given = engine(hot).sign(sealed(request))
    digest = Sealed.decode(sealed(request), REQUEST).digest

    assert given == engine(hot).recall(request.request_id, digest)


def test_recall_gives_a_refusal_too(hot: Home) -> None:
    request = replace(a_withdrawal(hot), source="nowhere")
    given = engine(hot).sign(sealed(request))
    digest = Sealed.decode(sealed(request), REQUEST).digest

    assert given == engine(hot).recall(request.request_id, digest)


def test_recall_of_the_unknown_is_refused(hot: Home) -> None:
    with pytest.raises(Refused) as caught:
        engine(hot).recall("never", bytes(32))

    assert "request.unknown" == caught.value.code


def test_recall_of_another_request_of_that_id_is_refused(hot: Home) -> None:
    request = a_withdrawal(hot)
    engine(hot).sign(sealed(request))

    with pytest.raises(Refused) as caught:
        engine(hot).recall(request.request_id, bytes(32))

    assert "request.other" == caught.value.code


def test_a_replay_does_not_replace_the_recorded_answer(hot: Home) -> None:
    request = a_withdrawal(hot)
    given = engine(hot).sign(sealed(request))
    engine(hot).sign(sealed(request))
    digest = Sealed.decode(sealed(request), REQUEST).digest

    assert given == engine(hot).recall(request.request_id, digest)


class Killed(BaseException):
    """The process ends here, in a test."""


def killing(target: object, name: str, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
    """Make one step end the process, before or after it is done."""
    real: Callable[..., object] = getattr(target, name)

    def step(*args: object, **named: object) -> object:
        if after:
            real(*args, **named)
        raise Killed

    monkeypatch.setattr(target, name, step)


@pytest.mark.parametrize(
    ("step", "after", "released"),
    [
        ("_write", False, False),
        ("_write", True, True),
        ("_write_mark", False, True),
        ("_write_mark", True, True),
    ],
)
def test_killed_at_each_step_of_the_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, after: bool, released: bool
) -> None:
    """Once the record is durable the answer can be had and nothing can be signed again."""
    home = world.open("hot")
    request = a_withdrawal(home)
    with monkeypatch.context() as patch:
        killing(log_module.Log, step, patch, after)
        with pytest.raises(Killed):
            engine(home).sign(sealed(request))
    home.close()

    home = world.open("hot")
    digest = Sealed.decode(sealed(request), REQUEST).digest
    if released:
        recalled = answer_of(engine(home).recall(request.request_id, digest), home)
        assert Result.SIGNED is recalled.result
        assert "request.replayed" == code_of(home, request)
        assert 100_000_000 == home.state.spent_units(
            (BTC, "BTC", "bitcoin-hot", "withdrawal"), 3600, NOW_S
        )
    else:
        assert Result.SIGNED is asked(home, request).result
    home.close()


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 5, 200, -1])
def test_a_torn_record_was_never_released_and_is_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Only a part of the frame reached the disk: the request can simply be made again."""
    home = world.open("hot")
    request = a_withdrawal(home)

    def torn(log: log_module.Log, frame: bytes) -> None:
        with (home.path / "log").open("ab") as file:
            file.write(frame[:kept])
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(log_module.Log, "_write", torn)
        with pytest.raises(Killed):
            engine(home).sign(sealed(request))
    home.close()

    home = world.open("hot")
    assert Result.SIGNED is asked(home, request).result
    home.close()
    world.open("hot").close()


def test_a_failed_write_stops_the_process_from_signing_on(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            engine(hot).sign(sealed(a_withdrawal(hot)))

    with pytest.raises(log_module.LogDamaged):
        engine(hot).sign(sealed(a_withdrawal(hot)))


def test_answers_are_signed_by_the_signers_identity(hot: Home, cold: Home) -> None:
    answer = Sealed.decode(engine(hot).sign(sealed(a_withdrawal(hot))), ANSWER)

    with pytest.raises(ProtocolError):
        answer.verify(cold.state.identity)

"""A lost authenticator: the key itself asks for another, people are told, and time passes first."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from signer.hosted import prove_authenticator
from signer.protocol import AuthenticatorChange
from tests.integration.api.test_hosted_keys import (
    Bench,
    another_device,
    bench,
    opened,
    refused,
)
from wallet.client import ApiError
from wallet.device import Declined, NewKey
from wallet.events import read_events
from wallet.hosted_keys.context import AUTHENTICATOR_DELAY_S
from wallet.hosted_keys.second_factor import ATTEMPTS
from wallet.hosted_keys.totp import STEP_S, code_at
from wallet.store.schema import hosted_keys

__all__ = ["bench"]

NEXT_SECRET = b"\x0a" * 20


def exported(bench: Bench, key: NewKey) -> bytes:
    blob = bench.device.export(key.id)
    bench.later()
    return blob


def next_code(bench: Bench, secret: bytes = NEXT_SECRET) -> str:
    return code_at(secret, bench.world.clock.time_s // STEP_S)


def ask(bench: Bench, key: NewKey, proof: bytes, number: int = 2, code: str = "") -> None:
    bench.client.hosted.change_authenticator(
        key.id,
        number=number,
        totp_secret=NEXT_SECRET,
        totp_code=code or next_code(bench),
        proof=proof,
    )


def good_proof(bench: Bench, key: NewKey, number: int = 2) -> bytes:
    return prove_authenticator(opened(bench, key)[0], number, NEXT_SECRET)


def test_a_lost_authenticator_is_replaced_after_the_delay(bench: Bench) -> None:
    made = bench.make()
    blob, lost = exported(bench, made), bench.hands.totp_secret

    asked = bench.device.change_authenticator(made.id, blob)

    assert bench.hands.totp_secret != lost
    from_s = bench.world.clock.time_s + AUTHENTICATOR_DELAY_S
    assert (1, from_s) == (asked.authenticator, asked.next_authenticator_from_s)
    with bench.world.services.db.read() as tx:
        event = read_events(tx, 0, 1000)[-1]
    assert "hosted_key.authenticator_asked" == event.type
    assert from_s == json.loads(event.body)["from_s"]
    # Until then the new one opens nothing and the old one everything.
    bench.later()
    assert "second_factor.wrong" == refused(
        lambda: bench.client.hosted.fetch(made.id, bench.hands.code())
    )
    bench.client.hosted.fetch(made.id, next_code(bench, lost))
    bench.later(AUTHENTICATOR_DELAY_S)
    assert "second_factor.wrong" == refused(
        lambda: bench.client.hosted.fetch(made.id, next_code(bench, lost))
    )
    assert blob == bytes.fromhex(bench.client.hosted.fetch(made.id, bench.hands.code()).blob)
    info = bench.device.key(made.id)
    assert (2, None) == (info.authenticator, info.next_authenticator_from_s)
    assert 1 == bench.events().count("hosted_key.authenticator_changed")


def test_an_older_export_and_a_new_device_are_enough(bench: Bench, tmp_path: Path) -> None:
    made = bench.make()
    blob = exported(bench, made)
    old_password = bench.hands.typed
    bench.hands.next_password = b"another payment password"
    code = bench.hands.code

    def next_each_time() -> str:
        bench.later()
        return code()

    bench.hands.code = next_each_time  # type: ignore[method-assign]
    bench.device.change_password(made.id)
    bench.hands.typed = old_password

    asked = another_device(bench, tmp_path).change_authenticator(made.id, blob)

    assert asked.next_authenticator_from_s is not None


def test_who_still_has_the_old_authenticator_keeps_it(bench: Bench) -> None:
    made = bench.make()
    lost = bench.hands.totp_secret
    ask(bench, made, good_proof(bench, made))
    bench.hands.totp_secret = lost

    kept = bench.device.keep_authenticator(made.id)

    assert (1, None) == (kept.authenticator, kept.next_authenticator_from_s)
    assert "hosted_key.authenticator_kept" == bench.events()[-1]
    bench.later(2 * AUTHENTICATOR_DELAY_S)
    bench.client.hosted.fetch(made.id, bench.hands.code())
    bench.later()
    assert "hosted_key.no_change_asked" == refused(
        lambda: bench.client.hosted.keep_authenticator(made.id, bench.hands.code())
    )


def test_the_api_alone_changes_no_authenticator(bench: Bench) -> None:
    """A thief with the service's credentials: no signature of the key, nothing happens."""
    made = bench.make()
    good = good_proof(bench, made)
    key, _ = opened(bench, made)
    other = replace(key, key=replace(key.key, kid="00000000-0000-4000-8000-000000000000"))
    wrong = (
        os.urandom(70),
        b"\x30" * 8,
        prove_authenticator(key, 3, NEXT_SECRET),
        prove_authenticator(key, 2, b"\x0b" * 20),
        prove_authenticator(other, 2, NEXT_SECRET),
    )
    for proof in wrong[: ATTEMPTS - 1]:
        assert "hosted_key.proof_wrong" == refused(lambda proof=proof: ask(bench, made, proof))  # type: ignore[misc]
    bench.later()
    bench.client.hosted.fetch(made.id, bench.hands.code())
    assert "hosted_key.proof_wrong" == refused(lambda: ask(bench, made, wrong[-1]))
    assert "hosted_key.authenticator_asked" not in bench.events()
    ask(bench, made, good)


def test_attempts_are_limited_and_charged_first(bench: Bench) -> None:
    made = bench.make()
    good = good_proof(bench, made)
    for _ in range(ATTEMPTS):
        refused(lambda: ask(bench, made, b"\x30" * 8))

    with pytest.raises(ApiError) as caught:
        ask(bench, made, good)

    assert (429, "second_factor.locked") == (caught.value.status, caught.value.code)


@pytest.mark.parametrize("number", [3, 9])
def test_only_the_next_authenticator_is_taken(bench: Bench, number: int) -> None:
    made = bench.make()
    proof = good_proof(bench, made, number)

    assert "hosted_key.version_stale" == refused(lambda: ask(bench, made, proof, number))


def test_a_used_proof_is_worth_nothing_later(bench: Bench) -> None:
    made = bench.make()
    proof = good_proof(bench, made)
    ask(bench, made, proof)
    bench.later(AUTHENTICATOR_DELAY_S)
    bench.client.hosted.fetch(made.id, next_code(bench))
    bench.later()

    assert "hosted_key.version_stale" == refused(lambda: ask(bench, made, proof))


def test_the_new_authenticator_must_show_its_code(bench: Bench) -> None:
    made = bench.make()
    proof = good_proof(bench, made)
    wrong = next_code(bench, b"\x0c" * 20)

    assert "second_factor.wrong" == refused(lambda: ask(bench, made, proof, code=wrong))


def test_asking_again_begins_the_delay_anew(bench: Bench) -> None:
    made = bench.make()
    proof = good_proof(bench, made)
    ask(bench, made, proof)
    bench.later(AUTHENTICATOR_DELAY_S - STEP_S)
    ask(bench, made, proof)
    bench.later(STEP_S)

    assert "second_factor.wrong" == refused(
        lambda: bench.client.hosted.fetch(made.id, next_code(bench))
    )


def test_a_no_asks_for_nothing(bench: Bench) -> None:
    made = bench.make()
    blob = exported(bench, made)
    bench.hands.says_yes = False

    with pytest.raises(Declined):
        bench.device.change_authenticator(made.id, blob)

    assert "hosted_key.authenticator_asked" not in bench.events()


def test_secrets_are_closed_and_forgotten_with_the_key(bench: Bench) -> None:
    made = bench.make()
    ask(bench, made, good_proof(bench, made))
    query = select(hosted_keys.c.totp_next_box).where(hosted_keys.c.id == made.id)
    with bench.world.services.db.read() as tx:
        box = bytes(tx.execute(query).scalar_one())
    assert box
    assert NEXT_SECRET not in box
    bench.device.delete(made.id)
    with bench.world.services.db.read() as tx:
        assert b"" == bytes(tx.execute(query).scalar_one())


def test_the_claim_names_key_number_and_secret() -> None:
    claim = AuthenticatorChange(
        kid="k", network="bitcoin", public_key=b"\x02" * 33, number=2, secret=NEXT_SECRET
    )
    others = [
        replace(claim, kid="l"),
        replace(claim, network="litecoin"),
        replace(claim, public_key=b"\x03" * 33),
        replace(claim, number=3),
        replace(claim, secret=b"\x0b" * 20),
    ]

    assert len({one.digest for one in (claim, *others)}) == 6
    assert "\\n" not in repr(claim)
    assert repr(NEXT_SECRET) not in repr(claim)

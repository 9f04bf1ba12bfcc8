"""Taproot in the signer: BIP-340 vectors, guarded signing end to end, and every refusal."""

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains.errors import ChainError
from chains.hd import HARDENED
from chains.utxo import taproot
from chains.utxo.coins import Payout
from chains.utxo.descriptors import with_checksum
from chains.utxo.psbt import MAGIC, Psbt, Sighasher
from chains.utxo.psbt_fields import write_map
from chains.utxo.psbt_roles import add_signatures, build, converted, finalize
from chains.utxo.transactions import Transaction, TxOutput, serialize_output
from signer import secp
from signer.errors import Refused
from signer.guards.facts import GuardContext, Role, SpendFacts
from signer.guards.psbt import check_psbt
from signer.home import Home
from signer.protocol import Result, SignRequest
from signer.registry import KeyUse, standard_path
from tests.signer_world import (
    BTC,
    CUSTOMER_SCRIPT,
    NOW_S,
    World,
    a_request,
    account,
    an_intent,
    answer_of,
    change_to,
    coin,
    engine,
    sealed,
    utxo_vault,
)
from tests.unit.chains.test_utxo_taproot import claimed_output, wallet_psbt

NAME = "bitcoin-taproot"
PATH = (86 + HARDENED, 1 + HARDENED, HARDENED)


def test_bip340_signatures(vectors: Path) -> None:
    """Messages of 32 bytes; we sign no others."""
    with vectors.joinpath("bip340_vectors.csv").open(encoding="utf-8") as file:
        cases = [case for case in csv.DictReader(file) if case["secret key"]]
    signed = 0
    for case in cases:
        secret, aux, message, expected = (
            bytes.fromhex(case[name]) for name in ("secret key", "aux_rand", "message", "signature")
        )
        assert case["public key"].lower() == secp.xonly(secret).hex()
        if len(message) == 32:
            assert expected == secp.sign_schnorr(secret, message, aux)
            signed += 1
    assert 4 <= signed


def test_bip341_wallet_signatures(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The published witnesses of the types that we sign, byte for byte."""
    cases = json.loads(vectors.joinpath("core_bip341_wallet_vectors.json").read_text())
    (case,) = cases["keyPathSpending"]
    psbt = wallet_psbt(case)
    monkeypatch.setattr(Psbt, "spent_output", claimed_output)
    hasher, signed = Sighasher(psbt), 0
    for one in case["inputSpending"]:
        given = one["given"]
        if given["hashType"] not in (0, 1):
            continue
        secret = bytes.fromhex(given["internalPrivkey"])
        tweak = taproot.tweak(secp.xonly(secret), bytes.fromhex(given["merkleRoot"] or ""))
        assert one["intermediary"]["tweak"] == tweak.hex()
        digest = hasher.digest(given["txinIndex"])
        signature = secp.sign_schnorr(secret, digest, bytes(32), tweak)
        ending = "01" if given["hashType"] else ""
        assert one["expected"]["witness"] == [signature.hex() + ending]
        signed += 1
    assert 2 == signed


def test_bip86_is_the_path_of_taproot_accounts() -> None:
    assert PATH == standard_path(KeyUse.TAPROOT, 1, 0)


@pytest.fixture
def vault_home(hot: Home) -> Home:
    key = account(hot, BTC, PATH)
    text = with_checksum(f"tr({key.text}/<0;1>/*)")
    file = f'name = "{NAME}"\nnetwork = "{BTC}"\nkind = "descriptor"\ndescriptor = "{text}"\n'
    hot.register(file.encode(), Role.HOT, NOW_S)
    return hot


def a_payload(home: Home, *sats: int, version: int = 0) -> bytes:
    vault = utxo_vault(home, NAME)
    coins = [coin(vault, one, 3 + at) for at, one in enumerate(sats or (150_000_000,))]
    total = sum(one.sats for one in coins)
    paid = Payout(script=CUSTOMER_SCRIPT, sats=100_000_000)
    change = change_to(vault, total - 100_000_000 - 5_000)
    return build(coins=coins, outputs=[paid, change], vaults={NAME: vault}, psbt_version=version)


def request_of(payload: bytes) -> SignRequest:
    return a_request(payload, an_intent(source=NAME), source=NAME)


def edited(raw: bytes, at: int, changes: Mapping[bytes, bytes | None]) -> bytes:
    """A PSBT with fields of one map set or, where None, taken away; 1 is the first input."""
    psbt = Psbt.parse(raw)
    maps = [dict(psbt.pairs)]
    maps += [dict(one.pairs) for one in psbt.inputs]
    maps += [dict(one.pairs) for one in psbt.outputs]
    merged = {**maps[at], **changes}
    maps[at] = {key: value for key, value in merged.items() if value is not None}
    return MAGIC + b"".join(write_map(one) for one in maps)


def checked(home: Home, payload: bytes) -> SpendFacts:
    context = GuardContext(
        now_s=NOW_S, vaults=home.vaults, networks=home.networks, memory=home.state
    )
    return check_psbt(request_of(payload), context)


def code_of(home: Home, payload: bytes) -> str:
    with pytest.raises(Refused) as caught:
        checked(home, payload)
    return caught.value.code


@pytest.mark.parametrize("version", [0, 2])
def test_a_taproot_payment_is_signed_and_finished(vault_home: Home, version: int) -> None:
    payload = a_payload(vault_home, 120_000_000, 30_000_000, version=version)

    answer = answer_of(engine(vault_home).sign(sealed(request_of(payload))), vault_home)

    assert Result.SIGNED is answer.result
    tx = Transaction.parse(finalize(add_signatures(payload, answer.signatures)))
    assert [(64,), (64,)] == [tuple(len(item) for item in one.witness) for one in tx.inputs]
    assert tx.vsize == checked(vault_home, payload).size


def test_signatures_are_the_same_in_every_signer_with_the_same_keys(world: World) -> None:
    answers = []
    for name in ("a", "b"):
        home = world.copy(world.root.parent / name).open("hot")
        key = account(home, BTC, PATH)
        text = with_checksum(f"tr({key.text}/<0;1>/*)")
        file = f'name = "{NAME}"\nnetwork = "{BTC}"\nkind = "descriptor"\ndescriptor = "{text}"\n'
        home.register(file.encode(), Role.HOT, NOW_S)
        request = sealed(request_of(a_payload(home)))
        answers.append(answer_of(engine(home).sign(request), home).signatures)
        home.close()

    assert answers[0] == answers[1]


def test_auxiliary_data_differs_by_message_and_by_home(vault_home: Home, cold: Home) -> None:
    first, other = vault_home.unlocked(), cold.unlocked()

    assert first.auxiliary(bytes(32)) != first.auxiliary(b"\x01" * 32)
    assert first.auxiliary(bytes(32)) != other.auxiliary(bytes(32))
    assert 32 == len(first.auxiliary(bytes(32)))


def test_all_in_so_many_words_is_signed_as_that(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 1, {b"\x03": (1).to_bytes(4, "little")})

    answer = answer_of(engine(vault_home).sign(sealed(request_of(payload))), vault_home)

    (signature,) = answer.signatures
    assert (65, b"\x01") == (len(signature.signature), signature.signature[-1:])
    finalize(add_signatures(payload, answer.signatures))


def test_default_in_so_many_words_is_signed(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 1, {b"\x03": bytes(4)})

    assert checked(vault_home, payload).jobs == checked(vault_home, a_payload(vault_home)).jobs


@pytest.mark.parametrize("kind", [2, 3, 0x81, 0x82, 0x83])
def test_other_signature_types_are_refused(vault_home: Home, kind: int) -> None:
    payload = edited(a_payload(vault_home), 1, {b"\x03": kind.to_bytes(4, "little")})

    assert "input.sighash" == code_of(vault_home, payload)


def test_a_claimed_amount_is_signed_but_never_remembered_as_proven(vault_home: Home) -> None:
    payload = a_payload(vault_home)
    bare = edited(payload, 1, {b"\x00": None})

    assert checked(vault_home, bare).jobs == checked(vault_home, payload).jobs
    assert {} == checked(vault_home, bare).outpoints
    assert [150_000_000] == list(checked(vault_home, payload).outpoints.values())


def test_a_claim_against_what_was_proven_before_is_refused(vault_home: Home) -> None:
    payload = a_payload(vault_home)
    engine(vault_home).sign(sealed(request_of(payload)))
    script = Psbt.parse(payload).spent_output(0).script
    lie = serialize_output(TxOutput(sats=150_000_001, script=script))

    bare = edited(payload, 1, {b"\x00": None, b"\x01": lie})

    assert "input.amount_conflict" == code_of(vault_home, bare)


def test_an_amount_that_nobody_names_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 1, {b"\x00": None, b"\x01": None})

    assert "input.unproven" == code_of(vault_home, payload)


def test_a_claimed_taproot_output_of_somebody_else_is_foreign(vault_home: Home) -> None:
    other = serialize_output(TxOutput(sats=150_000_000, script=b"\x51\x20" + bytes(32)))
    payload = edited(a_payload(vault_home), 1, {b"\x00": None, b"\x01": other})

    assert "input.foreign" == code_of(vault_home, payload)


def test_another_internal_key_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 1, {b"\x17": b"\x01" * 32})

    assert "input.script" == code_of(vault_home, payload)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\x14" + bytes(64), bytes(64)),
        (b"\x15" + bytes(33), b"\x51\xc0"),
        (b"\x18", bytes(32)),
    ],
)
def test_an_input_with_taproot_scripts_is_refused(
    vault_home: Home, key: bytes, value: bytes
) -> None:
    assert "input.leaves" == code_of(vault_home, edited(a_payload(vault_home), 1, {key: value}))


def test_a_foreign_origin_beside_ours_is_refused(vault_home: Home) -> None:
    payload = a_payload(vault_home)
    origin = next(
        value for key, value in Psbt.parse(payload).inputs[0].pairs.items() if key[0] == 22
    )
    stranger = b"\x16" + secp.xonly(b"\x07" * 32)

    assert "input.origin" == code_of(vault_home, edited(payload, 1, {stranger: origin}))


def test_change_with_taproot_scripts_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 3, {b"\x06": b"\x00\xc0\x01\x51"})

    assert "change.leaves" == code_of(vault_home, payload)


def test_change_with_another_internal_key_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home), 3, {b"\x05": b"\x01" * 32})

    assert "change.script" == code_of(vault_home, payload)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(0, 10**6), value=st.integers(0, 255), version=st.sampled_from([0, 2]))
def test_any_changed_byte_is_refused_with_a_code_or_pays_nobody_else(
    vault_home: Home, at: int, value: int, version: int
) -> None:
    good = a_payload(vault_home, version=version)
    raw = bytearray(good)
    raw[at % len(raw)] = value
    try:
        facts = checked(vault_home, bytes(raw))
    except (Refused, ChainError):
        return

    expected = checked(vault_home, good)
    # A satoshi may move between change and fee; the caps bound that.
    assert expected.payees == facts.payees
    assert [one.address for one in expected.change] == [one.address for one in facts.change]


def test_a_key_that_is_not_the_vaults_signs_nothing(
    vault_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(vault_home.unlocked().chain), "secret", lambda self, path: b"\x01" * 32
    )
    answer = answer_of(
        engine(vault_home).sign(sealed(request_of(a_payload(vault_home)))), vault_home
    )

    assert (Result.REFUSED, "key.mismatch") == (answer.result, answer.code)


def test_a_wrong_signature_of_ours_never_leaves(
    vault_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secp, "sign_schnorr", lambda *_: bytes(64))
    answer = answer_of(
        engine(vault_home).sign(sealed(request_of(a_payload(vault_home)))), vault_home
    )

    assert (Result.REFUSED, "signature.invalid") == (answer.result, answer.code)


def test_r_values_of_taproot_are_remembered(vault_home: Home) -> None:
    request = request_of(a_payload(vault_home))
    answer = answer_of(engine(vault_home).sign(sealed(request)), vault_home)

    with pytest.raises(Refused, match="R value"):
        vault_home.state.check_r_value(answer.signatures[0].signature[:32], bytes(32))


def test_another_version_of_the_same_payment_has_the_same_signatures(vault_home: Home) -> None:
    payload = a_payload(vault_home)

    assert checked(vault_home, payload).jobs == checked(vault_home, converted(payload, 2)).jobs


def test_a_psbt_that_may_still_change_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home, version=2), 0, {b"\x06": b"\x01"})

    assert "psbt.modifiable" == code_of(vault_home, payload)


def test_a_psbt_of_an_unknown_version_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home, version=2), 0, {b"\xfb": (3).to_bytes(4, "little")})

    assert "psbt.unknown_version" == code_of(vault_home, payload)


def test_a_required_lock_time_is_refused(vault_home: Home) -> None:
    payload = edited(a_payload(vault_home, version=2), 1, {b"\x12": (9).to_bytes(4, "little")})

    assert "tx.locktime" == code_of(vault_home, payload)


def test_a_vault_of_another_template_signs_no_taproot_input(vault_home: Home) -> None:
    request = replace(request_of(a_payload(vault_home)), source="bitcoin-hot")
    context = GuardContext(
        now_s=NOW_S, vaults=vault_home.vaults, networks=vault_home.networks, memory=vault_home.state
    )
    with pytest.raises(Refused) as caught:
        check_psbt(request, context)

    assert "input.foreign" == caught.value.code

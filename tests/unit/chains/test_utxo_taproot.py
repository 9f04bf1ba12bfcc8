"""Taproot key path: published vectors, embit's signatures, and what a claim may not prove."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.errors import CodecError
from chains.utxo import addresses, taproot, transactions
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault, Template
from chains.utxo.fees import transaction_vsize
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import MAGIC, Psbt, PsbtInput, Sighasher
from chains.utxo.psbt_fields import read_map, write_map
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.transactions import Reader, Transaction, TxOutput
from tests.utxo_world import TestKey, coin, sign_all, vault

PAYEE = b"\x00\x14" + b"\x09" * 20
TAPROOT = vault(Template.TR)
PLAIN = vault(Template.WPKH, name="plain")


def _built(*coins: Coin, change: DescriptorVault = TAPROOT) -> bytes:
    place = OwnPlace(source=change.name, branch=1, index=3)
    return build(
        coins=coins,
        outputs=[
            Payout(script=PAYEE, sats=50_000),
            Payout(script=change.script_pubkey_at(1, 3), sats=40_000, place=place),
        ],
        vaults={TAPROOT.name: TAPROOT, PLAIN.name: PLAIN},
    )


RAW = _built(coin(TAPROOT, 0, 100_000), coin(TAPROOT, 1, 100_001))


def _edited(raw: bytes, at: int, change: Callable[[dict[bytes, bytes]], object]) -> bytes:
    reader = Reader(raw)
    reader.at = len(MAGIC)
    maps = []
    while reader.at < reader.end:
        maps.append(read_map(reader))
    change(maps[at])
    return MAGIC + b"".join(write_map(one) for one in maps)


def _code(act: Callable[[], object]) -> str:
    with pytest.raises(CodecError) as caught:
        act()
    return caught.value.code


def _wallet_vectors(vectors: Path) -> Any:
    return json.loads(vectors.joinpath("core_bip341_wallet_vectors.json").read_text())


def test_bip341_output_keys_and_addresses(vectors: Path) -> None:
    for case in _wallet_vectors(vectors)["scriptPubKey"]:
        internal = bytes.fromhex(case["given"]["internalPubkey"])
        between, expected = case["intermediary"], case["expected"]
        root = bytes.fromhex(between["merkleRoot"] or "")

        assert between["tweak"] == taproot.tweak(internal, root).hex()
        key = taproot.output_key(internal, root)
        assert between["tweakedPubkey"] == key.hex()
        assert expected["scriptPubKey"] == "5120" + key.hex()
        script = bytes.fromhex(expected["scriptPubKey"])
        assert expected["bip350Address"] == addresses.encode(BUILTIN["bitcoin"], script)


def wallet_psbt(case: Any) -> Psbt:
    """The published spend as a PSBT; what it spends is claimed, for its history is not published.

    Half of its inputs are of other kinds, so that only a test may take the claims for proof.
    """
    raw = bytes.fromhex(case["given"]["rawUnsignedTx"])
    tx = transactions.parse(raw, witness=False)
    bare = write_map({b"\x00": tx.serialize(witness=False)})
    kinds = {one["given"]["txinIndex"]: one["given"]["hashType"] for one in case["inputSpending"]}
    maps = []
    for index, spent in enumerate(case["given"]["utxosSpent"]):
        output = TxOutput(sats=spent["amountSats"], script=bytes.fromhex(spent["scriptPubKey"]))
        pairs = {b"\x01": transactions.serialize_output(output)}
        if index in kinds:
            pairs[b"\x03"] = kinds[index].to_bytes(4, "little")
        maps.append(write_map(pairs))
    return Psbt.parse(MAGIC + bare + b"".join(maps) + b"\x00" * len(tx.outputs))


def claimed_output(psbt: Psbt, index: int) -> TxOutput | None:
    return psbt.inputs[index].witness_utxo


def test_bip341_digests(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the types that we sign; the others are refused."""
    (case,) = _wallet_vectors(vectors)["keyPathSpending"]
    psbt = wallet_psbt(case)
    monkeypatch.setattr(Psbt, "spent_output", claimed_output)
    hasher = Sighasher(psbt)
    types = set()
    for one in case["inputSpending"]:
        index, kind = one["given"]["txinIndex"], one["given"]["hashType"]
        types.add(kind)
        if kind in (0, 1):
            assert one["intermediary"]["sigHash"] == hasher.digest(index).hex()
        else:
            assert "psbt.sighash" == _code(lambda at=index: hasher.digest(at))  # type: ignore[misc]
    assert {0, 1} < types


def test_bip340_verification(vectors: Path) -> None:
    with vectors.joinpath("bip340_vectors.csv").open(encoding="utf-8") as file:
        cases = list(csv.DictReader(file))
    for case in cases:
        fields = (case["public key"], case["message"], case["signature"])
        verdict = taproot.verify(*(bytes.fromhex(field) for field in fields))

        assert (case["verification result"] == "TRUE") == verdict, case["comment"]
    assert 19 == len(cases)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32), b"\xff" * 32])
def test_bytes_that_are_no_key_are_refused(key: bytes) -> None:
    assert "taproot.invalid" == _code(lambda: taproot.output_key(key))
    assert not taproot.verify(key, bytes(32), bytes(64))


def test_an_untweaked_key_and_a_short_signature_do_not_verify() -> None:
    signature = sign_all(RAW, (1,))[0]
    digest = Sighasher(Psbt.parse(RAW)).digest(0)
    internal = TAPROOT.script_at(0, 0).internal_key

    assert taproot.verify(signature.public_key, digest, signature.signature)
    assert not taproot.verify(internal, digest, signature.signature)
    assert not taproot.verify(signature.public_key, digest, signature.signature[:63])


def test_a_built_psbt_carries_internal_keys_and_origins() -> None:
    psbt = Psbt.parse(RAW)
    script, change = TAPROOT.script_at(0, 1), TAPROOT.script_at(1, 3)

    assert script.keys == psbt.inputs[1].derivations
    assert script.internal_key == psbt.inputs[1].internal_key == script.keys[0].public_key
    assert (change.keys, change.internal_key) == (
        psbt.outputs[1].derivations,
        psbt.outputs[1].internal_key,
    )
    assert not any(one.has_leaves for one in psbt.inputs)
    assert not any(one.has_leaves for one in psbt.outputs)


def test_no_previous_transaction_is_needed_where_every_input_is_taproot() -> None:
    raw = _edited(_edited(RAW, 1, lambda m: m.pop(b"\x00")), 2, lambda m: m.pop(b"\x00"))
    psbt = Psbt.parse(raw)

    assert [100_000, 100_001] == [psbt.spent_output(at).sats for at in range(2)]
    digests = [Sighasher(one).digest(0) for one in (psbt, Psbt.parse(RAW))]
    assert digests[0] == digests[1]
    assert "psbt.unproven_amount" == _code(
        lambda: Psbt.parse(_edited(raw, 1, lambda m: m.pop(b"\x01"))).spent_output(0)
    )


def test_among_other_inputs_taproot_needs_its_previous_transaction() -> None:
    """Another input's signature would not cover the amount that is claimed here."""
    raw = _built(coin(TAPROOT, 0, 100_000), coin(PLAIN, 0, 100_000))
    bare = _edited(raw, 1, lambda m: m.pop(b"\x00"))

    assert 100_000 == Psbt.parse(raw).spent_output(0).sats
    assert "psbt.unproven_amount" == _code(lambda: Psbt.parse(bare).spent_output(0))


def test_a_false_claim_changes_every_digest() -> None:
    """Two sessions with swapped amounts give two signatures of no use (CVE-2020-14199)."""
    lie = transactions.serialize_output(TxOutput(sats=1, script=TAPROOT.script_pubkey_at(0, 1)))
    raw = _edited(RAW, 2, lambda m: (m.pop(b"\x00"), m.update({b"\x01": lie})))

    true, false = Sighasher(Psbt.parse(RAW)), Sighasher(Psbt.parse(raw))

    assert true.digest(0) != false.digest(0)
    assert true.digest(1) != false.digest(1)


@pytest.mark.parametrize("field", [b"\x04", b"\x05"])
def test_taproot_with_another_script_is_a_mismatch(field: bytes) -> None:
    psbt = Psbt.parse(_edited(RAW, 1, lambda m: m.update({field: b"\x51"})))

    assert "psbt.script_mismatch" == _code(lambda: Sighasher(psbt).digest(0))


@pytest.mark.parametrize("kind", [2, 3, 0x81, 0x82, 0x83])
def test_other_signature_types_have_no_digest(kind: int) -> None:
    raw = _edited(RAW, 1, lambda m: m.update({b"\x03": kind.to_bytes(4, "little")}))

    assert "psbt.sighash" == _code(lambda: Sighasher(Psbt.parse(raw)).digest(0))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\x14" + bytes(64), bytes(64)),
        (b"\x15" + bytes(33), b"\x51\xc0"),
        (b"\x18", bytes(32)),
        (b"\x16" + bytes(32), b"\x01" + bytes(32) + bytes(4)),
    ],
)
def test_taproot_scripts_of_an_input_are_seen(key: bytes, value: bytes) -> None:
    one: PsbtInput = Psbt.parse(_edited(RAW, 1, lambda m: m.update({key: value}))).inputs[0]

    assert one.has_leaves


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"\x06", b"\x00\xc0\x01\x51"), (b"\x07" + bytes(32), b"\x01" + bytes(32) + bytes(4))],
)
def test_taproot_scripts_of_an_output_are_seen(key: bytes, value: bytes) -> None:
    psbt = Psbt.parse(_edited(RAW, 4, lambda m: m.update({key: value})))

    assert psbt.outputs[1].has_leaves


def test_the_estimated_size_is_the_real_one() -> None:
    tx = Transaction.parse(finalize(add_signatures(RAW, sign_all(RAW, (1,)))))
    scripts = [PAYEE, TAPROOT.script_pubkey_at(1, 3)]

    assert tx.vsize == transaction_vsize([TAPROOT, TAPROOT], scripts)
    assert [1, 1] == [len(one.witness) for one in tx.inputs]


def test_wrong_signatures_are_never_added() -> None:
    good = sign_all(RAW, (1,))[0]
    wrong = [
        replace(good, index=1),
        replace(good, public_key=TAPROOT.script_at(0, 0).internal_key),
        replace(good, signature=good.signature + b"\x01"),
        replace(good, signature=good.signature[:-1]),
        replace(good, signature=good.signature[:-1] + bytes((good.signature[-1] ^ 1,))),
    ]
    for one in wrong:
        assert "psbt.bad_signature" == _code(lambda one=one: add_signatures(RAW, [one]))  # type: ignore[misc]


def test_a_good_signature_by_a_strangers_key_is_never_added() -> None:
    stranger, digest = (
        vault(Template.TR, (2,)).script_at(0, 0),
        Sighasher(Psbt.parse(RAW)).digest(0),
    )
    one = replace(
        sign_all(RAW, (1,))[0],
        public_key=stranger.script_pubkey[2:],
        signature=TestKey.of(2).sign(stranger.keys[0], digest),
    )

    assert taproot.verify(one.public_key, digest, one.signature)
    assert "psbt.bad_signature" == _code(lambda: add_signatures(RAW, [one]))


def test_a_missing_and_a_smuggled_signature_do_not_finish() -> None:
    signed = add_signatures(RAW, sign_all(RAW, (1,))[:1])

    assert "psbt.incomplete" == _code(lambda: finalize(signed))
    other = Psbt.parse(signed).inputs[0].key_signature
    forged = _edited(signed, 2, lambda m: m.update({b"\x13": other}))
    assert "psbt.bad_signature" == _code(lambda: finalize(forged))

"""PSBTs: Bitcoin Core's cases, embit as second opinion, and every refusal by its code."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from embit import base58
from embit import psbt as embit_psbt
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError, InvariantError
from chains.utxo import psbt as psbt_module
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import DescriptorVault, Template
from chains.utxo.psbt import MAGIC, Psbt, Sighasher, sighash
from chains.utxo.psbt_fields import read_map, write_map
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.transactions import Reader, Transaction, TxOutput
from tests.utxo_world import TestSignature, coin, sign_all, vault

PAYEE = b"\x00\x14" + b"\x09" * 20
WSH = vault(Template.WSH_MULTI)
VERSIONS = [0, 2]


def _core(vectors: Path) -> Any:
    return json.loads(vectors.joinpath("core_rpc_psbt.json").read_text(encoding="utf-8"))


def _decoded(text: str) -> bytes:
    # Two invalid cases lack their padding.
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _raw(owner: DescriptorVault = WSH, version: int = 0, coins: int = 2) -> bytes:
    place = OwnPlace(source=owner.name, branch=1, index=3)
    return build(
        coins=[coin(owner, index, 100_000 + index) for index in range(coins)],
        outputs=[
            Payout(script=PAYEE, sats=50_000),
            Payout(script=owner.script_pubkey_at(1, 3), sats=40_000, place=place),
        ],
        vaults={owner.name: owner},
        psbt_version=version,
    )


def _signers(owner: DescriptorVault) -> tuple[int, ...]:
    return (1,) if len(owner.keys) == 1 else (3, 1)


def _maps(raw: bytes) -> list[dict[bytes, bytes]]:
    reader = Reader(raw)
    reader.at = len(MAGIC)
    maps = []
    while reader.at < reader.end:
        maps.append(read_map(reader))
    return maps


def _edited(raw: bytes, at: int, change: Callable[[dict[bytes, bytes]], object]) -> bytes:
    """The PSBT with one of its maps changed (0 is global, then inputs, then outputs)."""
    maps = _maps(raw)
    change(maps[at])
    return MAGIC + b"".join(write_map(one) for one in maps)


def test_core_valid_cases_round_trip(vectors: Path) -> None:
    for text in _core(vectors)["valid"]:
        assert _decoded(text) == Psbt.parse(_decoded(text)).serialize()


def test_core_invalid_cases_are_refused(vectors: Path) -> None:
    cases = _core(vectors)
    for text in [*cases["invalid"], *(text for text, _ in cases["invalid_with_msg"])]:
        with pytest.raises(CodecError):
            Psbt.parse(_decoded(text))


def test_core_extractor_case(vectors: Path) -> None:
    (case,) = _core(vectors)["extractor"]

    assert case["result"] == finalize(_decoded(case["extract"])).hex()


def test_core_finalizer_case(vectors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = _core(vectors)
    raw = _decoded(cases["finalizer"][0]["finalize"])
    with pytest.raises(CodecError) as caught:
        finalize(raw)

    # Core takes the word of a witness UTXO; we do not.
    assert "psbt.unproven_amount" == caught.value.code

    monkeypatch.setattr(
        Psbt,
        "spent_output",
        lambda self, at: self.inputs[at].previous_output or self.inputs[at].witness_utxo,
    )

    assert cases["extractor"][0]["result"] == finalize(raw).hex()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("template", list(Template))
def test_digests_are_embits(template: Template, version: int) -> None:
    raw = _raw(vault(template), version)
    ours, theirs = Psbt.parse(raw), embit_psbt.PSBT.parse(raw)

    assert theirs.fee() == ours.fee_sats()
    kind = 0 if template is Template.TR else 1
    for index in range(len(ours.inputs)):
        assert theirs.sighash(index, kind) == sighash(ours, index)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("template", list(Template))
def test_build_sign_finalize(template: Template, version: int) -> None:
    owner = vault(template)
    raw = _raw(owner, version)
    signatures = sign_all(raw, _signers(owner))
    tx = Transaction.parse(finalize(add_signatures(raw, signatures)))

    if template in (Template.WPKH, Template.WSH_MULTI, Template.TR):
        assert Psbt.parse(raw).tx.txid == tx.txid
    assert [PAYEE, owner.script_pubkey_at(1, 3)] == [one.script for one in tx.outputs]
    assert all(bool(one.witness) is owner.is_segwit for one in tx.inputs)


def test_signers_may_answer_in_any_order_and_one_by_one() -> None:
    raw = _raw()
    signatures = sign_all(raw, (1, 2))
    at_once = add_signatures(raw, signatures)
    step_by_step = raw
    for one in reversed(signatures):
        step_by_step = add_signatures(step_by_step, [one])

    assert at_once == step_by_step
    assert finalize(at_once) == finalize(step_by_step)


def test_built_psbt_carries_what_a_signer_checks() -> None:
    psbt = Psbt.parse(_raw())
    script = WSH.script_at(0, 1)

    assert [100_000, 100_001] == [psbt.spent_output(index).sats for index in range(2)]
    assert script.witness_script == psbt.inputs[1].witness_script
    assert set(script.keys) == set(psbt.inputs[1].derivations)
    assert (1, set(WSH.script_at(1, 3).keys)) == (
        psbt.inputs[1].sighash_type,
        set(psbt.outputs[1].derivations),
    )
    assert () == psbt.outputs[0].derivations
    assert 200_001 - 90_000 == psbt.fee_sats()


def test_coin_that_is_not_what_it_says_is_not_built() -> None:
    good = coin(WSH, 0, 100_000)
    for wrong in (
        replace(good, sats=100_001),
        replace(good, place=replace(good.place, index=1)),
        replace(good, raw_tx=coin(WSH, 0, 100_000, salt=9).raw_tx),
        replace(good, outpoint=replace(good.outpoint, vout=2)),
    ):
        with pytest.raises(CodecError) as caught:
            build(coins=[wrong], outputs=[Payout(script=PAYEE, sats=1)], vaults={"hot": WSH})

        assert "psbt.unproven_amount" == caught.value.code


def test_unknown_vaults_and_foreign_own_outputs_are_mistakes_of_ours() -> None:
    place = OwnPlace(source="hot", branch=1, index=0)
    wrong: list[tuple[Coin, Payout, dict[str, DescriptorVault]]] = [
        (coin(WSH, 0, 9), Payout(script=PAYEE, sats=1), {}),
        (coin(WSH, 0, 9), Payout(script=PAYEE, sats=1, place=place), {"hot": WSH}),
    ]
    for one, output, vaults in wrong:
        with pytest.raises(InvariantError):
            build(coins=[one], outputs=[output], vaults=vaults)


# What a signer must notice.


def _digest_code(raw: bytes, index: int = 0) -> str:
    with pytest.raises(CodecError) as caught:
        Sighasher(Psbt.parse(raw)).digest(index)
    return caught.value.code


def _parse_code(raw: bytes) -> str:
    with pytest.raises(CodecError) as caught:
        Psbt.parse(raw)
    return caught.value.code


@pytest.mark.parametrize("template", [one for one in Template if one is not Template.TR])
def test_amount_without_previous_transaction_is_unproven(template: Template) -> None:
    raw = _edited(_raw(vault(template)), 1, lambda m: m.pop(b"\x00"))

    assert "psbt.unproven_amount" == _digest_code(raw)


def test_witness_utxo_that_disagrees_is_unproven() -> None:
    raw = _edited(_raw(), 1, lambda m: m.update({b"\x01": b"\x01" + m[b"\x01"][1:]}))

    assert "psbt.unproven_amount" == _digest_code(raw)


def test_another_previous_transaction_is_unproven() -> None:
    other = coin(WSH, 0, 100_000, salt=9).raw_tx
    raw = _edited(_raw(), 1, lambda m: m.update({b"\x00": other}))

    assert "psbt.unproven_amount" == _parse_code(raw)


@pytest.mark.parametrize("kind", [0, 2, 3, 0x81, 0x82, 0x83, 0x101])
def test_signature_types_other_than_all_are_refused(kind: int) -> None:
    raw = _edited(_raw(), 1, lambda m: m.update({b"\x03": kind.to_bytes(4, "little")}))

    assert "psbt.sighash" == _digest_code(raw)


@pytest.mark.parametrize("template", [Template.WSH_MULTI, Template.SH_WSH_MULTI])
def test_another_witness_script_is_a_mismatch(template: Template) -> None:
    other = vault(template, (1, 2, 4)).script_at(0, 0).witness_script
    raw = _edited(_raw(vault(template)), 1, lambda m: m.update({b"\x05": other}))

    assert "psbt.script_mismatch" == _digest_code(raw)


@pytest.mark.parametrize("template", [Template.SH_MULTI, Template.SH_WPKH, Template.SH_WSH_MULTI])
def test_another_redeem_script_is_a_mismatch(template: Template) -> None:
    other = vault(template, (4, 5, 6)).script_at(0, 0).redeem_script
    raw = _edited(_raw(vault(template)), 1, lambda m: m.update({b"\x04": other}))

    assert "psbt.script_mismatch" == _digest_code(raw)


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (Template.PKH, b"\x04"),
        (Template.WPKH, b"\x05"),
        (Template.WSH_MULTI, b"\x04"),
        (Template.SH_MULTI, b"\x05"),
        (Template.SH_WPKH, b"\x05"),
    ],
)
def test_scripts_without_a_purpose_are_a_mismatch(template: Template, field: bytes) -> None:
    raw = _edited(_raw(vault(template)), 1, lambda m: m.update({field: b"\x51"}))

    assert "psbt.script_mismatch" == _digest_code(raw)


def test_taproot_has_no_script_code() -> None:
    psbt = Psbt.parse(_raw())
    spent = TxOutput(sats=1, script=b"\x51\x20" + bytes(32))
    with pytest.raises(CodecError) as caught:
        psbt_module.script_code(psbt.inputs[0], spent.script)

    assert "psbt.script_mismatch" == caught.value.code


def test_size_and_counts_are_limited_before_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = _raw()
    monkeypatch.setattr(psbt_module, "INPUTS_MAX", 1)
    assert "psbt.too_large" == _parse_code(raw)
    monkeypatch.setattr(psbt_module, "INPUTS_MAX", 2)
    monkeypatch.setattr(psbt_module, "OUTPUTS_MAX", 1)
    assert "psbt.too_large" == _parse_code(raw)
    monkeypatch.setattr(psbt_module, "PSBT_BYTES_MAX", len(raw) - 1)
    assert "psbt.too_large" == _parse_code(raw)


@pytest.mark.parametrize("version", [1, 3])
def test_unknown_versions_are_refused(version: int) -> None:
    raw = _edited(_raw(), 0, lambda m: m.update({b"\xfb": version.to_bytes(4, "little")}))

    assert "psbt.unknown_version" == _parse_code(raw)


def test_duplicate_keys_are_refused() -> None:
    raw = _raw()
    first = write_map(_maps(raw)[0])[:-1]

    assert "psbt.duplicate_key" == _parse_code(
        MAGIC + first + first + raw[len(MAGIC) + len(first) :]
    )


def test_extended_key_with_a_path_of_another_length_is_refused() -> None:
    key = b"\x01" + base58.decode_check(WSH.keys[0].key.text)
    raw = _edited(_raw(), 0, lambda m: m.update({key: bytes(4 + 4 * 4)}))

    assert raw == Psbt.parse(raw).serialize()
    assert "psbt.malformed" == _parse_code(_edited(raw, 0, lambda m: m.update({key: bytes(8)})))


def test_bytes_after_the_last_map_are_refused() -> None:
    _parse_code(_raw() + b"\x00")


@pytest.mark.parametrize(
    ("at", "change"),
    [
        (0, lambda m: m.pop(b"\x02")),
        (0, lambda m: m.pop(b"\x04")),
        (0, lambda m: m.update({b"\x06": b"\x01"})),
        (0, lambda m: m.update({b"\x00": b""})),
        (1, lambda m: m.pop(b"\x0e")),
        (1, lambda m: m.pop(b"\x0f")),
        (1, lambda m: m.update({b"\x12": bytes(4)})),
        (1, lambda m: m.update({b"\x11": b"\x01\x00\x00\x00"})),
        (3, lambda m: m.pop(b"\x03")),
        (3, lambda m: m.pop(b"\x04")),
    ],
)
def test_incomplete_version_2_is_refused(
    at: int, change: Callable[[dict[bytes, bytes]], object]
) -> None:
    _parse_code(_edited(_raw(version=2), at, change))


@pytest.mark.parametrize("key", [b"\x02", b"\x03", b"\x04", b"\x05", b"\x06"])
def test_version_2_fields_have_no_place_in_version_0(key: bytes) -> None:
    _parse_code(_edited(_raw(), 0, lambda m: m.update({key: bytes(4)})))


def test_unknown_fields_are_kept_byte_for_byte() -> None:
    raw = _edited(_raw(), 1, lambda m: m.update({b"\xfc\x05other\x01": b"kept"}))

    assert raw == Psbt.parse(raw).serialize()
    assert b"kept" in add_signatures(raw, sign_all(raw, (1,)))


# Signatures that come back.


def _signature_code(signature: TestSignature) -> str:
    with pytest.raises(CodecError) as caught:
        add_signatures(_raw(), [signature])
    return caught.value.code


def test_wrong_signatures_are_never_added() -> None:
    good = sign_all(_raw(), (1,))[0]
    stranger = sign_all(_raw(vault(Template.WSH_MULTI, (7, 8, 9))), (7,))[0]
    wrong = [
        replace(good, index=1),
        replace(good, index=2),
        replace(good, index=-1),
        replace(good, signature=good.signature[:-1] + b"\x02"),
        replace(good, signature=good.signature[:-1]),
        replace(good, signature=b"\x01"),
        replace(good, signature=b"\x30\x00\x01"),
        replace(good, signature=good.signature[:10] + b"\x00" + good.signature[11:]),
        replace(good, public_key=WSH.script_at(0, 0).keys[1].public_key),
        replace(good, public_key=b"\x02" + bytes(32)),
        stranger,
    ]

    assert ["psbt.bad_signature"] * len(wrong) == [_signature_code(one) for one in wrong]


def test_too_few_signatures_are_incomplete() -> None:
    raw = _raw()
    for signatures in ([], sign_all(raw, (1,)), sign_all(raw, (1, 2))[:-1]):
        with pytest.raises(CodecError) as caught:
            finalize(add_signatures(raw, signatures))

        assert "psbt.incomplete" == caught.value.code


def test_signatures_smuggled_in_are_verified_before_finalizing() -> None:
    raw = add_signatures(_raw(), sign_all(_raw(), (1, 2)))
    key = next(key for key in _maps(raw)[1] if key[0] == 2)
    other = _maps(raw)[2]
    forged = next(value for at, value in other.items() if at[0] == 2)
    with pytest.raises(CodecError) as caught:
        finalize(_edited(raw, 1, lambda m: m.update({key: forged})))

    assert "psbt.bad_signature" == caught.value.code


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_any_changed_byte_is_read_strictly_or_refused(at: int, value: int) -> None:
    raw = bytearray(RAW)
    raw[at % len(raw)] = value
    try:
        psbt = Psbt.parse(bytes(raw))
    except CodecError:
        return

    assert bytes(raw) == psbt.serialize()


RAW = _raw()

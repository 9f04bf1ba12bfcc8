"""BIP-322: the published vectors, and that a proof of funds can never be a payment."""

import base64
from dataclasses import replace

import pytest
from embit import psbt as embit_psbt

from chains.errors import CodecError
from chains.types import OutPoint
from chains.utxo import bip322, psbt_fields, taproot
from chains.utxo.addresses import parse
from chains.utxo.bip322 import ClaimedCoin, Payable, check_unpayable, to_sign, to_spend
from chains.utxo.descriptors import Template, VaultScript
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import Psbt, Sighasher
from chains.utxo.psbt_fields import PsbtBadSignature, PsbtIncomplete
from chains.utxo.transactions import Reader, TxOutput
from signer import secp
from tests.reserves_world import PEOPLE, SEGWIT, a_coin, signatures_of, utxo_vault
from wallet.reserves.verifier.bip322 import check_proof, to_spend_txid
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.statement import Coin

# BIP-322, test vectors of the message hash, the virtual transactions and the simple signatures.
ADDRESS = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
VECTORS = [
    (
        b"",
        "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1",
        "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7",
        "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6",
        (
            "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixp"
            "X8z46TSDtS40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
        ),
    ),
    (
        b"Hello World",
        "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a",
        "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b",
        "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf",
        (
            "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7"
            "F29zJLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI="
        ),
    ),
]


def vector_script() -> VaultScript:
    script = parse(BUILTIN["bitcoin"], ADDRESS).target
    return VaultScript(script_pubkey=script, redeem_script=b"", witness_script=b"", keys=())


def as_proof(psbt: Psbt, witness: bytes) -> str:
    """A vector's simple signature as a proof of funds that claims nothing."""
    pairs = {b"\x00": psbt.tx.serialize(witness=False)}
    raw = b"".join(psbt_fields.write_map(one) for one in (pairs, {b"\x08": witness}, {}))
    return bip322.PREFIX + base64.b64encode(b"psbt\xff" + raw).decode()


@pytest.mark.parametrize(("message", "hashed", "spend", "sign", "simple"), VECTORS)
def test_the_published_vectors(
    message: bytes, hashed: str, spend: str, sign: str, simple: str
) -> None:
    script = vector_script()
    psbt = to_sign(script, message, ())
    witness = base64.b64decode(simple)

    assert hashed == taproot.tagged_hash(bip322.TAG, message).hex()
    assert spend == to_spend(script.script_pubkey, message).txid
    assert spend == to_spend_txid(script.script_pubkey, message)[::-1].hex()
    assert sign == psbt.tx.txid
    reader = Reader(witness)
    signature, key = [reader.blob() for _ in range(reader.compact())]
    assert secp.verify_der(key, Sighasher(psbt).digest(0), signature[:-1])
    check_proof(message, script.script_pubkey, (), as_proof(psbt, witness))
    with pytest.raises(Failed) as caught:
        check_proof(message + b"!", script.script_pubkey, (), as_proof(psbt, witness))
    assert "bip322.message" == caught.value.code


def a_proof(template: Template, people: int) -> tuple[Psbt, str, list[Coin], bytes]:
    vault = utxo_vault(template, "v")
    held = [a_coin(vault, 5, 0), a_coin(vault, 70_000, 2)]
    claimed = [
        ClaimedCoin(
            outpoint=OutPoint(one.txid, one.vout),
            sats=one.units,
            script=vault.script_at(0, one.index),
        )
        for one in held
    ]
    psbt = to_sign(vault.script_at(0, 0), b"message", claimed)
    proof = bip322.proof_of(psbt, signatures_of(vault, psbt, PEOPLE[:people]))
    coins = [Coin(one.txid, one.vout, one.units, one.script) for one in held]
    return psbt, proof, coins, vault.script_pubkey_at(0, 0)


@pytest.mark.parametrize("template", SEGWIT)
def test_every_segwit_vault_proves_its_coins(template: Template) -> None:
    people = 2 if "wsh" in template else 1
    _, proof, coins, challenge = a_proof(template, people)
    check_proof(b"message", challenge, coins, proof)


def test_a_proof_reads_as_a_finalized_psbt_elsewhere() -> None:
    psbt, proof, coins, _ = a_proof(Template.WSH_MULTI, 2)
    read = embit_psbt.PSBT.parse(base64.b64decode(proof[3:]))

    spent = [(one.txid.hex(), one.vout) for one in read.inputs]
    assert [(one.txid, one.vout) for one in psbt.tx.inputs] == spent
    assert [0, 5, 70_000] == [one.witness_utxo.value for one in read.inputs]
    assert [4, 4, 4] == [len(one.final_scriptwitness.items) for one in read.inputs]
    assert 3 == len(coins) + 1


def test_a_third_signature_is_left_out() -> None:
    _, proof, coins, challenge = a_proof(Template.WSH_MULTI, 3)
    check_proof(b"message", challenge, coins, proof)


def test_too_few_and_foreign_signatures_make_no_proof() -> None:
    with pytest.raises(PsbtIncomplete):
        a_proof(Template.WSH_MULTI, 1)
    vault = utxo_vault(Template.WSH_MULTI, "v")
    psbt = to_sign(vault.script_at(0, 0), b"message", ())
    signed = signatures_of(vault, psbt, PEOPLE[:2])
    with pytest.raises(PsbtBadSignature):
        bip322.proof_of(psbt, [replace(signed[0], index=1)])
    other = to_sign(vault.script_at(0, 0), b"other", ())
    with pytest.raises(PsbtBadSignature):
        bip322.proof_of(other, signed)


@pytest.mark.parametrize("template", SEGWIT)
def test_no_chain_takes_what_is_signed(template: Template) -> None:
    vault = utxo_vault(template, "v")
    challenge = vault.script_pubkey_at(0, 0)
    psbt = to_sign(vault.script_at(0, 0), b"message", ())
    asked = to_spend(challenge, b"message")

    check_unpayable(psbt.tx, challenge, b"message")
    assert ("00" * 32, 0xFFFFFFFF) == (asked.inputs[0].txid, asked.inputs[0].vout)
    real = replace(psbt.tx.inputs[0], txid="11" * 32)
    for bad in (
        replace(psbt.tx, inputs=(real,)),
        replace(psbt.tx, outputs=(TxOutput(sats=1, script=b"\x6a"),)),
        replace(psbt.tx, outputs=(TxOutput(sats=0, script=challenge),)),
        replace(psbt.tx, outputs=psbt.tx.outputs * 2),
    ):
        with pytest.raises(Payable) as caught:
            check_unpayable(bad, challenge, b"message")
        assert isinstance(caught.value, CodecError)

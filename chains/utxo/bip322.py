"""BIP-322 proofs of funds: what is signed to show that coins are ours, and never moves them.

`to_spend` is a transaction that no block can hold: its one input is the null outpoint of coinbases,
and it commits to the message. `to_sign` spends it, and beside it every coin that is claimed, into
one OP_RETURN worth nothing. A signature over `to_sign` covers all its outpoints, so without the
transaction that cannot exist it is worth nothing on any chain. Segwit and taproot only: older
signatures do not cover the amounts.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chains.errors import CodecError
from chains.types import OutPoint
from chains.utxo import psbt_fields, taproot, transactions
from chains.utxo.descriptors import VaultScript
from chains.utxo.psbt import MAGIC, Psbt, PsbtInput, PsbtOutput, Sighasher
from chains.utxo.psbt_roles import Signature, unlock, verify_signature
from chains.utxo.transactions import Transaction, TxInput, TxOutput

PREFIX = "pof"
"""How BIP-322 marks a proof of funds: a finalized PSBT in base64 follows."""

TAG = "BIP0322-signed-message"
UNSPENDABLE = b"\x6a"
"""OP_RETURN and nothing else."""

_NULL_TXID, _NULL_VOUT = "00" * 32, 0xFFFFFFFF


class Payable(CodecError):
    """A transaction that some chain could take: it is never signed as a proof."""

    code = "bip322.payable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedCoin:
    """A coin and the script of ours that it pays; its amount is claimed, and signed for."""

    outpoint: OutPoint
    sats: int
    script: VaultScript


def to_spend(challenge: bytes, message: bytes) -> Transaction:
    """The transaction that never was: who is asked (an output script), and the message."""
    script_sig = b"\x00\x20" + taproot.tagged_hash(TAG, message)
    null = TxInput(txid=_NULL_TXID, vout=_NULL_VOUT, script_sig=script_sig, sequence=0)
    return Transaction(
        version=0, inputs=(null,), outputs=(TxOutput(sats=0, script=challenge),), locktime=0
    )


def to_sign(challenge: VaultScript, message: bytes, coins: Sequence[ClaimedCoin]) -> Psbt:
    """What is signed: a PSBT whose first input spends `to_spend`, the others the claimed coins."""
    asked = to_spend(challenge.script_pubkey, message)
    first = ClaimedCoin(outpoint=OutPoint(asked.txid, 0), sats=0, script=challenge)
    spent = (first, *coins)
    tx = Transaction(
        version=0,
        inputs=tuple(
            TxInput(txid=one.outpoint.txid, vout=one.outpoint.vout, sequence=0) for one in spent
        ),
        outputs=(TxOutput(sats=0, script=UNSPENDABLE),),
        locktime=0,
    )
    output = PsbtOutput(
        sats=0,
        script=UNSPENDABLE,
        redeem_script=b"",
        witness_script=b"",
        derivations=(),
        internal_key=b"",
        has_leaves=False,
        pairs={},
    )
    return Psbt(
        version=0,
        tx=tx,
        inputs=tuple(_input(one) for one in spent),
        outputs=(output,),
        all_taproot=False,
        pairs={},
    )


def check_unpayable(tx: Transaction, challenge: bytes, message: bytes) -> None:
    """Raise Payable unless no chain can ever take the transaction, and it would pay nobody."""
    if tx.inputs[0].txid != to_spend(challenge, message).txid:
        raise Payable("got a first input that may exist, expected the one that cannot")
    if tx.outputs != (TxOutput(sats=0, script=UNSPENDABLE),):
        raise Payable("got outputs that may be worth something, expected a single OP_RETURN of 0")


def proof_of(psbt: Psbt, signatures: Iterable[Signature]) -> str:
    """The finished proof in its text form; every signature is verified first.

    Raises PsbtBadSignature or PsbtIncomplete.
    """
    sighasher = Sighasher(psbt)
    signed = list(psbt.inputs)
    for one in signatures:
        if not 0 <= one.index < len(signed):
            raise psbt_fields.PsbtBadSignature(f"got a signature for input {one.index}")
        verify_signature(psbt, sighasher, one.index, one.public_key, one.signature)
        before = signed[one.index]
        if len(one.public_key) == taproot.XONLY_BYTES:
            signed[one.index] = replace(before, key_signature=one.signature)
        else:
            pair = (one.public_key, one.signature)
            signed[one.index] = replace(before, partial_sigs=(*before.partial_sigs, pair))
    maps: list[dict[bytes, bytes]] = [{b"\x00": psbt.tx.serialize(witness=False)}]
    maps += [_final_map(psbt, at, one) for at, one in enumerate(signed)]
    maps.append({})
    raw = MAGIC + b"".join(psbt_fields.write_map(pairs) for pairs in maps)
    return PREFIX + base64.b64encode(raw).decode()


def _final_map(psbt: Psbt, at: int, one: PsbtInput) -> dict[bytes, bytes]:
    spent = psbt.spent_output(at)
    script_sig, witness = unlock(at, one, spent.script)
    size = transactions.compact_size
    stack = size(len(witness)) + b"".join(size(len(item)) + item for item in witness)
    pairs = {b"\x01": transactions.serialize_output(spent)}
    if script_sig:
        pairs[b"\x07"] = script_sig
    return {**pairs, b"\x08": stack}


def _input(one: ClaimedCoin) -> PsbtInput:
    """An input as if a previous transaction had proven it: a false amount harms only the proof."""
    return PsbtInput(
        outpoint=one.outpoint,
        sequence=0,
        previous_output=TxOutput(sats=one.sats, script=one.script.script_pubkey),
        witness_utxo=None,
        partial_sigs=(),
        sighash_type=None,
        redeem_script=one.script.redeem_script,
        witness_script=one.script.witness_script,
        derivations=one.script.keys,
        final_script_sig=None,
        final_witness=None,
        internal_key=one.script.internal_key,
        key_signature=b"",
        has_leaves=False,
        pairs={},
    )

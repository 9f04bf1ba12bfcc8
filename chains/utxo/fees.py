"""Sizes before signing and what they cost. Feerates are satoshi per 1000 vbytes."""

from collections.abc import Iterable, Sequence

from chains.utxo.descriptors import Template
from chains.utxo.sources import ScriptSource
from chains.utxo.taproot import SIGNATURE_BYTES
from chains.utxo.transactions import compact_size

SIGNATURE_BYTES_MAX = 72
"""A DER signature with low S and its type byte; the estimate never falls short."""

_INPUT_BYTES = 40
_KEY_PUSH = 34
_SIGNATURE_PUSH = 1 + SIGNATURE_BYTES_MAX


def input_weight(vault: ScriptSource) -> int:
    """The most weight units that spending one coin of a vault takes."""
    script_sig, witness = _unlocking_bytes(vault)
    return 4 * (_INPUT_BYTES + len(compact_size(script_sig)) + script_sig) + witness


def output_weight(script: bytes) -> int:
    """Weight units of an output."""
    return 4 * (8 + len(compact_size(len(script))) + len(script))


def frame_weight(inputs: int, outputs: int) -> int:
    """Weight units of everything but inputs and outputs, segwit marker included."""
    counts = len(compact_size(inputs)) + len(compact_size(outputs))
    return 4 * (8 + counts) + 2


def transaction_vsize(inputs: Sequence[ScriptSource], scripts: Iterable[bytes]) -> int:
    """The most vbytes that a signed transaction of these inputs and outputs has."""
    outputs = [output_weight(script) for script in scripts]
    weight = sum(input_weight(vault) for vault in inputs) + sum(outputs)
    return vbytes(weight + frame_weight(len(inputs), len(outputs)))


def vbytes(weight: int) -> int:
    """Weight units as vbytes, rounded up (BIP-141)."""
    return -(-weight // 4)


def fee_sats(vsize: int, feerate: int) -> int:
    """The fee of `vsize` vbytes, rounded up."""
    return -(-vsize * feerate // 1000)


def _unlocking_bytes(vault: ScriptSource) -> tuple[int, int]:
    """Bytes of script signature and of witness; an empty witness still has its count byte."""
    single = _SIGNATURE_PUSH + _KEY_PUSH
    script = 3 + _KEY_PUSH * len(vault.keys)
    signatures = 1 + _SIGNATURE_PUSH * vault.threshold
    match vault.template:
        case Template.PKH:
            return single, 1
        case Template.WPKH:
            return 0, 1 + single
        case Template.SH_WPKH:
            return 23, 1 + single
        case Template.TR:
            return 0, 2 + SIGNATURE_BYTES
        case Template.SH_MULTI:
            return signatures + _push_bytes(script) + script, 1
    witness = 1 + signatures + len(compact_size(script)) + script
    return (35 if vault.template is Template.SH_WSH_MULTI else 0), witness


def _push_bytes(size: int) -> int:
    if size <= 75:
        return 1
    return 2 if size <= 0xFF else 3

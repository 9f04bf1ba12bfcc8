"""BIP-322 proofs of funds: a signed transaction that no chain can take, over the coins claimed.

`to_sign` spends an output that does not exist (of the virtual `to_spend`, which commits to the
message) and, beside it, every coin claimed. Read as BIP-322 writes it: "pof" and the finalized PSBT
in base64. Known are the outputs that wallets of ours have: P2WPKH and multisig P2WSH, both also in
P2SH, and P2TR by its key. Each signature covers the amount of its coin.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from .bytestream import Bytes
from .curve import verify_der, verify_schnorr
from .failures import Failed
from .hashes import hash160, sha256, sha256d, tagged
from .statement import Coin

PREFIX = "pof"
TAG = "BIP0322-signed-message"
UNSPENDABLE = b"\x6a"
"""OP_RETURN: the one output of every `to_sign`."""

_MAGIC = b"psbt\xff"
_ALL = 1
_MULTISIG_KEYS_MAX = 15


@dataclass(frozen=True)
class SignedInput:
    """An input of `to_sign`: where it spends from and what unlocks it."""

    outpoint: bytes
    sequence: bytes
    script_sig: bytes
    witness: tuple[bytes, ...]


@dataclass(frozen=True)
class ToSign:
    """The transaction that is signed: version 0, no lock time, one unspendable output."""

    inputs: tuple[SignedInput, ...]
    outputs: bytes


def to_spend_txid(challenge: bytes, message: bytes) -> bytes:
    """The name of the transaction that never was, in the order of bytes on the wire."""
    script_sig = b"\x00\x20" + tagged(TAG, message)
    raw = bytes(4) + b"\x01" + bytes(32) + b"\xff" * 4 + bytes((len(script_sig),)) + script_sig
    raw += bytes(4) + b"\x01" + bytes(8) + bytes((len(challenge),)) + challenge + bytes(4)
    return sha256d(raw)


def check_proof(message: bytes, challenge: bytes, coins: Sequence[Coin], proof: str) -> None:
    """Raise Failed (bip322.*) unless the proof is by all these coins and over this message."""
    signed = read_proof(proof)
    expected = [to_spend_txid(challenge, message) + bytes(4)]
    if not signed.inputs or signed.inputs[0].outpoint != expected[0]:
        raise Failed("bip322.message", "the proof is over another message or by another address")
    expected += [bytes.fromhex(one.txid)[::-1] + one.vout.to_bytes(4, "little") for one in coins]
    if [one.outpoint for one in signed.inputs] != expected:
        raise Failed("bip322.coins", "the proof is over other coins than are claimed")
    spent = [(0, challenge), *((one.units, one.script) for one in coins)]
    digests = _Digests(signed, spent)
    for at in range(len(spent)):
        _check_input(digests, at)


def read_proof(proof: str) -> ToSign:
    """The `to_sign` of a proof in its text form. Raises Failed (bip322.*)."""
    if not proof.startswith(PREFIX):
        raise Failed("bip322.form", f"expected {PREFIX} and a finalized PSBT in base64")
    try:
        raw = base64.b64decode(proof[len(PREFIX) :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Failed("bip322.form", "got no base64") from error
    if not raw.startswith(_MAGIC):
        raise Failed("bip322.form", "got no PSBT")
    stream = Bytes(raw[len(_MAGIC) :], "bip322.form")
    unsigned = stream.pairs().get(b"\x00")
    if unsigned is None:
        raise Failed("bip322.form", "got a PSBT without its transaction")
    bare, outputs = _read_unsigned(Bytes(unsigned, "bip322.form"))
    inputs = []
    for outpoint, sequence in bare:
        pairs = stream.pairs()
        witness = Bytes(pairs.get(b"\x08", b"\x00"), "bip322.form")
        stack = tuple(witness.blob() for _ in range(witness.compact()))
        witness.done()
        inputs.append(SignedInput(outpoint, sequence, pairs.get(b"\x07", b""), stack))
    stream.pairs()
    stream.done()
    return ToSign(tuple(inputs), outputs)


def _read_unsigned(stream: Bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Outpoints with sequences, and the outputs as they are hashed."""
    if stream.take(4) != bytes(4):
        raise Failed("bip322.version", "got another version, expected 0")
    inputs = []
    for _ in range(stream.compact()):
        outpoint = stream.take(36)
        if stream.blob():
            raise Failed("bip322.form", "got an unsigned transaction with a signature")
        inputs.append((outpoint, stream.take(4)))
    outputs = bytes(8) + bytes((len(UNSPENDABLE),)) + UNSPENDABLE
    # One output, worth nothing, that nobody can spend: what else is signed could be a payment.
    if stream.compact() != 1 or stream.take(len(outputs)) != outputs:
        raise Failed("bip322.outputs", "got other outputs than a single OP_RETURN worth nothing")
    if stream.take(4) != bytes(4):
        raise Failed("bip322.locktime", "got a lock time, expected none")
    stream.done()
    return inputs, outputs


class _Digests:
    """What signatures of each input sign, by BIP-143 and BIP-341."""

    def __init__(self, signed: ToSign, spent: Sequence[tuple[int, bytes]]) -> None:
        self.signed, self.spent = signed, spent
        self._outpoints = b"".join(one.outpoint for one in signed.inputs)
        self._sequences = b"".join(one.sequence for one in signed.inputs)

    def segwit(self, at: int, code: bytes) -> bytes:
        one = self.signed.inputs[at]
        return sha256d(
            bytes(4)
            + sha256d(self._outpoints)
            + sha256d(self._sequences)
            + one.outpoint
            + _sized(code)
            + self.spent[at][0].to_bytes(8, "little")
            + one.sequence
            + sha256d(self.signed.outputs)
            + bytes(4)
            + _ALL.to_bytes(4, "little")
        )

    def taproot(self, at: int, kind: int) -> bytes:
        amounts = b"".join(units.to_bytes(8, "little") for units, _ in self.spent)
        scripts = b"".join(_sized(script) for _, script in self.spent)
        parts = (self._outpoints, amounts, scripts, self._sequences, self.signed.outputs)
        return tagged(
            "TapSighash",
            bytes((0, kind))
            + bytes(8)
            + b"".join(sha256(part) for part in parts)
            + bytes(1)
            + at.to_bytes(4, "little"),
        )


def _check_input(digests: _Digests, at: int) -> None:
    one, script = digests.signed.inputs[at], digests.spent[at][1]
    if len(script) == 23 and script.startswith(b"\xa9\x14") and script.endswith(b"\x87"):
        redeem = one.script_sig[1:]
        if one.script_sig[:1] != bytes((len(redeem),)) or hash160(redeem) != script[2:22]:
            raise Failed("bip322.script", f"input {at}: another redeem script than its output's")
        script = redeem
    elif one.script_sig:
        raise Failed("bip322.script", f"input {at}: got a script signature, expected a witness")
    if len(script) == 34 and script.startswith(b"\x51\x20"):
        good = _good_taproot(digests, at, script[2:])
    elif len(script) == 22 and script.startswith(b"\x00\x14"):
        good = _good_key(digests, at, script[2:])
    elif len(script) == 34 and script.startswith(b"\x00\x20"):
        good = _good_multisig(digests, at, script[2:])
    else:
        raise Failed("bip322.script", f"input {at}: got an output of a kind not known here")
    if not good:
        raise Failed("bip322.signature", f"input {at}: its signatures do not verify")


def _good_taproot(digests: _Digests, at: int, key: bytes) -> bool:
    witness = digests.signed.inputs[at].witness
    if len(witness) != 1 or len(witness[0]) not in (64, 65):
        return False
    kind = witness[0][64] if len(witness[0]) == 65 else 0
    if len(witness[0]) == 65 and kind != _ALL:
        return False
    return verify_schnorr(key, digests.taproot(at, kind), witness[0][:64])


def _good_key(digests: _Digests, at: int, key_hash: bytes) -> bool:
    witness = digests.signed.inputs[at].witness
    if len(witness) != 2 or hash160(witness[1]) != key_hash:
        return False
    code = b"\x76\xa9\x14" + key_hash + b"\x88\xac"
    return _good_der(witness[1], digests.segwit(at, code), witness[0])


def _good_multisig(digests: _Digests, at: int, script_hash: bytes) -> bool:
    witness = digests.signed.inputs[at].witness
    if len(witness) < 3 or witness[0] or sha256(witness[-1]) != script_hash:
        return False
    threshold, keys = _multisig(witness[-1])
    signatures, digest = list(witness[1:-1]), digests.segwit(at, witness[-1])
    if len(signatures) != threshold:
        return False
    for key in keys:
        if signatures and _good_der(key, digest, signatures[0]):
            signatures.pop(0)
    return not signatures


def _multisig(script: bytes) -> tuple[int, list[bytes]]:
    """Threshold and keys of a plain multisig script. Raises Failed (bip322.script)."""
    count, rest = divmod(len(script) - 3, 34)
    keys = [script[2 + 34 * at : 35 + 34 * at] for at in range(count)]
    threshold = script[0] - 0x50
    body = b"".join(b"\x21" + key for key in keys)
    built = bytes((script[0],)) + body + bytes((0x50 + count & 0xFF, 0xAE))
    if rest or not 1 <= threshold <= count <= _MULTISIG_KEYS_MAX or built != script:
        raise Failed("bip322.script", "got a witness script that is no multisig")
    return threshold, keys


def _good_der(key: bytes, digest: bytes, signature: bytes) -> bool:
    return signature[-1:] == bytes((_ALL,)) and verify_der(key, digest, signature[:-1])


def _sized(data: bytes) -> bytes:
    """Bytes behind their length, as both digests want them."""
    size = len(data)
    return (bytes((size,)) if size < 0xFD else b"\xfd" + size.to_bytes(2, "little")) + data

"""Messages signed by a key: the old form of Bitcoin wallets, and BIP-322 simple over P2WPKH.

Only key records are ever signed: no message can be a transaction, and none comes from outside.
"""

import base64

from chains.errors import CodecError
from chains.utxo import scripts, taproot, transactions
from chains.utxo.psbt_fields import read_witness
from chains.utxo.scripts import sha256d
from chains.utxo.transactions import Transaction, TxInput, TxOutput, compact_size
from signer import secp

_PREFIX = b"Bitcoin Signed Message:\n"
_HEADERS = range(31, 43)
"""First byte of an old signature by a compressed key, whatever the address was (BIP-137)."""

_COMPRESSED = 4
_SIGHASH_ALL = b"\x01"
_SIGNATURE_CHARS_MAX = 300


def message_digest(message: bytes) -> bytes:
    """What the old form signs; the prefix keeps it apart from every transaction."""
    body = compact_size(len(_PREFIX)) + _PREFIX + compact_size(len(message)) + message
    return sha256d(body)


def sign_message(secret: bytes, message: bytes) -> str:
    """The old form in base64, by a compressed P2PKH key."""
    rsv = secp.sign_rsv(secret, message_digest(message))
    return base64.b64encode(bytes((rsv[64] + _COMPRESSED,)) + rsv[:64]).decode()


def is_signed(public_key: bytes, message: bytes, text: str) -> bool:
    """Whether a base64 signature of either form is by this compressed key."""
    if len(text) > _SIGNATURE_CHARS_MAX:
        return False
    try:
        raw = base64.b64decode(text.removeprefix("smp"), validate=True)
    except ValueError:
        return False
    if len(raw) == 65:
        known = raw[0] in _HEADERS
        return known and secp.verify_rs(public_key, message_digest(message), raw[1:])
    return _is_simple(public_key, message, raw)


def _is_simple(public_key: bytes, message: bytes, raw: bytes) -> bool:
    """BIP-322: a witness that would spend an output which commits to the message."""
    try:
        witness = read_witness(raw)
    except CodecError:
        return False
    if len(witness) != 2 or witness[1] != public_key or witness[0][-1:] != _SIGHASH_ALL:
        return False
    return secp.verify_der(public_key, simple_digest(public_key, message), witness[0][:-1])


def simple_digest(public_key: bytes, message: bytes) -> bytes:
    """The BIP-143 digest of BIP-322's `to_sign`, for the P2WPKH output of a key."""
    key_hash = scripts.hash160(public_key)
    commitment = taproot.tagged_hash("BIP0322-signed-message", message)
    nowhere = TxInput(
        txid=bytes(32).hex(),
        vout=0xFFFFFFFF,
        script_sig=b"\x00" + scripts.push(commitment),
        sequence=0,
    )
    challenge = TxOutput(sats=0, script=scripts.p2wpkh(key_hash))
    to_spend = Transaction(version=0, inputs=(nowhere,), outputs=(challenge,))
    outpoint, sequence = transactions.outpoint_bytes(to_spend.txid, 0), bytes(4)
    code = scripts.p2pkh(key_hash)
    nothing = transactions.serialize_output(TxOutput(sats=0, script=b"\x6a"))
    return sha256d(
        bytes(4)
        + sha256d(outpoint)
        + sha256d(sequence)
        + outpoint
        + compact_size(len(code))
        + code
        + bytes(8)
        + sequence
        + sha256d(nothing)
        + bytes(4)
        + (1).to_bytes(4, "little")
    )

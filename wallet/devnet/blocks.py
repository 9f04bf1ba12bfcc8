"""Blocks built by hand for development chains: exactly the transactions wanted, and mined.

A node's own miner takes whatever is in its pool. A reorganisation that loses a transaction needs
blocks that leave it out, or hold its rival: those are built here and handed over by `submitblock`.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from embit.transaction import Transaction

from wallet.devnet.errors import DevnetError

_HALVING_BLOCKS = 150
"""Both nodes halve the regtest subsidy of 50 coins this often."""

_BITS = 0x207FFFFF
"""The regtest proof-of-work limit: every second hash passes, and it never changes."""

_TARGET = 0x7FFFFF << (8 * (0x20 - 3))

VERSION = 0x20000003
"""BIP-9 version signalling bits 0 (CSV) and 1 (SegWit)."""

Hash = Callable[[bytes], bytes]


def sha256d(data: bytes) -> bytes:
    """Double SHA-256, the id of everything and Bitcoin's proof of work."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def scrypt_pow(header: bytes) -> bytes:
    """Litecoin's proof of work of a header."""
    return hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the next block stands on; `parent` is the previous block's hash as RPC shows it."""

    parent: str
    height: int
    time_s: int
    reward_script: bytes


def subsidy_sats(height: int) -> int:
    """The most a coinbase may claim at `height`, fees apart."""
    return 50 * 10**8 >> (height // _HALVING_BLOCKS)


def build_block(
    template: Template, transactions: Sequence[bytes], proof_of_work: Hash, salt: bytes = b""
) -> bytes:
    """A block with these transactions after its coinbase, mined; fees are left unclaimed.

    `salt` makes otherwise equal blocks differ. Raises DevnetError if no nonce fits.
    """
    parsed = [Transaction.parse(raw) for raw in transactions]
    commitment = _witness_commitment(transactions) if any(tx.is_segwit for tx in parsed) else None
    coinbase, coinbase_id = _coinbase(template, commitment, salt)
    root = _merkle_root([coinbase_id, *(tx.txid()[::-1] for tx in parsed)])
    prefix = b"".join(
        (
            VERSION.to_bytes(4, "little"),
            bytes.fromhex(template.parent)[::-1],
            root,
            template.time_s.to_bytes(4, "little"),
            _BITS.to_bytes(4, "little"),
        )
    )
    header = _mine(prefix, proof_of_work)
    count = _compact_size(1 + len(transactions))
    return b"".join((header, count, coinbase, *transactions))


def block_hash(block: bytes) -> str:
    """The id of a block as RPC shows it."""
    return sha256d(block[:80])[::-1].hex()


def _mine(prefix: bytes, proof_of_work: Hash) -> bytes:
    for nonce in range(1 << 16):
        header = prefix + nonce.to_bytes(4, "little")
        if int.from_bytes(proof_of_work(header), "little") <= _TARGET:
            return header
    raise DevnetError("got no nonce in 65536 tries, expected about two to be enough")


def _coinbase(template: Template, commitment: bytes | None, salt: bytes) -> tuple[bytes, bytes]:
    """The coinbase as it stands in the block, and its id in byte order of the Merkle tree."""
    script_sig = _height_push(template.height) + _push(b"devnet" + salt)
    inputs = b"\x01" + bytes(32) + b"\xff" * 4 + _sized(script_sig) + b"\xff" * 4
    outputs = [_output(subsidy_sats(template.height), template.reward_script)]
    if commitment is not None:
        outputs.append(_output(0, b"\x6a\x24\xaa\x21\xa9\xed" + commitment))
    body = inputs + _compact_size(len(outputs)) + b"".join(outputs)
    version, lock_time = (2).to_bytes(4, "little"), bytes(4)
    stripped = version + body + lock_time
    if commitment is None:
        return stripped, sha256d(stripped)
    # BIP-141: the coinbase's witness holds the reserved value, 32 zero bytes.
    witness = b"\x01\x20" + bytes(32)
    return version + b"\x00\x01" + body + witness + lock_time, sha256d(stripped)


def _witness_commitment(transactions: Sequence[bytes]) -> bytes:
    leaves = [bytes(32), *(sha256d(raw) for raw in transactions)]
    return sha256d(_merkle_root(leaves) + bytes(32))


def _merkle_root(leaves: Sequence[bytes]) -> bytes:
    level = list(leaves)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def _height_push(height: int) -> bytes:
    """BIP-34: the height as the first push, small numbers as opcodes."""
    if height <= 16:
        return bytes([0x50 + height])
    # One bit more than the number needs, because script numbers carry a sign bit.
    return _push(height.to_bytes((height.bit_length() + 8) // 8, "little"))


def _push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _output(sats: int, script: bytes) -> bytes:
    return sats.to_bytes(8, "little") + _sized(script)


def _sized(data: bytes) -> bytes:
    return _compact_size(len(data)) + data


def _compact_size(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    return b"\xfe" + number.to_bytes(4, "little")

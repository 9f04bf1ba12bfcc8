"""Blocks of a Bitcoin-family regtest chain: real bytes with a Merkle root and proof of work."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chains.simulated.line import Lie
from chains.types import BlockRef
from chains.utxo.blocks import HEADER_BYTES, check_work, merkle_root
from chains.utxo.params import UtxoParams
from chains.utxo.targets import WrongProofOfWork
from chains.utxo.transactions import Transaction, TxInput, TxOutput, compact_size

ANYBODY = b"\x51"
"""A script that anybody can spend (OP_TRUE): where this chain's miners keep their reward."""

REWARD_SATS = 50 * 10**8
_NOWHERE = "00" * 32
_COINBASE_VOUT = 0xFFFFFFFF
_VERSION = 0x20000000


@dataclass(frozen=True, slots=True, kw_only=True)
class MinedBlock:
    """A block as everybody sees it; the first transaction is the coinbase."""

    ref: BlockRef
    raw: bytes
    txs: tuple[Transaction, ...]

    @property
    def header(self) -> bytes:
        """The 80 bytes that name it."""
        return self.raw[:HEADER_BYTES]

    @property
    def payments(self) -> tuple[Transaction, ...]:
        """All but the coinbase."""
        return self.txs[1:]


def mine_block(
    params: UtxoParams, parent: BlockRef | None, time_s: int, salt: int, txs: Sequence[Transaction]
) -> MinedBlock:
    """The next block; `salt` keeps two blocks of the same contents apart."""
    height = 0 if parent is None else parent.height + 1
    parent_hash = _NOWHERE if parent is None else parent.hash
    script = b"\x08" + height.to_bytes(4, "little") + salt.to_bytes(4, "little")
    coinbase = Transaction(
        inputs=(TxInput(txid=_NOWHERE, vout=_COINBASE_VOUT, script_sig=script),),
        outputs=(TxOutput(sats=REWARD_SATS, script=ANYBODY),),
    )
    everything = (coinbase, *txs)
    root = merkle_root([bytes.fromhex(tx.txid)[::-1] for tx in everything])
    header = _work(params, _VERSION, parent_hash, root, time_s)
    name = hashlib.sha256(hashlib.sha256(header).digest()).digest()[::-1].hex()
    return MinedBlock(
        ref=BlockRef(height=height, hash=name, parent=parent_hash, time_s=time_s),
        raw=_join(header, everything),
        txs=everything,
    )


def untrue(block: MinedBlock, lie: Lie, other: MinedBlock) -> bytes:
    """What a dishonest node shows for a block."""
    match lie:
        case Lie.OMITS:
            return _join(block.header, block.txs[:-1])
        case Lie.INFLATES:
            return _join(block.header, [_richer(tx) for tx in block.txs])
        case Lie.OTHER_BLOCK:
            return other.raw


def _richer(tx: Transaction) -> Transaction:
    return replace(tx, outputs=tuple(replace(o, sats=o.sats + 1) for o in tx.outputs))


def _join(header: bytes, txs: Sequence[Transaction]) -> bytes:
    return header + compact_size(len(txs)) + b"".join(tx.serialize() for tx in txs)


def _work(params: UtxoParams, version: int, parent: str, root: bytes, time_s: int) -> bytes:
    """A header whose hash meets the chain's easiest target: about two tries on a regtest."""
    bits = params.pow_limit_bits
    start = version.to_bytes(4, "little") + bytes.fromhex(parent)[::-1] + root
    start += time_s.to_bytes(4, "little") + bits.to_bytes(4, "little")
    nonce = 0
    while True:
        header = start + nonce.to_bytes(4, "little")
        try:
            check_work(params, bits, header)
        except WrongProofOfWork:
            nonce += 1
        else:
            return header

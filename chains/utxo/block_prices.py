"""What a mined block cost: fees taken over vbytes used, from its raw bytes alone.

Fees are what the coinbase takes beyond the subsidy, so no input has to be looked up. A block with
room left shows that the least fee was enough: its price is 0.
"""

from chains.errors import CodecError
from chains.utxo import auxpow
from chains.utxo.blocks import HEADER_BYTES, BlockError, WrongBlock, parse_header
from chains.utxo.params import UtxoParams
from chains.utxo.transactions import Reader, Transaction, read

BLOCK_VBYTES_MAX = 1_000_000
"""Vbytes of a full block (BIP-141)."""

FULL_VBYTES_MIN = 900_000
"""A block with less than these left room, whatever its miner's own limit."""


def block_price_sats(params: UtxoParams, raw: bytes, height: int, block_hash: str) -> int | None:
    """Average sats per 1000 vbytes of a block; None where the subsidy of the chain is not known.

    Raises CodecError. The Merkle root is not recomputed: the scan did, and no money depends on it.
    """
    if not params.halving_blocks:
        return None
    header = parse_header(params, raw)
    if header.hash != block_hash:
        raise WrongBlock(f"got block {header.hash}, expected {block_hash}")
    reader = Reader(raw)
    reader.at = HEADER_BYTES
    if auxpow.is_merged(params, header.version):
        auxpow.read(params, reader, header.version, bytes.fromhex(header.hash))
    count = reader.count(10)
    if not count:
        raise BlockError("got a block without transactions")
    coinbase = read(reader)
    vbytes = sum(_vbytes_at(reader) for _ in range(count - 1))
    if vbytes < FULL_VBYTES_MIN:
        return 0
    fees = _paid(coinbase) - subsidy_sats(params, height)
    if fees < 0:
        raise CodecError(f"got a coinbase {-fees} below the subsidy at {height}")
    return fees * 1000 // vbytes


def subsidy_sats(params: UtxoParams, height: int) -> int:
    """What a block may create out of nothing."""
    halvings = height // params.halving_blocks
    return params.subsidy_sats >> halvings if halvings < 64 else 0


def _paid(transaction: Transaction) -> int:
    return sum(output.sats for output in transaction.outputs)


def _vbytes_at(reader: Reader) -> int:
    start = reader.at
    bare = len(read(reader).serialize(witness=False))
    return -(-(3 * bare + reader.at - start) // 4)

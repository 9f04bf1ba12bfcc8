"""Merged mining (as Dogecoin does it): the work of a block is that of another chain's header.

The other chain's coinbase commits to our block hash; two Merkle branches and a magic prove it.
"""

from chains.errors import CodecError
from chains.utxo import transactions
from chains.utxo.params import UtxoParams
from chains.utxo.scripts import sha256d
from chains.utxo.transactions import Reader

_VERSION_BIT = 0x100
_MAGIC = b"\xfa\xbemm"
_BRANCH_MAX = 30
_HEADER_BYTES = 80


class AuxPowError(CodecError):
    """A merged-mining proof that does not prove this block."""

    code = "block.wrong_auxpow"


def is_merged(params: UtxoParams, version: int) -> bool:
    """Whether a header of this version is followed by a merged-mining proof."""
    return params.auxpow_chain_id is not None and bool(version & _VERSION_BIT)


def read(params: UtxoParams, reader: Reader, version: int, block_hash: bytes) -> bytes:
    """The parent chain's 80-byte header, once it is proved to commit to `block_hash`.

    `block_hash` is in the order people write. The caller checks the parent header's work.
    Raises AuxPowError.
    """
    if version >> 16 != params.auxpow_chain_id:
        raise AuxPowError(f"got chain id {version >> 16}, expected {params.auxpow_chain_id}")
    coinbase = transactions.read(reader)
    reader.take(32)
    branch, index = _branch(reader)
    chain_branch, chain_index = _branch(reader)
    header = reader.take(_HEADER_BYTES)
    if index != 0 or not coinbase.inputs:
        raise AuxPowError(f"got position {index} in the parent block, expected its coinbase at 0")
    parent_version = int.from_bytes(header[:4], "little")
    if parent_version >> 16 == params.auxpow_chain_id:
        raise AuxPowError("got a parent block of the same chain")
    coinbase_hash = bytes.fromhex(coinbase.txid)[::-1]
    if _fold(coinbase_hash, branch, 0) != header[36:68]:
        raise AuxPowError("the parent's coinbase is not in the parent block")
    root = _fold(block_hash[::-1], chain_branch, chain_index)[::-1]
    chain_id = params.auxpow_chain_id or 0
    _check_commitment(coinbase.inputs[0].script_sig, root, chain_id, len(chain_branch), chain_index)
    return header


def _branch(reader: Reader) -> tuple[list[bytes], int]:
    size = reader.count(32)
    if size > _BRANCH_MAX:
        raise AuxPowError(f"got {size} Merkle steps, expected at most {_BRANCH_MAX}")
    hashes = [reader.take(32) for _ in range(size)]
    return hashes, reader.number(4)


def _fold(leaf: bytes, branch: list[bytes], index: int) -> bytes:
    for step in branch:
        leaf = sha256d(step + leaf) if index & 1 else sha256d(leaf + step)
        index >>= 1
    return leaf


def _check_commitment(script: bytes, root: bytes, chain_id: int, height: int, index: int) -> None:
    at = script.find(_MAGIC + root)
    if at < 0 or script.count(_MAGIC) != 1:
        raise AuxPowError("the parent's coinbase does not commit to this block exactly once")
    tail = script[at + 36 : at + 44]
    size, nonce = int.from_bytes(tail[:4], "little"), int.from_bytes(tail[4:], "little")
    if len(tail) != 8 or size != 1 << height or index != _slot(nonce, chain_id, height):
        raise AuxPowError("the block is not at its chain's own place in the parent's commitment")


def _slot(nonce: int, chain_id: int, height: int) -> int:
    """Where a chain must stand, so that one proof cannot serve two of its blocks."""
    number = (nonce * 1103515245 + 12345) & 0xFFFFFFFF
    number = (number + chain_id) & 0xFFFFFFFF
    number = (number * 1103515245 + 12345) & 0xFFFFFFFF
    return number % (1 << height)

"""Raw blocks: header, proof of work, Merkle root, and one walk that finds what concerns us.

The walk reads every byte once and builds objects only for hits, because a block has thousands of
outputs and almost none of them is ours.
"""

import hashlib
from collections.abc import Callable, Container
from dataclasses import dataclass

from chains.errors import CodecError
from chains.ports import Watched
from chains.types import BlockRef, BlockScan, Evidence, Inflow, OutPoint, Spend
from chains.utxo import auxpow, mweb, transactions
from chains.utxo.params import ProofOfWork, UtxoParams
from chains.utxo.targets import WrongProofOfWork, target_of
from chains.utxo.transactions import MWEB_FLAG, WITNESS_FLAG, Reader, compact_at
from chains.watched import WatchedOutpoints

HEADER_BYTES = 80

COINBASE_MATURITY_BLOCKS = 100
"""Blocks after which a block's reward may be spent, on every chain of this family."""

_COINBASE_INPUT = b"\x01" + bytes(32) + b"\xff" * 4
"""How the inputs of a coinbase begin: one, and it spends no output."""

BLOCK_BYTES_MAX = 32_000_000
"""Far above any block of these chains, MWEB extension included; refused before parsing."""


class BlockError(CodecError):
    """Bytes that are not the block they claim to be."""

    code = "block.malformed"


class WrongMerkleRoot(BlockError):
    """Transactions that are not those the header commits to."""

    code = "block.wrong_merkle_root"


class NoCoinbase(BlockError):
    """A first transaction that is no coinbase.

    Inner nodes of the Merkle tree are 64 bytes, and so may transactions be: a list of inner nodes
    has the same root. None of them is a coinbase, which would take 224 bits of work to find.
    """

    code = "block.no_coinbase"


class WrongHogex(BlockError):
    """A HogEx (Litecoin's last transaction since MWEB) that is not the last transaction."""

    code = "block.wrong_hogex"


class WrongBlock(BlockError):
    """Another block than the one asked for."""

    code = "block.wrong_hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block header; hashes are lower-case hex as people write them."""

    hash: str
    version: int
    parent: str
    merkle_root: bytes
    time_s: int
    bits: int
    raw: bytes

    def ref(self, height: int) -> BlockRef:
        """The block by name, at a height that the header itself does not tell."""
        return BlockRef(
            height=height,
            hash=self.hash,
            parent=self.parent,
            time_s=self.time_s,
            bits=self.bits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A transaction with something of ours: outputs (index, sats, script) and spent outpoints.

    `raw` is the transaction without witnesses: all that its txid covers, readable by any parser.
    `maturity_blocks` is how deep its outputs must be before they may be spent.
    """

    txid: str
    raw: bytes
    outputs: tuple[tuple[int, int, bytes], ...]
    spends: tuple[OutPoint, ...]
    maturity_blocks: int = 0


def parse_header(params: UtxoParams, raw: bytes) -> Header:
    """The header at the start of `raw`, its own proof of work checked (not an auxpow).

    Raises BlockError.
    """
    if len(raw) < HEADER_BYTES:
        raise BlockError(f"got {len(raw)} bytes, expected at least {HEADER_BYTES}")
    raw = raw[:HEADER_BYTES]
    header = Header(
        hash=_sha256d(raw)[::-1].hex(),
        version=int.from_bytes(raw[:4], "little"),
        parent=raw[35:3:-1].hex(),
        merkle_root=raw[36:68],
        time_s=int.from_bytes(raw[68:72], "little"),
        bits=int.from_bytes(raw[72:76], "little"),
        raw=raw,
    )
    if not auxpow.is_merged(params, header.version):
        check_work(params, header.bits, raw)
    return header


def check_work(params: UtxoParams, bits: int, raw_header: bytes) -> None:
    """Raise WrongProofOfWork unless the header's work meets `bits` and `bits` the chain's limit."""
    target = target_of(bits)
    if not 0 < target <= target_of(params.pow_limit_bits):
        raise WrongProofOfWork(f"got target bits {bits:08x}, easier than {params.id} allows")
    if params.pow == ProofOfWork.SCRYPT:
        work = hashlib.scrypt(raw_header, salt=raw_header, n=1024, r=1, p=1, dklen=32)
    else:
        work = _sha256d(raw_header)
    if int.from_bytes(work, "little") > target:
        raise WrongProofOfWork("got a header hash above its own target")


def scan_block(
    params: UtxoParams,
    raw: bytes,
    height: int,
    watched: Watched,
    expected_hash: str,
    *,
    asset: str | None = None,
) -> BlockScan:
    """Every movement of one block to or from what is watched. Raises CodecError.

    Nothing of a block is believed unless its hash, work and Merkle root hold. `asset` names the
    currency, if other than `params` does.
    """
    header, hits = read_block(params, raw, watched)
    _check_name(header, expected_hash)
    inflows = []
    for hit in hits:
        for vout, sats, script in hit.outputs:
            if sats > params.money_sats_max:
                raise BlockError(f"got {sats} in output {hit.txid}:{vout}, more than there is")
            inflows.append(
                Inflow(
                    txid=hit.txid,
                    position=f"out:{vout}",
                    asset=asset or params.native,
                    target=script,
                    units=sats,
                    evidence=Evidence.OUTPUT,
                    raw_tx=hit.raw,
                    maturity_blocks=hit.maturity_blocks,
                )
            )
    spends = [Spend(outpoint=one, txid=hit.txid) for hit in hits for one in hit.spends]
    return BlockScan(ref=header.ref(height), inflows=tuple(inflows), spends=tuple(spends))


def has_transaction(params: UtxoParams, raw: bytes, expected_hash: str, txid: str) -> bool:
    """Whether a checked block holds a transaction. Raises CodecError."""
    header, txids, _ = _read(params, raw, _Nothing())
    _check_name(header, expected_hash)
    return bytes.fromhex(txid)[::-1] in txids


def read_block(params: UtxoParams, raw: bytes, watched: Watched) -> tuple[Header, list[Hit]]:
    """Header and hits of a block whose work and Merkle root hold. Raises CodecError."""
    header, _, hits = _read(params, raw, watched)
    return header, hits


class _Nothing:
    """Watches nothing."""

    targets: Container[bytes] = frozenset()
    outpoints: Container[OutPoint] = frozenset()


def _check_name(header: Header, expected_hash: str) -> None:
    if header.hash != expected_hash:
        raise WrongBlock(f"got block {header.hash}, expected {expected_hash}")


def _read(
    params: UtxoParams, raw: bytes, watched: Watched
) -> tuple[Header, list[bytes], list[Hit]]:
    """Header, txids in internal order, and hits."""
    if len(raw) > BLOCK_BYTES_MAX:
        raise BlockError(f"got {len(raw)} bytes, expected at most {BLOCK_BYTES_MAX}")
    header = parse_header(params, raw)
    reader = Reader(raw)
    reader.at = HEADER_BYTES
    if auxpow.is_merged(params, header.version):
        parent_header = auxpow.read(params, reader, header.version, bytes.fromhex(header.hash))
        check_work(params, header.bits, parent_header)
    count = reader.count(10)
    try:
        _check_coinbase(raw, reader.at)
        txids, hits, at, hogex_at = _walk(raw, reader.at, count, watched)
    except IndexError:
        raise BlockError("got a block that ends in the middle of a transaction") from None
    extended = hogex_at and params.mweb
    if (hogex_at and not params.mweb) or at > len(raw) or (at != len(raw) and not extended):
        raise BlockError(f"got {len(raw)} bytes, expected {at} for {count} transactions")
    if merkle_root(txids) != header.merkle_root:
        raise WrongMerkleRoot("the transactions are not those of the header")
    if extended:
        hogex = transactions.parse(raw[hogex_at:at])
        mweb.check_extension(hogex.outputs[0].script if hogex.outputs else b"", raw[at:])
    return header, txids, hits


def _check_coinbase(raw: bytes, at: int) -> None:
    """Raise NoCoinbase unless the transaction at a position spends nothing. Or IndexError."""
    at += 6 if raw[at + 4] == 0 else 4
    if raw[at : at + 37] != _COINBASE_INPUT:
        raise NoCoinbase("got a block whose first transaction is no coinbase")


def merkle_root(txids: list[bytes]) -> bytes:
    """The root over hashes in internal order. Raises WrongMerkleRoot for CVE-2012-2459 repeats."""
    level = txids
    if not level:
        raise BlockError("got a block without transactions")
    sha256 = hashlib.sha256
    while len(level) > 1:
        if len(level) & 1:
            level = [*level, level[-1]]
        elif level[-1] == level[-2]:
            # An honest odd level is padded with a copy; a real copy at its end gives the same root.
            raise WrongMerkleRoot("got the same transactions twice at the end of the block")
        level = [
            sha256(sha256(level[at] + level[at + 1]).digest()).digest()
            for at in range(0, len(level), 2)
        ]
    return level[0]


def _sha256d(data: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def _outpoint_test(watched: Watched) -> Callable[[bytes], bool]:
    outpoints = watched.outpoints
    if isinstance(outpoints, WatchedOutpoints):
        return outpoints.raw.__contains__
    return lambda raw: OutPoint(raw[31::-1].hex(), int.from_bytes(raw[32:], "little")) in outpoints


def _walk(
    raw: bytes, at: int, count: int, watched: Watched
) -> tuple[list[bytes], list[Hit], int, int]:
    """Txids in internal order, hits, the position after the last transaction, that of a HogEx or 0.

    Written out instead of calling the codec: this is the loop that every byte of a chain passes.
    IndexError means that the bytes ended early.
    """
    sha256 = hashlib.sha256
    is_target = watched.targets.__contains__
    is_outpoint = _outpoint_test(watched)
    fresh: set[bytes] = set()
    txids: list[bytes] = []
    hits: list[Hit] = []
    start = flag = 0
    for number in range(count):
        start, flag = at, 0
        at += 4
        if raw[at] == 0:
            flag = raw[at + 1]
            if not flag or flag & ~(WITNESS_FLAG | MWEB_FLAG):
                raise BlockError(f"got transaction flag {flag}, expected 1 (or 8 and 9 on LTC)")
            if flag & MWEB_FLAG and number != count - 1:
                raise WrongHogex(f"got a HogEx as transaction {number} of {count}")
            at += 2
        body = at
        inputs = raw[at]
        if inputs < 0xFD:
            at += 1
        else:
            inputs, at = compact_at(raw, at)
        spent: list[bytes] = []
        for _ in range(inputs):
            outpoint = raw[at : at + 36]
            size = raw[at + 36]
            if size < 0xFD:
                at += 41 + size
            else:
                size, at = compact_at(raw, at + 36)
                at += size + 4
            if is_outpoint(outpoint) or outpoint in fresh:
                spent.append(outpoint)
        outputs = raw[at]
        if outputs < 0xFD:
            at += 1
        else:
            outputs, at = compact_at(raw, at)
        paid: list[tuple[int, int, bytes]] = []
        for vout in range(outputs):
            size = raw[at + 8]
            if size < 0xFD:
                script_at = at + 9
            else:
                size, script_at = compact_at(raw, at + 8)
            script = raw[script_at : script_at + size]
            if is_target(script):
                paid.append((vout, int.from_bytes(raw[at : at + 8], "little"), script))
            at = script_at + size
        end = at
        if flag:
            at = _skip_extras(raw, at, inputs, flag)
        at += 4
        bare = raw[start : start + 4] + raw[body:end] + raw[at - 4 : at] if flag else raw[start:at]
        txid = sha256(sha256(bare).digest()).digest()
        txids.append(txid)
        if paid or spent:
            fresh.update(txid + vout.to_bytes(4, "little") for vout, _, _ in paid)
            hits.append(_hit(txid, bare, paid, spent, _maturity_blocks(number, flag)))
    return txids, hits, at, start if flag & MWEB_FLAG else 0


def _maturity_blocks(number: int, flag: int) -> int:
    if flag & MWEB_FLAG:
        return mweb.PEGOUT_MATURITY_BLOCKS
    return 0 if number else COINBASE_MATURITY_BLOCKS


def _skip_extras(raw: bytes, at: int, inputs: int, flag: int) -> int:
    """The position after the witnesses, and after a HogEx's empty MWEB field."""
    if flag & WITNESS_FLAG:
        for _ in range(inputs):
            items = raw[at]
            if items < 0xFD:
                at += 1
            else:
                items, at = compact_at(raw, at)
            for _ in range(items):
                size = raw[at]
                if size < 0xFD:
                    at += 1 + size
                else:
                    size, at = compact_at(raw, at)
                    at += size
    if flag & MWEB_FLAG:
        if raw[at]:
            raise BlockError("got MWEB data inside a transaction, expected a HogEx")
        at += 1
    return at


def _hit(
    txid: bytes,
    bare: bytes,
    paid: list[tuple[int, int, bytes]],
    spent: list[bytes],
    maturity_blocks: int,
) -> Hit:
    return Hit(
        txid=txid[::-1].hex(),
        raw=bare,
        outputs=tuple(paid),
        spends=tuple(
            OutPoint(one[31::-1].hex(), int.from_bytes(one[32:], "little")) for one in spent
        ),
        maturity_blocks=maturity_blocks,
    )

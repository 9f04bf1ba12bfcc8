"""Scanning a mainnet block of 1 MB: with Merkle root and work checked, few or many scripts watched.

`GLAYTOS_BENCH_SCRIPTS` sets the larger number of watched scripts (ten million by default, which
takes about 20 seconds to fill and 135 MB).
"""

import os
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from embit import compact
from embit.transaction import Transaction as EmbitTransaction

from chains.types import OutPoint
from chains.utxo import blocks
from chains.utxo.params import BUILTIN
from chains.watched import WatchedOutpoints, WatchedScripts
from tests.bench.timing import BenchRow, best_ns

BLOCK = (
    Path(__file__).parents[3] / "shared" / "vectors" / "btc_mainnet_block_413567.raw"
)  # published data, read in place
HEIGHT = 413567
FEW = 10_000
MANY = int(os.environ.get("GLAYTOS_BENCH_SCRIPTS", "10000000"))
AIM_NS = 15_000_000
BYTES_A_SCRIPT_MAX = 40


@dataclass(slots=True)
class Watching:
    """What is looked for."""

    targets: Container[bytes]
    outpoints: Container[OutPoint]


def rows() -> list[BenchRow]:
    """Ours with few and many scripts, beside bitcoinlib, embit and a bare walk."""
    if not BLOCK.is_file():
        return []
    raw = BLOCK.read_bytes()
    few, many = WatchedScripts(), WatchedScripts()
    few.update(_scripts(FEW))
    many.update(_scripts(MANY))
    outpoints = WatchedOutpoints(OutPoint(f"{at:064x}", at) for at in range(10_000))
    with_few = _scan_ns(raw, Watching(few, outpoints))
    with_many = _scan_ns(raw, Watching(many, outpoints))
    each = -(-many.memory_bytes // len(many))
    work = f"scan a 1 MB block, {len(few):,} scripts watched"
    peers = {
        "bitcoinlib (parse, no Merkle root)": best_ns(lambda: _bitcoinlib(raw), rounds=2),
        "embit (parse, no Merkle root)": best_ns(lambda: _embit(raw), rounds=5),
        "a bare walk over the bytes": best_ns(lambda: _bare_walk(raw), rounds=30),
    }
    found = [
        BenchRow(work=work, ours=with_few, peer=peer, theirs=ns, aim=AIM_NS)
        for peer, ns in peers.items()
    ]
    found.append(
        BenchRow(
            work=f"scan a 1 MB block, {len(many):,} scripts watched",
            ours=with_many,
            peer=f"ours with {len(few):,}",
            theirs=with_few,
            aim=AIM_NS,
            note=f"{each} bytes a script (aim <= {BYTES_A_SCRIPT_MAX})",
        )
    )
    return found


def _scan_ns(raw: bytes, watched: Watching) -> int:
    params = BUILTIN["bitcoin"]
    name = blocks.parse_header(params, raw).hash
    return best_ns(lambda: blocks.scan_block(params, raw, HEIGHT, watched, name), rounds=30)


def _scripts(count: int) -> Iterator[bytes]:
    return (b"\x00\x14" + at.to_bytes(20, "big") for at in range(count))


def _bitcoinlib(raw: bytes) -> None:
    os.environ.setdefault("BCL_DATA_DIR", tempfile.mkdtemp(prefix="bench-bitcoinlib-"))
    from bitcoinlib.blocks import Block

    Block.parse_bytes(raw, parse_transactions=True)


def _embit(raw: bytes) -> None:
    stream = BytesIO(raw[80:])
    for _ in range(compact.read_from(stream)):
        tx = EmbitTransaction.read_from(stream)
        tx.txid()


def _bare_walk(raw: bytes) -> int:
    """Only the lengths: no hash, no match, nothing kept."""
    at = 83
    for _ in range(int.from_bytes(raw[81:83], "little")):
        at += 4
        segwit = raw[at] == 0
        at += 2 if segwit else 0
        inputs, at = _count(raw, at)
        for _ in range(inputs):
            size, at = _count(raw, at + 36)
            at += size + 4
        outputs, at = _count(raw, at)
        for _ in range(outputs):
            size, at = _count(raw, at + 8)
            at += size
        if segwit:
            for _ in range(inputs):
                items, at = _count(raw, at)
                for _ in range(items):
                    size, at = _count(raw, at)
                    at += size
        at += 4
    return at


def _count(raw: bytes, at: int) -> tuple[int, int]:
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    size = 2 << (first - 0xFD)
    return int.from_bytes(raw[at + 1 : at + 1 + size], "little"), at + 1 + size

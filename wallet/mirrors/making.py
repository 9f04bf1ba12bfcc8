"""Taking an image of a ledger, online: from one snapshot, without holding up a writer."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from wallet.ledger.encoding import Fingerprint
from wallet.ledger.loading import load_origin
from wallet.mirrors import rows
from wallet.mirrors.errors import IdsMissing, NothingToImage
from wallet.mirrors.image import Block, ImageWriter, Progress, silent
from wallet.mirrors.manifest import DOMAIN, Attest, Manifest
from wallet.mirrors.standing import read_standing
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches

UNPACKED = 0
"""The zlib level of ids: they are random, and do not get smaller."""

_LAST = select(ledger_batches).order_by(ledger_batches.c.height.desc()).limit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image that was written, and the digest that names it."""

    path: Path
    manifest: Manifest
    digest: bytes


def make_image(
    database: Database,
    path: Path,
    *,
    tag: str,
    attest: Attest,
    now_s: int,
    with_ids: bool = True,
    progress: Progress = silent,
) -> Made:
    """Write the image of the ledger as it is now to a new file.

    `with_ids` adds what was posted before, 16 bytes a transfer, without which who joins from it
    can only follow. Raises NothingToImage, IdsMissing, TagTaken, FileProblem.
    """
    with database.read() as tx, ImageWriter(path) as writer:
        last: Any = tx.execute(_LAST).one_or_none()
        if last is None:
            raise NothingToImage("got a ledger without batches, expected one to take an image of")
        origin = load_origin(tx)
        if with_ids and origin is not None and not origin.may_post:
            raise IdsMissing("this ledger is a mirror without ids: take an image of its state only")
        fingerprint = Fingerprint()
        for name, blocks in _state(tx, fingerprint):
            writer.add(name, _told(progress, name, blocks))
        writer.add("standing", _told(progress, "standing", read_standing(tx)))
        if with_ids:
            batches = rows.read_lines(tx, rows.BATCHES, "ORDER BY height")
            writer.add("batches", _told(progress, "batches", batches))
            ids = _packed_ids(tx, 0 if origin is None else origin.height)
            writer.add("ids", _told(progress, "ids", ids), level=UNPACKED)
        manifest = Manifest(
            tag=tag,
            height=last.height,
            cause=last.cause,
            content=bytes(last.content),
            batch_created_s=last.created_s,
            transfers=last.transfers,
            state_hash=bytes(last.state_hash),
            fingerprint=fingerprint.digest(),
            created_s=now_s,
            parts=writer.parts,
        )
        sealed = attest(DOMAIN, manifest.encode())
        writer.finish(sealed)
    return Made(path=path, manifest=manifest, digest=sealed.digest)


def fingerprint_of(tx: Connection) -> bytes:
    """The fingerprint of the ledger as it is now."""
    fingerprint = Fingerprint()
    for _, blocks in _state(tx, fingerprint):
        for _ in blocks:
            pass
    return fingerprint.digest()


def standing_digest_of(tx: Connection) -> bytes:
    """The digest of what stands beside the ledger as it is now, as an image's part has it."""
    digest = hashlib.sha256()
    for block, _count in read_standing(tx):
        digest.update(block)
    return digest.digest()


def without_heights(block: bytes) -> bytes:
    """Lines of accounts or balances as the fingerprint has them: without their last column."""
    lines = block.split(b"\n")
    return b"".join([line[: line.rindex(b"\t")] + b"\n" for line in lines[:-1]])


def _state(tx: Connection, into: Fingerprint) -> Iterator[tuple[str, Iterator[Block]]]:
    accounts = rows.read_lines(tx, rows.ACCOUNTS, "ORDER BY number")
    yield "accounts", _hashed(accounts, into.accounts, without_heights)
    balances = rows.read_lines(tx, rows.BALANCES, "ORDER BY account")
    yield "balances", _hashed(balances, into.balances, without_heights)
    holds = rows.read_lines(tx, rows.HOLDS, "WHERE ended_height IS NULL ORDER BY id")
    yield "holds", _hashed(holds, into.holds, bytes)


def _hashed(
    blocks: Iterable[Block], digest: "hashlib._Hash", of: Callable[[bytes], bytes]
) -> Iterator[Block]:
    for block, count in blocks:
        digest.update(of(block))
        yield block, count


def _packed_ids(tx: Connection, origin: int) -> Iterator[Block]:
    """The ids of every transfer in order of height and line, 16 bytes each."""
    archived = f"WHERE height <= {origin} ORDER BY height, line"
    sources = [(rows.IDS, archived)] if origin else []
    for shape, rest in (
        *sources,
        (rows.JUST_IDS, f"WHERE height > {origin} ORDER BY height, line"),
    ):
        for block, count in rows.read_lines(tx, shape, rest):
            lines = block
            if shape is rows.IDS:
                lines = b"".join(line[:36] + b"\n" for line in block.splitlines())
            digits = lines.replace(b"-", b"").replace(b"\n", b"")
            yield bytes.fromhex(digits.decode()), count


def _told(progress: Progress, name: str, blocks: Iterable[Block]) -> Iterator[Block]:
    done = 0
    for block, count in blocks:
        yield block, count
        done += count
        progress(name, done, 0)

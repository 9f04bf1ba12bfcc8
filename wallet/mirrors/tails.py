r"""A tail: the heights of a ledger after one, as a stream to replay elsewhere or to keep.

    magic line | length of the envelope as 8 bytes | envelope of the head | zlib(records)

The signed head says after which height and hash the tail starts and at which it ends. A record is
what the state hash of its height is made of (wallet.ledger.encoding), without the balances, which
follow from it:

    batch      height, cause, content digest in hex, created_s
    state      the height's state hash in hex
    accounts   how many; then a line each
    transfers  how many; then a line each
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from sqlalchemy import Connection, select

from signer.protocol import MESSAGE_BYTES_MAX, ProtocolError, dump
from signer.protocol.wire import Fields
from wallet.ledger.encoding import GENESIS
from wallet.ledger.loading import load_origin
from wallet.mirrors import rows
from wallet.mirrors.errors import (
    BeforeOrigin,
    ImageMalformed,
    SignatureWrong,
    TailGap,
    TailMalformed,
)
from wallet.mirrors.manifest import Attest, opened
from wallet.store.tables.ledger import LINES_MAX, ledger_batches

MAGIC = b"GLAYTOS-TAIL-1\n"
DOMAIN = "ledger-tail"
PAGE = 200
"""Heights whose batches are read at once."""

READ_MAX = 20_000
"""Transfers read at once."""

LINE_MAX = 1 << 10
CHUNK = 1 << 18
_LENGTH = 8

_b = ledger_batches.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where a tail starts and ends: the heights with their state hashes."""

    after: int
    after_hash: bytes
    to: int
    to_hash: bytes

    def encode(self) -> bytes:
        """The bytes that are signed."""
        return dump(
            {
                "v": 1,
                "after": self.after,
                "after_hash": self.after_hash,
                "to": self.to,
                "to_hash": self.to_hash,
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "Ends":
        """Parse the signed bytes. Raises TailMalformed."""
        try:
            fields = Fields(body, "a tail's head")
            ends = cls(
                after=fields.units("after"),
                after_hash=fields.blob("after_hash"),
                to=fields.units("to"),
                to_hash=fields.blob("to_hash"),
            )
            fields.done(version=1)
        except ProtocolError as error:
            raise TailMalformed(f"got a tail whose head does not parse: {error}") from error
        return ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A height as it travels: lines as in wallet.ledger.encoding, each ending in a newline."""

    height: int
    cause: str
    content: bytes
    created_s: int
    state_hash: bytes
    accounts: Sequence[str]
    transfers: Sequence[str]


def ends_of(tx: Connection, after: int) -> Ends:
    """The ends of what a ledger has above a height.

    Raises TailGap where it does not reach so far, BeforeOrigin where it began later.
    """
    origin = load_origin(tx)
    if origin is not None and after < origin.height:
        raise BeforeOrigin(
            f"got height {after}, expected {origin.height} or more: this ledger began from an "
            "image of that height, and what came before is in an archive"
        )
    head: Any = tx.execute(select(_b.height, _b.state_hash).order_by(_b.height.desc())).first()
    to, to_hash = (0, GENESIS) if head is None else (head.height, bytes(head.state_hash))
    if after > to:
        raise TailGap(f"got height {after}, expected at most {to}, the last one of this ledger")
    query = select(_b.state_hash).where(_b.height == after)
    after_hash = bytes(tx.execute(query).scalar_one()) if after else GENESIS
    return Ends(after=after, after_hash=after_hash, to=to, to_hash=to_hash)


def records_of(tx: Connection, ends: Ends) -> Iterator[Record]:
    """Every height of a ledger between the ends, in order."""
    for start in range(ends.after, ends.to, PAGE):
        stop = min(start + PAGE, ends.to)
        accounts: dict[str, list[str]] = defaultdict(list)
        # One stream a connection, so each is read to its end before the next begins.
        for line in _lines(tx, rows.ACCOUNTS, start, stop, "number"):
            row, height = line[:-1].rsplit("\t", 1)
            accounts[height].append(f"{row}\n")
        query = select(ledger_batches).where(_b.height > start, _b.height <= stop)
        for group in _groups(tx.execute(query.order_by(_b.height)).all()):
            first, last = group[0].height, group[-1].height
            transfers = iter(list(_lines(tx, rows.TRANSFERS, first - 1, last, "height, line")))
            for batch in group:
                yield Record(
                    height=batch.height,
                    cause=batch.cause,
                    content=bytes(batch.content),
                    created_s=batch.created_s,
                    state_hash=bytes(batch.state_hash),
                    accounts=accounts[str(batch.height)],
                    transfers=list(islice(transfers, batch.transfers)),
                )


def _groups(batches: Sequence[Any]) -> Iterator[list[Any]]:
    """Batches in runs of few transfers, or of one batch."""
    group: list[Any] = []
    count = 0
    for batch in batches:
        if group and count + batch.transfers > READ_MAX:
            yield group
            group, count = [], 0
        group.append(batch)
        count += batch.transfers
    if group:
        yield group


def _lines(tx: Connection, shape: rows.Shape, after: int, to: int, order: str) -> Iterator[str]:
    rest = f"WHERE height > {after} AND height <= {to} ORDER BY {order}"
    for block, _count in rows.read_lines(tx, shape, rest):
        yield from block.decode().splitlines(keepends=True)


def write_tail(
    file: BinaryIO,
    ends: Ends,
    records: Iterable[Record],
    attest: Attest,
    progress: Callable[[int], None] = lambda _height: None,
) -> bytes:
    """Write a tail to an open file; the SHA-256 of all of it is returned."""
    sealed = attest(DOMAIN, ends.encode()).encode()
    digest, packer = hashlib.sha256(), zlib.compressobj(1)

    def put(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    put(MAGIC + len(sealed).to_bytes(_LENGTH, "big") + sealed)
    for record in records:
        put(packer.compress(_text(record).encode()))
        progress(record.height)
    put(packer.flush())
    return digest.digest()


def read_tail(file: BinaryIO, public_key: bytes) -> tuple[Ends, Iterator[Record]]:
    """The ends of a tail, signed by this key, and its records, read as they are asked for.

    Raises TailMalformed, SignatureWrong.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise TailMalformed("got a file that is no tail of a ledger")
    length = int.from_bytes(file.read(_LENGTH), "big")
    if length > MESSAGE_BYTES_MAX:
        raise TailMalformed(f"got a head of {length} bytes, expected less")
    try:
        ends = Ends.decode(opened(file.read(length), DOMAIN, public_key).body)
    except ImageMalformed as error:
        raise TailMalformed(f"got a tail whose head is not signed: {error}") from error
    except SignatureWrong as error:
        raise SignatureWrong(f"the tail: {error}") from error
    return ends, _records(_unpacked(file))


def _text(record: Record) -> str:
    return (
        f"batch\t{record.height}\t{record.cause}\t{record.content.hex()}\t{record.created_s}\n"
        f"state\t{record.state_hash.hex()}\n"
        f"accounts\t{len(record.accounts)}\n{''.join(record.accounts)}"
        f"transfers\t{len(record.transfers)}\n{''.join(record.transfers)}"
    )


def _unpacked(file: BinaryIO) -> Iterator[str]:
    """Lines with their newline. Raises TailMalformed, also where the stream was cut."""
    unpacker, rest = zlib.decompressobj(), b""
    try:
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail or file.read(CHUNK)
            if not packed:
                raise TailMalformed("got a tail that was cut: fetch it again")
            *lines, rest = (rest + unpacker.decompress(packed, CHUNK)).split(b"\n")
            if max(map(len, (*lines, rest))) > LINE_MAX:
                raise TailMalformed(f"got a line of more than {LINE_MAX} bytes")
            for line in lines:
                yield f"{line.decode()}\n"
    except (zlib.error, UnicodeDecodeError) as error:
        raise TailMalformed(f"got a tail that does not unpack: {error}") from error
    if rest:
        raise TailMalformed("got a tail that ends within a line")


def _records(lines: Iterator[str]) -> Iterator[Record]:
    for first in lines:
        try:
            _, height, cause, content, created_s = _marked(first, "batch", 5)
            _, state_hash = _marked(next(lines, ""), "state", 2)
            accounts = _counted(lines, "accounts", 2 * LINES_MAX)
            transfers = _counted(lines, "transfers", LINES_MAX)
            yield Record(
                height=int(height),
                cause=cause,
                content=bytes.fromhex(content),
                created_s=int(created_s),
                state_hash=bytes.fromhex(state_hash),
                accounts=accounts,
                transfers=transfers,
            )
        except ValueError as error:
            raise TailMalformed(f"got a record that does not parse: {error}") from error


def _marked(line: str, mark: str, count: int) -> list[str]:
    fields = line.removesuffix("\n").split("\t")
    if len(fields) != count or fields[0] != mark:
        raise TailMalformed(f"got {line[:40]!r}, expected a line of {mark} with {count} fields")
    return fields


def _counted(lines: Iterator[str], mark: str, most: int) -> list[str]:
    count = int(_marked(next(lines, ""), mark, 2)[1])
    if not 0 <= count <= most:
        raise TailMalformed(f"got {count} {mark}, expected at most {most}")
    found = list(islice(lines, count))
    if len(found) != count:
        raise TailMalformed(f"got {len(found)} {mark}, expected {count}")
    return found

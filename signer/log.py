"""The signer's memory on disk: an append-only, hash-chained, authenticated log.

One record is length || body || head || mac. `head` is SHA-256 over the previous head and the body;
`mac` is HMAC-SHA256 of the head under the home's state key, or zeros for a refusal written while
the keys were locked; such a record moves neither the mark nor any table.
After an authenticated record is durable the high-water file names its number and head, under a
MAC, and only then may an answer leave the process. So a record past the mark was never released: a
torn one there is dropped, anything else that does not fit is tampering or a rollback.
"""

import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from signer.errors import ProtocolError, SignerError
from signer.protocol import dump
from signer.protocol.wire import Fields
from signer.storage import StorageError, read_limited, sync_directory, write_atomic

RECORD_BYTES_MAX = 8 * 1024 * 1024
"""No record is larger; checked before parsing."""

GENESIS = bytes(32)
"""The head before the first record."""

NO_MAC = bytes(32)
"""In place of a MAC in a record that was written while the keys were locked."""


class LogDamaged(SignerError):
    """A log that is not what this signer wrote."""

    code = "state.log_damaged"


class LogTampered(LogDamaged):
    """A record that was changed, cut out or forged."""

    code = "state.log_tampered"


class LogRolledBack(LogDamaged):
    """The log is older than the high-water mark: somebody put back an old copy."""

    code = "state.rolled_back"


class LogTorn(LogDamaged):
    """Bytes after the last record that are none: a crash left them, or somebody's hand."""

    code = "state.log_torn"


class LogKind(StrEnum):
    """What a record says happened."""

    CREATED = "created"
    CONFIGURED = "configured"
    ACCOUNT = "account"
    REGISTERED = "registered"
    SIGNED = "signed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record; `data` is plain values, `offset` where it starts in the file."""

    seq: int
    time_s: int
    kind: LogKind
    data: Mapping[str, Any]
    head: bytes
    mac: bytes = field(repr=False)
    offset: int

    @property
    def authenticated(self) -> bool:
        """Whether it claims a MAC; `Log.authenticate` checks the MACs themselves."""
        return self.mac != NO_MAC


class Log:
    """The log of one home. Open it once; a lock on the home keeps other processes out.

    `read_only` looks without the lock and changes nothing, so that a log may be audited anywhere.
    """

    def __init__(self, path: Path, mark_path: Path, *, read_only: bool = False) -> None:
        self._path = path
        self._mark_path = mark_path
        self.head = GENESIS
        self.counter = 0
        self.last_time_s = 0
        self._size = 0
        self._heads: list[tuple[int, bytes, bytes]] = []
        self._chain = bytearray()
        self._key: bytes | None = None
        self._broken = False
        self._read_only = read_only
        if read_only:
            self._file = _opened(path)
            return
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        sync_directory(path.parent)

    @classmethod
    def create(cls, path: Path, mark_path: Path, key: bytes) -> "Log":
        """A new, empty log that already knows its state key."""
        log = cls(path, mark_path)
        log._key = key
        return log

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def replay(self) -> Iterator[Record]:
        """Every record in order, verified against the chain; then the high-water mark is checked.

        Raises LogTampered, LogRolledBack. Drops a torn last record that was never released.
        """
        marked, marked_head = self._mark()
        end = os.fstat(self._file).st_size
        marked_seen = GENESIS
        while self._size < end:
            record, following = self._read(self._size, end)
            if record is None:
                break
            self._advance(record, following)
            if record.seq == marked:
                marked_seen = record.head
            yield record
        if self.counter < marked:
            if self._size < end:
                raise LogTampered(
                    f"got a damaged record {self.counter + 1}, expected {marked} good ones"
                )
            raise LogRolledBack(f"got a log of {self.counter} records, expected {marked} or more")
        if marked_seen != marked_head:
            raise LogTampered(
                f"got another record {marked}, expected the one of the high-water mark"
            )
        if self._size < end and self._read_only:
            raise LogTorn(
                f"got {end - self._size} bytes after record {self.counter} that are no record:"
                " the next start drops them"
            )
        if self._size < end:
            os.ftruncate(self._file, self._size)
            os.fsync(self._file)

    def authenticate(self, key: bytes) -> None:
        """Check every MAC once the state key is known. Raises LogTampered."""
        for seq, head, mac in self._heads:
            if mac != NO_MAC and not hmac.compare_digest(mac, _mac(key, head)):
                raise LogTampered(f"got record {seq} that this signer did not write")
        counter, _ = self._mark(key)
        self._heads.clear()
        self._key = key
        if self.counter > counter and not self._read_only:
            self._write_mark()

    def append(self, kind: LogKind, time_s: int, data: Mapping[str, Any]) -> Record:
        """Write a record and return when it and the high-water mark are durable."""
        seq = self.counter + 1
        body = dump({"v": 1, "seq": seq, "time_s": time_s, "kind": str(kind), "data": data})
        if len(body) > RECORD_BYTES_MAX:
            raise LogDamaged(f"got a record of {len(body)} bytes, expected at most 8 MiB")
        head = _head(self.head, body)
        mac = _mac(self._key, head) if self._key is not None else NO_MAC
        frame = len(body).to_bytes(4, "big") + body + head + mac
        record = Record(
            seq=seq, time_s=time_s, kind=kind, data=data, head=head, mac=mac, offset=self._size
        )
        self._write(frame)
        self._advance(record, self._size + len(frame))
        self._write_mark()
        self._broken = False
        return record

    def read(self, offset: int) -> Record:
        """The record at an offset that `replay` or `append` gave."""
        record, _ = self._read(offset, self._size, check_chain=False)
        if record is None:
            raise LogTampered(f"got no record at offset {offset}")
        return record

    def head_before(self, counter: int) -> bytes | None:
        """The head that an answer in record `counter` gave, or None if there is no such record."""
        if not 1 <= counter <= self.counter:
            return None
        at = (counter - 2) * len(GENESIS)
        return bytes(self._chain[at : at + len(GENESIS)]) if counter > 1 else GENESIS

    def _write(self, frame: bytes) -> None:
        """After a failed write the file's end is unknown: only a new process may go on."""
        if self._broken:
            raise LogDamaged("got a log that failed to write before, expected a restart")
        self._broken = True
        with os.fdopen(os.dup(self._file), "ab") as file:
            file.write(frame)
            file.flush()
            os.fsync(file.fileno())

    def _advance(self, record: Record, size: int) -> None:
        self.head, self.counter, self._size = record.head, record.seq, size
        self._chain += record.head
        self.last_time_s = max(self.last_time_s, record.time_s)
        if self._key is None:
            self._heads.append((record.seq, record.head, record.mac))

    def _read(self, at: int, end: int, check_chain: bool = True) -> tuple[Record | None, int]:
        """The record at `at` and where the next starts, or None if it is not whole and in chain."""
        size = int.from_bytes(os.pread(self._file, 4, at), "big")
        following = at + 4 + size + 64
        if size > RECORD_BYTES_MAX or following > end or end - at < 4:
            return None, at
        frame = os.pread(self._file, size + 64, at + 4)
        body, head, mac = frame[:size], frame[size : size + 32], frame[size + 32 :]
        if check_chain and _head(self.head, body) != head:
            return None, at
        return _record(body, head, mac, at), following

    def _mark(self, key: bytes | None = None) -> tuple[int, bytes]:
        """Number and head of the high-water mark; with the key its MAC is checked too."""
        try:
            fields = Fields(read_limited(self._mark_path, 1024), "high-water mark")
            counter, head, mac = fields.units("counter"), fields.blob("head"), fields.blob("mac")
            fields.done(version=1)
        except (ProtocolError, StorageError) as error:
            raise LogTampered(f"got a damaged high-water mark: {error}") from error
        if key is not None and mac != _mark_mac(key, counter, head):
            raise LogTampered("got a high-water mark that this signer did not write")
        return counter, head

    def _write_mark(self) -> None:
        """While locked the mark stays: it always has a MAC, so only keys can move it."""
        if self._key is None:
            return
        mac = _mark_mac(self._key, self.counter, self.head)
        mark = {"v": 1, "counter": self.counter, "head": self.head, "mac": mac}
        write_atomic(self._mark_path, dump(mark))


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise StorageError(f"got no readable file {path.name}: {error.strerror}") from error


def _head(previous: bytes, body: bytes) -> bytes:
    return hashlib.sha256(b"hk/log/v1" + previous + body).digest()


def _mac(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, b"hk/log/v1" + head, "sha256")


def _mark_mac(key: bytes, counter: int, head: bytes) -> bytes:
    return hmac.digest(key, b"hk/mark/v1" + counter.to_bytes(8, "big") + head, "sha256")


def _record(body: bytes, head: bytes, mac: bytes, offset: int) -> Record:
    try:
        fields = Fields(body, "log record")
        seq, time_s = fields.units("seq"), fields.units("time_s")
        kind = fields.choice("kind", LogKind)
        data = fields.table("data")
        fields.done(version=1)
    except ProtocolError as error:
        raise LogTampered(f"got a log record of another shape: {error}") from error
    return Record(seq=seq, time_s=time_s, kind=kind, data=data, head=head, mac=mac, offset=offset)

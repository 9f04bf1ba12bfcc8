"""The highest deposit addresses that were told, kept beside the database in a file of their own.

A database that was restored to an earlier time counts from there again, and would give a second
user an address that a first one was told. So each position is marked in the data directory after
its transaction has committed and before the answer leaves, and a position that is not above its
mark is not handed out. The file is not to be restored with the database; several processes of one
machine share it, and each machine has its own.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from wallet.addresses.issuing import Address, counter_of
from wallet.errors import Conflict, WalletError
from wallet.store import counters

FILE = "address-marks"
BYTES_MAX = 1 << 20


class CounterBehind(Conflict):
    """The database would hand out an address that was handed out before it was restored."""

    code = "address.counter_behind"


class MarksUnreadable(WalletError):
    """The file of marks is there and cannot be read or written: nothing is handed out."""

    code = "address.marks_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A counter of addresses: the next position it would give, and the highest that was told."""

    counter: str
    following: int
    told: int

    @property
    def is_behind(self) -> bool:
        """Whether an address would be handed out twice."""
        return self.following <= self.told


class AddressMarks:
    """The marks of one machine. Raises MarksUnreadable wherever they are read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, data_dir: Path) -> "AddressMarks":
        """The marks of a deployment."""
        return cls(data_dir.joinpath(FILE))

    def check(self, fresh: Address) -> None:
        """A fresh address is above its mark. Raises CounterBehind; the caller then rolls back."""
        told = self._read().get(counter_of(fresh), -1)
        if fresh.position <= told:
            raise CounterBehind(
                f"got position {fresh.position} of {fresh.source}, expected one above {told}, "
                "which was told before the database was restored: glaytos-wallet addresses move",
                {"position": fresh.position, "told": told},
            )

    def note(self, told: Address) -> None:
        """Mark an address whose transaction has committed, durably, before anybody is told."""
        with self._locked():
            marks = dict(self._read())
            if marks.get(counter_of(told), -1) < told.position:
                marks[counter_of(told)] = told.position
                self._write(marks)

    def places(self, tx: Connection) -> list[Place]:
        """Every counter that was ever marked."""
        return [
            Place(counter=name, following=counters.current(tx, name), told=told)
            for name, told in sorted(self._read().items())
        ]

    def move(self, tx: Connection, beyond: int = 0) -> list[Place]:
        """Set each counter above its mark, and `beyond` further; those that moved.

        `beyond` is for what another machine may have told.
        """
        moved = [place for place in self.places(tx) if place.is_behind or beyond]
        for place in moved:
            floor = max(place.following, place.told + 1)
            counters.raise_to(tx, place.counter, floor + beyond)
        return moved

    def _read(self) -> Mapping[str, int]:
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(BYTES_MAX))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise MarksUnreadable(f"got {self._path}, which cannot be read") from error
        if not isinstance(found, dict) or not all(type(n) is int for n in found.values()):
            raise MarksUnreadable(f"got {self._path}, expected positions by counter")
        return found

    def _write(self, marks: Mapping[str, int]) -> None:
        draft = self._path.with_name(f".{FILE}.part")
        try:
            with draft.open("w", encoding="ascii") as file:
                json.dump(marks, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise MarksUnreadable(f"cannot write {self._path}: {error.strerror}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = self._lock_file()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _lock_file(self) -> int:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._path.with_name(f".{FILE}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise MarksUnreadable(f"cannot lock {self._path}: {error.strerror}") from error

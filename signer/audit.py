"""Reading a home's log without opening the home: nothing is locked, changed or dropped.

Without the state key the hash chain and the high-water mark are checked; with it every MAC too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from signer.log import Log, Record
from signer.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What a verified log says of itself. `unauthenticated` were written while keys were locked."""

    signer_id: str
    counter: int
    head: bytes
    unauthenticated: int
    kinds: Mapping[str, int]
    macs_checked: bool


def audit(home: Path, state_key: bytes | None = None) -> Audit:
    """Verify a log. Raises LogTampered, LogRolledBack, LogTorn or StorageError."""
    log = _opened(home)
    try:
        state, kinds, unauthenticated = State(), Counter[str](), 0
        for record in log.replay():
            state.apply(record)
            kinds[str(record.kind)] += 1
            unauthenticated += not record.authenticated
        if state_key is not None:
            log.authenticate(state_key)
        return Audit(
            signer_id=state.signer_id,
            counter=log.counter,
            head=log.head,
            unauthenticated=unauthenticated,
            kinds=dict(sorted(kinds.items())),
            macs_checked=state_key is not None,
        )
    finally:
        log.close()


def records(home: Path) -> Iterator[Record]:
    """Every record in order; raises as `audit` does, at the latest after the last one."""
    log = _opened(home)
    try:
        yield from log.replay()
    finally:
        log.close()


def _opened(home: Path) -> Log:
    return Log(home.joinpath("log"), home.joinpath("mark"), read_only=True)

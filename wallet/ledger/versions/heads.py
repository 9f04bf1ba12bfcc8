"""Signed heads: what the ledger was at a time, said where it can be held against the ledger later.

A head is a height, its state hash and a time under the coordinator's key. Heads are never changed
here, and signers keep those they signed requests with in logs of their own: whoever writes the
whole ledger anew, hashes and all, still contradicts them.
"""

import json
from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Connection, insert, select

from signer.protocol import LEDGER_HEAD, LedgerHead, ProtocolError, digest
from signer.protocol import verify as verify_signature
from wallet.clock import Clock
from wallet.errors import Invalid
from wallet.ledger.versions.findings import BATCHES, HEADS, Finding
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_batches, ledger_heads, ledger_rollbacks

LINE_MAX = 32 * 1024 * 1024
"""Characters of a line of an exported log; checked before parsing."""

_b, _h, _r = ledger_batches.c, ledger_heads.c, ledger_rollbacks.c
_LATEST = select(ledger_heads).order_by(_h.time_s.desc(), _h.height.desc()).limit(1)

Sign = Callable[[LedgerHead], bytes]


class BadSignerLog(Invalid):
    """A file that is no exported log of a signer."""

    code = "ledger.bad_signer_log"


class HeadSigner:
    """The duty `ledger.head`: signs the last height whenever it is another."""

    def __init__(self, database: Database, clock: Clock, public_key: bytes, sign: Sign) -> None:
        self._database = database
        self._clock = clock
        self._public_key = public_key
        self._sign = sign

    def step(self) -> None:
        """Sign the head, if it is not the one that was signed last."""
        with self._database.write() as tx:
            query = select(_b.height, _b.state_hash).order_by(_b.height.desc()).limit(1)
            row, known = tx.execute(query).one_or_none(), latest_head(tx)
            if row is None:
                return
            now_s = self._clock.now_s()
            head = LedgerHead(height=row.height, state_hash=bytes(row.state_hash), time_s=now_s)
            if known is not None and (
                now_s <= known.time_s
                or (known.height, known.state_hash) == (head.height, head.state_hash)
            ):
                return
            tx.execute(
                insert(ledger_heads).values(
                    height=head.height,
                    time_s=head.time_s,
                    state_hash=head.state_hash,
                    public_key=self._public_key,
                    signature=self._sign(head),
                )
            )


def latest_head(tx: Connection) -> LedgerHead | None:
    """The head that was signed last, which requests carry; None before the first."""
    row = tx.execute(_LATEST).one_or_none()
    if row is None:
        return None
    return LedgerHead(height=row.height, state_hash=bytes(row.state_hash), time_s=row.time_s)


def check_heads(tx: Connection, public_key: bytes | None) -> Finding | None:
    """Every signed head is of its key (`public_key`, if given) and of this ledger."""
    for row in tx.execute(select(ledger_heads).order_by(_h.time_s, _h.height)):
        key = f"height {row.height} time_s {row.time_s}"
        head = LedgerHead(height=row.height, state_hash=bytes(row.state_hash), time_s=row.time_s)
        if public_key is not None and bytes(row.public_key) != public_key:
            return _finding(HEADS, key, "it is signed by another coordinator", head)
        try:
            signed = digest(LEDGER_HEAD, head.encode())
            verify_signature(bytes(row.public_key), signed, bytes(row.signature))
        except ProtocolError:
            return _finding(HEADS, key, "its signature is not good", head)
        if not _stands(tx, head):
            return _finding(BATCHES, f"height {head.height}", "another hash was signed", head)
    return None


def check_signer_log(tx: Connection, lines: Iterable[str]) -> Finding | None:
    """Every head in a signer's exported log (JSON lines) is of this ledger. Raises BadSignerLog."""
    for head in _logged(lines):
        if not _stands(tx, head):
            told = "a signer's log has another hash"
            return _finding(BATCHES, f"height {head.height}", told, head)
    return None


def _logged(lines: Iterable[str]) -> Iterator[LedgerHead]:
    for number, line in enumerate(lines, start=1):
        try:
            if len(line) > LINE_MAX:
                raise ValueError
            data = json.loads(line)["data"]
            for height, state_hash, time_s in data.get("ledger_head", ()):
                yield LedgerHead(
                    height=int(height), state_hash=bytes.fromhex(state_hash), time_s=int(time_s)
                )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise BadSignerLog(
                f"got line {number} that is no record, expected what `log export` writes"
            ) from error


def _stands(tx: Connection, head: LedgerHead) -> bool:
    """Whether the ledger has this hash at this height, or had until a rollback after that."""
    found = tx.execute(select(_b.state_hash).where(_b.height == head.height)).scalar()
    if found is not None and bytes(found) == head.state_hash:
        return True
    undone = select(_r.id).where(
        _r.status == "done", _r.to_height < head.height, _r.done_s >= head.time_s
    )
    return tx.execute(undone.limit(1)).first() is not None


def _finding(table: str, key: str, text: str, head: LedgerHead) -> Finding:
    return Finding(code="ledger.verify.head", table=table, key=key, text=text, height=head.height)

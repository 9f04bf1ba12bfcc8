"""Where the verifying of a ledger begins that began from an image: at the image's state.

What the image held is worked out from the rows of today, less all that came after, and must have
the fingerprint that was signed with the image: what was changed of it since is found.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from wallet.ledger.encoding import Fingerprint, account_line
from wallet.ledger.loading import Origin
from wallet.ledger.versions import history
from wallet.ledger.versions.findings import ACCOUNTS, BALANCES, HOLDS, Bad, Finding, of_batch
from wallet.ledger.versions.replay import Position, Replay
from wallet.ledger.versions.rows import AccountRow
from wallet.store.tables.ledger import (
    ledger_balances,
    ledger_batches,
    ledger_holds,
    ledger_transfers,
)

_h, _t = ledger_holds.c, ledger_transfers.c
_RESTORED = (
    select(_h.id, _h.debit, _h.credit, _h.units, _h.expires_s)
    .outerjoin(ledger_transfers, (_t.id == _h.id) & (_t.kind == "hold"))
    .where(_t.id.is_(None))
    .order_by(_h.id)
)
_b = ledger_balances.c
_UNCHANGED = select(_b.account, _b.height).where(_b.height <= bindparam("origin"))
_HASH = select(ledger_batches.c.state_hash).where(ledger_batches.c.height == bindparam("origin"))


def begin_at_image(
    tx: Connection, replay: Replay, origin: Origin, opened: Sequence[AccountRow]
) -> None:
    """Put the image's state into a replay. Raises Bad where it is not what was signed."""
    known = tx.execute(_HASH, {"origin": origin.height}).scalar()
    if known is None or bytes(known) != origin.state_hash:
        raise Bad(of_batch("state_hash", origin.height, "it is not that of the image"))
    sums = history.sums_from_latest(tx, origin.height)
    unchanged = {row[0]: row[1] for row in tx.execute(_UNCHANGED, {"origin": origin.height})}
    fingerprint = Fingerprint()
    for row in opened:
        found = sums.get(row.number, history.NOTHING)
        line = account_line(row.number, row.owner, row.asset, row.kind, row.may_go_negative)
        fingerprint.accounts.update(line.encode())
        text = "\t".join(map(str, (row.number, *found)))
        fingerprint.balances.update(f"{text}\n".encode())
        # An account that changed since gets the height of its change when that is replayed.
        replay.positions[str(row.number)] = Position(row, found, unchanged.get(row.number, 0))
    for id, debit, credit, units, expires_s in tx.execute(_RESTORED):
        fingerprint.holds.update(f"{id}\t{debit}\t{credit}\t{units}\t{expires_s}\n".encode())
        replay.holds[id] = (str(debit), str(credit), units, expires_s)
    if fingerprint.digest() != origin.fingerprint:
        raise Bad(
            Finding(
                code="ledger.verify.origin",
                table=BALANCES,
                key=f"state at height {origin.height}",
                text="it is not that of the image this ledger began from",
                height=origin.height,
                also=(ACCOUNTS, HOLDS),
            )
        )

"""The approved rollbacks that signers need, to go on with a ledger that they knew higher."""

from sqlalchemy import Connection, select

from signer.protocol import ROLLBACKS_MAX, Approval, ApprovedRollback, LedgerHead, LedgerRollback
from wallet.store.schema import approvals
from wallet.store.tables.ledger import ledger_rollbacks

_r = ledger_rollbacks.c


def undone_around(tx: Connection, head: LedgerHead | None) -> tuple[ApprovedRollback, ...]:
    """Rollbacks below a head of heights that it has not passed since, the newest first.

    Approvals go along as they were given; each signer judges them by its own roster.
    """
    if head is None:
        return ()
    query = (
        select(_r.body, _r.digest)
        .where(_r.status == "done", _r.to_height <= head.height, _r.from_height >= head.height)
        .order_by(_r.done_s.desc(), _r.id)
        .limit(ROLLBACKS_MAX)
    )
    return tuple(
        ApprovedRollback(
            rollback=LedgerRollback.decode(bytes(row.body)),
            approvals=_approvals(tx, bytes(row.digest)),
        )
        for row in tx.execute(query).all()
    )


def _approvals(tx: Connection, digest: bytes) -> tuple[Approval, ...]:
    c = approvals.c
    query = select(c.body, c.sig).where(c.intent_digest == digest).order_by(c.approver)
    return tuple(Approval(body=bytes(row.body), sig=bytes(row.sig)) for row in tx.execute(query))

"""Taking heights back: the ledger becomes again what it was at an image, inside one transaction.

Only the walls' one way through is used: a row of ledger_rollbacks that says `undoing`, which no
other transaction ever sees.
"""

from typing import Any

from sqlalchemy import Connection, func, select, text

from wallet.ledger.loading import load_origin
from wallet.mirrors.checking import Checked
from wallet.mirrors.errors import BeforeOrigin, PartDamaged, PartitionSealed
from wallet.mirrors.image import Image
from wallet.mirrors.joining import set_totals, stage_balances
from wallet.mirrors.making import fingerprint_of
from wallet.store.tables.partitions import ledger_partitions

_UNDO = (
    "UPDATE ledger_holds SET ended_height = NULL, ended_line = NULL WHERE ended_height > :floor",
    (
        "DELETE FROM ledger_holds WHERE id IN "
        "(SELECT id FROM ledger_transfers WHERE height > :floor AND kind = 'hold')"
    ),
    (
        "DELETE FROM ledger_transfer_ids WHERE id IN "
        "(SELECT id FROM ledger_transfers WHERE height > :floor)"
    ),
    "DELETE FROM ledger_transfers WHERE height > :floor",
    "DELETE FROM ledger_batches WHERE height > :floor",
    (
        "UPDATE ledger_balances SET debits = n.debits, credits = n.credits, "
        "debits_held = n.debits_held, credits_held = n.credits_held, height = n.height "
        "FROM ledger_restored n WHERE ledger_balances.account = n.account "
        "AND ledger_balances.height > :floor"
    ),
    "DELETE FROM ledger_balances WHERE height > :floor",
    "DELETE FROM ledger_accounts WHERE height > :floor",
)
_NEW_TOTALS = text("DELETE FROM ledger_totals WHERE height > :floor")


def check_reach(tx: Connection, height: int) -> None:
    """All above a height can be taken back. Raises BeforeOrigin, PartitionSealed."""
    origin = load_origin(tx)
    if origin is not None and height < origin.height:
        raise BeforeOrigin(
            f"got an image of height {height}, expected {origin.height} or more: this ledger "
            "itself began from an image of that height"
        )
    sealed = tx.execute(select(func.max(ledger_partitions.c.last_height))).scalar() or 0
    if height < sealed:
        raise PartitionSealed(
            f"got an image of height {height}, expected {sealed} or more: partitions up to there "
            "are sealed; restore the image into a new database instead"
        )


def undo(tx: Connection, image: Image, checked: Checked) -> None:
    """Take back every height above the image's. Raises PartDamaged where the rest is not its state.

    The rollback's row says `undoing` already; the caller's transaction is one writing one.
    """
    floor = {"floor": image.manifest.height}
    stage_balances(tx, image)
    for statement in _UNDO:
        tx.execute(text(statement), floor)
    driver: Any = tx.connection.driver_connection
    driver.execute("DROP TABLE ledger_restored")
    set_totals(tx, checked)
    tx.execute(_NEW_TOTALS, floor)
    if fingerprint_of(tx) != image.manifest.fingerprint:
        raise PartDamaged(
            "without the heights above it the ledger is not what the image holds: nothing was "
            "undone; run `glaytos-wallet ledger verify`"
        )

"""What heights did outside the ledger: a rollback takes back none that did anything there.

A chain, a user and a gateway do not go back, and no row beside the ledger does. Were the batch of a
credited deposit undone, its row would say `credited` and nobody would credit it again; of a payment
that was made, the user would have the coins twice; of an issue or an escrow, its journal would
promise what no account has. So only those heights are undone that the ledger alone knows: what
settlements posted, and what expired holds gave back. Everything else is put right by batches of its
own, and what no rule names is refused.

Who was told that a settlement is posted learns from the event `ledger.rolled_back`, which names the
undone heights, as the answer to a settlement named its own; each is in the archive by its cause.
"""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from wallet.errors import Conflict
from wallet.mirrors.errors import (
    CauseUnknown,
    DepositsBooked,
    EscrowsMoved,
    IssuesDone,
    PaymentsBooked,
    TransfersMade,
)
from wallet.store.tables.ledger import ledger_batches

NAMED_MAX = 100
"""Causes that a refusal names."""

_ALONE = frozenset({"settlement", "hold"})
"""What the causes begin with of batches that the ledger alone knows."""

_REFUSALS: Mapping[str, type[Conflict]] = {
    "deposit": DepositsBooked,
    "withdrawal": PaymentsBooked,
    "payment": PaymentsBooked,
    "escrow": EscrowsMoved,
    "asset_issue": IssuesDone,
    "asset_redeem": IssuesDone,
    "apportionment": TransfersMade,
    "transfer": TransfersMade,
}

_b = ledger_batches.c


def check_alone(tx: Connection, height: int) -> None:
    """Nothing above a height was done outside the ledger.

    Raises DepositsBooked, PaymentsBooked, EscrowsMoved, IssuesDone, TransfersMade, CauseUnknown.
    """
    found: dict[type[Conflict], list[str]] = defaultdict(list)
    query = select(_b.cause).where(_b.height > height).order_by(_b.height)
    for cause in tx.execute(query).scalars():
        kind = cause.partition(":")[0]
        if kind not in _ALONE:
            found[_REFUSALS.get(kind, CauseUnknown)].append(cause)
    for error, causes in found.items():
        raise error(
            f"{len(causes)} batches above height {height} would be undone, {causes[0]} first, and "
            "what they did outside the ledger would not: put wrong batches right by others",
            {"causes": causes[:NAMED_MAX], "height": height},
        )

"""What stands in which state for how long, over every machine of the wallet.

A thing that is not at its end has an owner, a time after which it is late, and a way out; this is
where they are looked at together, by the command `waiting` and by the metrics.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, func, select

from wallet.deposits import states as deposits
from wallet.duties import Duty
from wallet.escrow import states as escrows
from wallet.hosted_keys import states as hosted_payments
from wallet.payments import states as payments
from wallet.reconciliation import states as breaks
from wallet.store import schema
from wallet.treasury import states as treasury
from wallet.withdrawals import states as withdrawals


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A state machine and the table that holds what is in it."""

    name: str
    table: Table
    arrows: Mapping[Any, Collection[Any]]
    duties: Mapping[Any, Duty]
    resting: Collection[Any]


MACHINES: tuple[Machine, ...] = (
    Machine(
        name="deposit",
        table=schema.deposits,
        arrows=deposits.ARROWS,
        duties=deposits.DUTIES,
        resting=deposits.RESTING,
    ),
    Machine(
        name="withdrawal",
        table=schema.withdrawals,
        arrows=withdrawals.ARROWS,
        duties=withdrawals.DUTIES,
        resting=withdrawals.FINAL,
    ),
    Machine(
        name="payment",
        table=schema.payments,
        arrows=payments.ARROWS,
        duties=payments.DUTIES,
        resting=payments.FINAL,
    ),
    Machine(
        name="treasury_request",
        table=schema.treasury_requests,
        arrows=treasury.ARROWS,
        duties=treasury.DUTIES,
        resting=treasury.FINAL,
    ),
    Machine(
        name="hosted_payment",
        table=schema.hosted_payments,
        arrows=hosted_payments.ARROWS,
        duties=hosted_payments.DUTIES,
        resting=hosted_payments.FINAL,
    ),
    Machine(
        name="escrow",
        table=schema.escrows,
        arrows=escrows.ARROWS,
        duties=escrows.DUTIES,
        resting=escrows.FINAL,
    ),
    Machine(
        name="break",
        table=schema.breaks,
        arrows=breaks.ARROWS,
        duties=breaks.DUTIES,
        resting=breaks.RESTING,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many of a machine stand in one state of one network, and since when the oldest does."""

    machine: str
    network: str
    state: str
    count: int
    oldest_age_s: int
    late_count: int
    duty: Duty


def standings(tx: Connection, now_s: int) -> list[Standing]:
    """Every state that somebody waits in, by machine and network; none where nothing waits."""
    return [found for machine in MACHINES for found in _of(tx, machine, now_s)]


def late_ids(tx: Connection, machine: Machine, state: str, now_s: int, limit: int) -> list[str]:
    """The ids of what stands longer in a state than it should, the oldest first."""
    table = machine.table
    duty = next(duty for name, duty in machine.duties.items() if name == state)
    rows = tx.execute(
        select(table.c.id)
        .where(table.c.status == str(state), table.c.since_s < now_s - duty.late_s)
        .order_by(table.c.since_s, table.c.id)
        .limit(limit)
    )
    return [row.id for row in rows]


def _of(tx: Connection, machine: Machine, now_s: int) -> list[Standing]:
    table, found = machine.table, []
    for state, duty in machine.duties.items():
        late = func.count().filter(table.c.since_s < now_s - duty.late_s)
        rows = tx.execute(
            select(table.c.network, func.count(), func.min(table.c.since_s), late)
            .where(table.c.status == str(state))
            .group_by(table.c.network)
            .order_by(table.c.network)
        )
        found += [
            Standing(
                machine=machine.name,
                network=network,
                state=str(state),
                count=count,
                oldest_age_s=max(0, now_s - since_s),
                late_count=late_count,
                duty=duty,
            )
            for network, count, since_s, late_count in rows
        ]
    return found

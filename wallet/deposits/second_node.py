"""Two independent nodes must agree before a large credit: the same block, the same deposit in it.

The second node is asked only about deposits that lack nothing else, never inside a transaction. Its
silence or disagreement holds the deposit and alerts; its later agreement lets it go on by itself.
"""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from chains.errors import CodecError, NodeError, UnexpectedAnswer
from chains.headers import HeaderError
from chains.ports import Chain
from chains.types import OutPoint
from policies.depth import Waits
from wallet.clock import Clock
from wallet.deposits.changes import Change, apply_change, deposit_event, hold
from wallet.deposits.crediting import advance
from wallet.deposits.gate import DISAGREES, HELD_WHY, SILENT, CreditGate
from wallet.deposits.states import DepositStatus
from wallet.events import append_event
from wallet.milestones import Milestone
from wallet.store.database import Database
from wallet.store.schema import addresses, blocks, deposits

_CONFIRMING = (deposits.c.status == DepositStatus.CONFIRMING) & (
    deposits.c.sub_status == Waits.SECOND_NODE
)
_HELD = (deposits.c.status == DepositStatus.HELD) & deposits.c.sub_status.in_(HELD_WHY)
_WAITING = (
    select(deposits, addresses.c.target)
    .join(addresses, addresses.c.id == deposits.c.address_id)
    .where(
        deposits.c.network == bindparam("on"),
        deposits.c.height.is_not(None),
        _CONFIRMING | _HELD,
    )
    .order_by(deposits.c.height)
)


class Answer(StrEnum):
    """What the second node says of a deposit."""

    AGREES = "agrees"
    SILENT = SILENT
    DISAGREES = DISAGREES


@dataclass(frozen=True, slots=True)
class _Only:
    """Watches some targets and no outpoint."""

    targets: Container[bytes]
    outpoints: Container[OutPoint] = frozenset()


class SecondNode:
    """The second opinion of one network; `gate` is that of the first node."""

    def __init__(
        self,
        chain: Chain,
        gate: CreditGate,
        database: Database,
        clock: Clock,
        milestone: Milestone,
    ) -> None:
        self._chain = chain
        self._gate = gate
        self._database = database
        self._clock = clock
        self._milestone = milestone

    def step(self) -> int:
        """Ask about every deposit that waits for the second node; returns how many it agreed to."""
        with self._database.read() as tx:
            waiting = _waiting(tx, self._chain.network)
        if not waiting:
            return 0
        answers = self._ask(waiting)
        tags, now_s = self._gate.ask(), self._clock.now_s()
        agreed = 0
        with self._database.write() as tx:
            for row in waiting:
                agreed += _note(tx, row, answers[row.id], now_s)
            if agreed:
                self._credit(tx, tags, now_s)
            self._milestone("second_node.recording")
        self._milestone("second_node.recorded")
        return agreed

    def _credit(self, tx: Connection, tags: Any, now_s: int) -> None:
        network = self._chain.network
        top = select(func.max(blocks.c.height)).where(blocks.c.network == network)
        height = tx.execute(top).scalar_one()
        advance(tx, network, self._gate.view(tx, height, tags), now_s)

    def _ask(self, waiting: Sequence[Any]) -> Mapping[str, Answer]:
        by_block: dict[tuple[int, str], list[Any]] = defaultdict(list)
        for row in waiting:
            by_block[row.height, row.block_hash].append(row)
        answers: dict[str, Answer] = {}
        for (height, block_hash), rows in by_block.items():
            answers |= self._ask_block(height, block_hash, rows)
        return answers

    def _ask_block(self, height: int, block_hash: str, rows: Sequence[Any]) -> dict[str, Answer]:
        """The second node's own proofs are checked like the first one's."""
        try:
            if self._chain.tip().height < height:
                return {row.id: Answer.SILENT for row in rows}
            block = self._chain.block_at(height)
            if block.hash != block_hash:
                return {row.id: Answer.DISAGREES for row in rows}
            targets = frozenset(bytes(row.target) for row in rows)
            scan = self._chain.scan(block, _Only(targets))
        except (CodecError, UnexpectedAnswer, HeaderError):
            return {row.id: Answer.DISAGREES for row in rows}
        except NodeError:
            return {row.id: Answer.SILENT for row in rows}
        shown = {
            (one.txid, one.position): (one.asset, one.units, one.target) for one in scan.inflows
        }
        return {
            row.id: Answer.AGREES
            if shown.get((row.txid, row.position))
            == (row.asset, _told_units(row), bytes(row.target))
            else Answer.DISAGREES
            for row in rows
        }


def _told_units(row: Any) -> int:
    """What the chain's evidence said; of an odd token less may have arrived."""
    return int(row.units if row.logged_units is None else row.logged_units)


def _waiting(tx: Connection, network: str) -> Sequence[Any]:
    return tx.execute(_WAITING, {"on": network}).all()


def _note(tx: Connection, row: Any, answer: Answer, now_s: int) -> bool:
    """Write an answer down unless the deposit changed meanwhile; says whether it was agreement."""
    same = (
        (deposits.c.id == row.id)
        & (deposits.c.status == row.status)
        & (deposits.c.sub_status == row.sub_status)
        & (deposits.c.block_hash == row.block_hash)
    )
    now = tx.execute(select(deposits).where(same)).one_or_none()
    if now is None:
        return False
    if answer is Answer.AGREES:
        if now.status == DepositStatus.HELD:
            apply_change(tx, now, Change(status=DepositStatus.CONFIRMING), now_s)
        agreed = update(deposits).where(deposits.c.id == row.id)
        tx.execute(agreed.values(agreed_hash=row.block_hash))
        return True
    if now.status == DepositStatus.CONFIRMING:
        hold(tx, now, answer, now_s)
    elif now.sub_status != answer and answer is Answer.DISAGREES:
        worse = update(deposits).where(deposits.c.id == row.id).values(sub_status=answer)
        told = tx.execute(worse.returning(deposits)).one()
        append_event(tx, "alert.deposit_held", row.id, deposit_event(told), now_s)
    return False

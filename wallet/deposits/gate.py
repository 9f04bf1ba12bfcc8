"""The gate before credit: what each waiting deposit needs now, judged anew with every block.

The sum that a deposit is part of only grows while it waits, so what it needs falls only when a
reorg alarm ends.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from chains.errors import NodeError
from chains.ports import Chain, FinalityTags
from chains.types import BlockRef, FinalityTag
from policies.depth import CreditFacts, Waits, final_depth, judge
from wallet.deposits.changes import deposit_event
from wallet.deposits.rules import DepositRules
from wallet.deposits.states import DepositStatus
from wallet.events import append_event
from wallet.reorgs import NO_ALARM, ReorgAlarm, alarm_confirmations
from wallet.store.schema import blocks, deposits

_EXPOSED = (
    DepositStatus.SEEN,
    DepositStatus.CONFIRMING,
    DepositStatus.HELD,
    DepositStatus.CREDITED,
)
"""In the chain and, if not yet the user's, about to be."""

_UNDER = select(deposits.c.account_id, deposits.c.asset, deposits.c.units, deposits.c.height).where(
    deposits.c.network == bindparam("on"),
    deposits.c.height > bindparam("above"),
    deposits.c.status.in_(_EXPOSED),
)
_HASH = select(blocks.c.hash).where(
    blocks.c.network == bindparam("on"), blocks.c.height == bindparam("at")
)

SILENT = "second_node_silent"
DISAGREES = "second_node_disagrees"
HELD_WHY = (SILENT, DISAGREES)
"""Sub-statuses of deposits that are held until a second node agrees; other holds are for people."""

RELEASED = "released:"
"""How the sub-status of a deposit begins that a person let go on, whatever a second node says."""

Tags = Mapping[FinalityTag, BlockRef]
"""What the node calls safe and finalized; a tag it does not know is missing."""


class CreditGate:
    """The rules of one network's assets, and what its node calls final."""

    def __init__(
        self, chain: Chain, rules: Mapping[str, DepositRules], alarm: ReorgAlarm = NO_ALARM
    ) -> None:
        self.alarm = alarm
        self._chain = chain
        self._rules = rules
        assets = [one.asset for one in rules.values()]
        self._wanted = [
            tag
            for tag, is_wanted in (
                (FinalityTag.SAFE, any(asset.safe_from for asset in assets)),
                (FinalityTag.FINALIZED, any(asset.finalized_from for asset in assets)),
            )
            if is_wanted
        ]

    def ask(self) -> Tags:
        """The blocks that the node calls safe and finalized; asked outside any transaction.

        A node that does not answer has no tag: who needs it waits.
        """
        found = {}
        for tag in self._wanted:
            if not isinstance(self._chain, FinalityTags):
                continue
            try:
                found[tag] = self._chain.tagged(tag)
            except NodeError:
                continue
        return found

    def view(self, tx: Connection, tip_height: int, tags: Tags) -> "CreditView":
        """Everything that the verdicts of one block need, read once."""
        network = self._chain.network
        more = alarm_confirmations(tx, network, self.alarm, tip_height)
        return CreditView(
            rules=self._rules,
            tip_height=tip_height,
            exposed=_exposed(tx, network, self._rules, tip_height - more),
            alarm_confirmations=more,
            tagged={tag: _scanned_height(tx, network, ref) for tag, ref in tags.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditView:
    """One moment of a network. `exposed` is by account and asset, in base units."""

    rules: Mapping[str, DepositRules]
    tip_height: int
    exposed: Mapping[tuple[str | None, str], int]
    alarm_confirmations: int
    tagged: Mapping[FinalityTag, int]

    def renew(self, tx: Connection, row: Any, now_s: int) -> tuple[Any, bool]:
        """Judge a waiting deposit, write down and tell what changed, and say if it may be credited.

        What the configuration no longer knows keeps the depth that it was given.
        """
        rules = self.rules.get(row.asset)
        if rules is None:
            return row, self.tip_height - row.height + 1 >= row.confirmations_required
        exposed = max(
            row.exposed_units, row.units, self.exposed.get((row.account_id, row.asset), 0)
        )
        verdict = judge(rules.credit, self._facts(row, exposed))
        values = {"exposed_units": exposed, "confirmations_required": verdict.confirmations}
        if row.status == DepositStatus.CONFIRMING and not row.sub_status.startswith(RELEASED):
            values["sub_status"] = "" if verdict.waits is Waits.DEPTH else verdict.waits
        changed = {name for name, value in values.items() if getattr(row, name) != value}
        if changed:
            row = tx.execute(
                update(deposits).where(deposits.c.id == row.id).values(**values).returning(deposits)
            ).one()
        if changed - {"exposed_units"}:
            append_event(tx, "deposit.updated", row.id, deposit_event(row), now_s)
        return row, verdict.waits is Waits.NOTHING

    def _facts(self, row: Any, exposed_units: int) -> CreditFacts:
        return CreditFacts(
            exposed_units=exposed_units,
            depth=self.tip_height - row.height + 1,
            alarm_confirmations=self.alarm_confirmations,
            is_safe=row.height <= self.tagged.get(FinalityTag.SAFE, -1),
            is_finalized=row.height <= self.tagged.get(FinalityTag.FINALIZED, -1),
            is_agreed=row.agreed_hash == row.block_hash or row.sub_status.startswith(RELEASED),
        )


def _exposed(
    tx: Connection, network: str, rules: Mapping[str, DepositRules], tip_height: int
) -> Mapping[tuple[str | None, str], int]:
    """What each account has in blocks that are not final whatever the sum, credited or not.

    `tip_height` is lower than the real one during an alarm: then more blocks are not final.
    """
    floors = {
        code: tip_height + 1 - final_depth(one.asset.confirmations) for code, one in rules.items()
    }
    sums: dict[tuple[str | None, str], int] = defaultdict(int)
    lowest = min(floors.values(), default=tip_height)
    rows = tx.execute(_UNDER, {"on": network, "above": lowest})
    for row in rows:
        if row.asset in floors and row.height > floors[row.asset]:
            sums[row.account_id, row.asset] += row.units
    return sums


def _scanned_height(tx: Connection, network: str, ref: BlockRef) -> int:
    """The height of a tagged block, -1 while it is not in the scanned chain."""
    scanned = tx.execute(_HASH, {"on": network, "at": ref.height}).scalar_one_or_none()
    return ref.height if scanned == ref.hash else -1

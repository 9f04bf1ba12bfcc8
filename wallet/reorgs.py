"""Reorganisations on record, and the alarm that a deep one raises for some blocks."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from wallet.events import append_event
from wallet.settings import NetworkSettings
from wallet.store.schema import blocks, reorgs


@dataclass(frozen=True, slots=True, kw_only=True)
class ReorgAlarm:
    """After a reorganisation of `depth` blocks or more, for `blocks`, all must be deeper.

    `depth` 0 is no alarm at all.
    """

    depth: int = 0
    blocks: int = 0
    confirmations: int = 0

    @classmethod
    def of(cls, network: NetworkSettings) -> "ReorgAlarm":
        """The alarm that a network's settings describe."""
        return cls(
            depth=network.reorg_alarm_depth,
            blocks=network.reorg_alarm_blocks,
            confirmations=network.reorg_alarm_confirmations,
        )


NO_ALARM = ReorgAlarm()


def note_reorg(
    tx: Connection, network: str, fork_height: int, alarm: ReorgAlarm, now_s: int
) -> None:
    """Record that the scanned blocks above a height are undone; called before they are gone."""
    tip_height = tx.execute(
        select(func.max(blocks.c.height)).where(blocks.c.network == network)
    ).scalar_one()
    depth = tip_height - fork_height
    number = tx.execute(
        select(func.count()).select_from(reorgs).where(reorgs.c.network == network)
    ).scalar_one()
    tx.execute(
        insert(reorgs).values(
            network=network,
            number=number + 1,
            fork_height=fork_height,
            tip_height=tip_height,
            seen_s=now_s,
        )
    )
    if 0 < alarm.depth <= depth:
        body = {
            "network": network,
            "depth": depth,
            "until_height": tip_height + alarm.blocks,
            "confirmations": alarm.confirmations,
        }
        append_event(tx, "alert.reorg_alarm", network, body, now_s)


def alarm_confirmations(tx: Connection, network: str, alarm: ReorgAlarm, tip_height: int) -> int:
    """Blocks that everything must be deeper by at a scanned height; 0 without an alarm."""
    if not alarm.depth:
        return 0
    raised = tx.execute(
        select(reorgs.c.number).where(
            reorgs.c.network == network,
            reorgs.c.tip_height - reorgs.c.fork_height >= alarm.depth,
            reorgs.c.tip_height + alarm.blocks > tip_height,
        )
    ).first()
    return alarm.confirmations if raised is not None else 0

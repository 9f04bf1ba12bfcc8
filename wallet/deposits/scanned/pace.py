"""How fast a scan catches up, from when its last blocks were scanned."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from wallet.store.schema import blocks

RECENT_S = 120
"""Only what was scanned just now says how fast the scan is now."""

_SAMPLES = (1000, 100, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`blocks` were scanned in the last `seconds`."""

    blocks: int
    seconds: int

    @property
    def blocks_per_minute(self) -> int:
        """The same as one number."""
        return 60 * self.blocks // self.seconds

    def estimate_s(self, behind_blocks: int) -> int:
        """Seconds until so many more are scanned at this pace."""
        return -(-behind_blocks * self.seconds // self.blocks)


def pace(tx: Connection, network: str, now_s: int) -> Pace | None:
    """The pace of the last minutes, over as many blocks as fit in; None while there is none."""
    newest = select(blocks.c.height).where(blocks.c.network == network)
    height = tx.execute(newest.order_by(blocks.c.height.desc()).limit(1)).scalar_one_or_none()
    if height is None:
        return None
    for count in _SAMPLES:
        scanned_s = tx.execute(
            select(blocks.c.scanned_s).where(
                blocks.c.network == network, blocks.c.height == height - count
            )
        ).scalar_one_or_none()
        if scanned_s is not None and now_s - scanned_s <= RECENT_S:
            return Pace(blocks=count, seconds=max(1, now_s - scanned_s))
    return None

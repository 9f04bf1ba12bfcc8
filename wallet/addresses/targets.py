"""Every target of ours on one network in memory, kept up to date from the database.

New addresses are found by their position: positions are handed out from a counter in commit order,
so "every position above the highest one loaded" misses none.
"""

from sqlalchemy import Connection, bindparam, func, select

from chains.watched import WatchedScripts
from wallet.store.schema import addresses

_HEADS = (
    select(addresses.c.source, addresses.c.branch, func.max(addresses.c.position))
    .where(addresses.c.network == bindparam("on"))
    .group_by(addresses.c.source, addresses.c.branch)
)


class OwnTargets:
    """The scripts or account addresses of one network; others may be added to `scripts`."""

    def __init__(self, network: str) -> None:
        self.scripts = WatchedScripts()
        self._network = network
        self._highest: dict[tuple[str, int], int] = {}

    def refresh(self, tx: Connection) -> None:
        """Load what was issued since the last call."""
        for source, branch, highest in tx.execute(_HEADS, {"on": self._network}).all():
            loaded = self._highest.get((source, branch), -1)
            if highest > loaded:
                self._load_branch(tx, source, branch, loaded)
                self._highest[source, branch] = highest

    def _load_branch(self, tx: Connection, source: str, branch: int, loaded: int) -> None:
        rows = tx.execute(
            select(addresses.c.target).where(
                addresses.c.network == self._network,
                addresses.c.source == source,
                addresses.c.branch == branch,
                addresses.c.position > loaded,
            )
        )
        self.scripts.update(bytes(target) for (target,) in rows)

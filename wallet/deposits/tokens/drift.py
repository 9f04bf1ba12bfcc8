"""Look again at balances that no block touched: some tokens change them without any event."""

from sqlalchemy import Connection, select

from chains.errors import NodeRejected
from chains.ports import Chain
from chains.types import BlockRef
from wallet.clock import Clock
from wallet.deposits.tokens.kept import keep_balance, known_balance, tell_drift
from wallet.deposits.watcher import last_scanned
from wallet.store.database import Database
from wallet.store.schema import addresses, token_balances

ADDRESSES_PER_PASS = 50
"""Balances asked in one pass; the longest unchecked come first, so all have their turn."""


class DriftCheck:
    """Holds one network's token balances against what they were when last checked."""

    def __init__(self, chain: Chain, database: Database, clock: Clock) -> None:
        self._chain = chain
        self._database = database
        self._clock = clock

    def run(self) -> int:
        """One pass; returns how many balances had moved without an event. Raises NodeError.

        Only where the scan has reached the tip: else a block that tells of it may be to come.
        """
        tip = self._chain.tip()
        with self._database.read() as tx:
            if last_scanned(tx, self._chain.network) != tip:
                return 0
            due = _due(tx, self._chain.network)
        found = 0
        for asset, target, address in due:
            try:
                units: int | None = self._chain.balance_units(target, asset, tip)
            except NodeRejected:
                units = None  # a contract that does not tell now must not hold up the others
            found += self._compare(asset, target, address, units, tip)
        return found

    def _compare(
        self, asset: str, target: bytes, address: str, units: int | None, at: BlockRef
    ) -> int:
        network, now_s = self._chain.network, self._clock.now_s()
        with self._database.write() as tx:
            known = known_balance(tx, network, asset, target)
            if known is None or last_scanned(tx, network) != at:
                return 0
            if units is None or units == known.units:
                # The height stays that of the last change: a reorg above it changes nothing here.
                keep_balance(tx, network, asset, target, known.units, known.height, now_s)
                return 0
            tell_drift(tx, network, asset, address, units - known.units, now_s)
            keep_balance(tx, network, asset, target, units, at.height, now_s)
            return 1


def _due(tx: Connection, network: str) -> list[tuple[str, bytes, str]]:
    c = token_balances.c
    rows = tx.execute(
        select(c.asset, c.target, addresses.c.address)
        .join(addresses, (addresses.c.network == c.network) & (addresses.c.target == c.target))
        .where(c.network == network)
        .order_by(c.checked_s, c.asset, c.target)
        .limit(ADDRESSES_PER_PASS)
    )
    return [(row.asset, bytes(row.target), row.address) for row in rows]

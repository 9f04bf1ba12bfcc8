"""Show deposits while they wait in a node's pool. Nothing is ever credited from what is seen here.

A block alone makes a deposit count; until then it is `seen` without a height, and ends `replaced`
when a block spends its inputs or nonce otherwise, or `orphaned` when it stays away too long.
"""

from collections.abc import Mapping
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from chains.ports import Chain, MempoolSight
from chains.types import BlockRef, Evidence, Inflow, PendingTx, Pool
from wallet.addresses.issuing import Address, find_by_targets
from wallet.clock import Clock
from wallet.deposits import pending
from wallet.deposits.changes import Change, apply_change, deposit_event
from wallet.deposits.recording import is_deposit, own_purposes
from wallet.deposits.rules import DepositRules
from wallet.deposits.states import DepositStatus
from wallet.deposits.watch import WatchList
from wallet.deposits.watcher import last_scanned
from wallet.events import append_event
from wallet.store.database import Database
from wallet.store.schema import deposits

DROPPED = "dropped"
"""The node's pool was without it for too long."""

NONCE_USED = "nonce_used"
"""Another transaction of its sender was mined with its nonce."""

_BACK = (DepositStatus.ORPHANED, DepositStatus.REVERSED, DepositStatus.REPLACED)


class MempoolWatcher:
    """Looks into one network's pool, a look at a time."""

    def __init__(
        self,
        chain: Chain,
        sight: MempoolSight,
        database: Database,
        rules: Mapping[str, DepositRules],
        clock: Clock,
        drop_s: int,
    ) -> None:
        """`sight` is the same chain; what stays away for `drop_s` seconds is given up."""
        self._chain = chain
        self._sight = sight
        self._database = database
        self._rules = rules
        self._clock = clock
        self._drop_s = drop_s
        self._watch = WatchList(chain.network)
        self._no_deposits: set[str] = set()

    def step(self) -> None:
        """One look. Raises NodeError; nothing is written then."""
        network = self._chain.network
        with self._database.read() as tx:
            self._watch.refresh(tx)
            last = last_scanned(tx, network)
            known = pending.rows(tx, network)
        pool = self._sight.pending(self._watch)
        tip = self._chain.tip()
        # Behind the tip, what left the pool may lie in a block that was not scanned yet.
        follows = last is not None and last.height >= tip.height
        used = self._used_up(known, pool, last) if follows else set()
        self._no_deposits &= pool.txids
        settled = known.keys() | self._no_deposits
        fresh = [seen for seen in pool.found if seen.txid not in settled]
        gone = [row for txid, row in known.items() if txid not in pool.txids]
        back = [row for txid, row in known.items() if txid in pool.txids and row.gone_s is not None]
        if not (fresh or gone or back):
            return
        now_s = self._clock.now_s()
        with self._database.write() as tx:
            # A block recorded meanwhile has the last word on everything here.
            follows = follows and last_scanned(tx, network) == last
            for seen in fresh:
                self._take_in(tx, seen, now_s)
            for row in back:
                pending.mark_gone(tx, network, row.txid, None)
            for row in gone:
                self._miss(tx, row.txid, row.txid in used, now_s, follows=follows)

    def _used_up(self, known: Mapping[str, object], pool: Pool, last: BlockRef | None) -> set[str]:
        """Pending transactions that lost their nonce to another one."""
        return {
            txid
            for txid, row in known.items()
            if last is not None
            and txid not in pool.txids
            and any(self._sight.is_used_up(one, last) for one in pending.conflicts_of(row))
        }

    def _take_in(self, tx: Connection, seen: PendingTx, now_s: int) -> None:
        network = self._chain.network
        owners = find_by_targets(tx, network, (inflow.target for inflow in seen.inflows))
        own = own_purposes(tx, network, {seen.txid}).get(seen.txid)
        ours = [
            inflow
            for inflow in seen.inflows
            if inflow.target in owners
            and inflow.asset in self._rules
            and is_deposit(own, owners[inflow.target].purpose)
        ]
        stored = [self._show(tx, one, owners[one.target], now_s) for one in ours]
        if not any(stored):
            self._no_deposits.add(seen.txid)
        elif seen.txid not in pending.rows(tx, network):
            pending.add(tx, network, seen, now_s)

    def _show(self, tx: Connection, inflow: Inflow, owner: Address, now_s: int) -> bool:
        """A deposit as seen; False when a block has it already."""
        network = self._chain.network
        known = tx.execute(
            select(deposits).where(
                deposits.c.network == network,
                deposits.c.txid == inflow.txid,
                deposits.c.position == inflow.position,
            )
        ).one_or_none()
        if known is not None:
            if known.height is not None:
                return False
            if known.status in _BACK:
                apply_change(tx, known, Change(status=DepositStatus.SEEN), now_s)
            return True
        row = tx.execute(
            insert(deposits)
            .values(
                id=str(uuid4()),
                account_id=owner.account_id,
                address_id=owner.id,
                network=network,
                asset=inflow.asset,
                txid=inflow.txid,
                position=inflow.position,
                units=inflow.units,
                evidence=Evidence.MEMPOOL,
                status=DepositStatus.SEEN,
                sub_status="",
                confirmations_required=self._rules[inflow.asset].confirmations(inflow.units),
                seen_s=now_s,
                since_s=now_s,
            )
            .returning(deposits)
        ).one()
        append_event(tx, "deposit.seen", row.id, deposit_event(row), now_s)
        return True

    def _miss(self, tx: Connection, txid: str, used_up: bool, now_s: int, *, follows: bool) -> None:
        """The pool is without a transaction: mined, replaced, or away."""
        network = self._chain.network
        row = pending.rows(tx, network).get(txid)
        if row is None:
            return
        if not pending.waiting(tx, network, txid):
            pending.forget(tx, network, txid)
        elif row.gone_s is None:
            pending.mark_gone(tx, network, txid, now_s)
        elif follows and used_up:
            pending.end(tx, network, txid, DepositStatus.REPLACED, NONCE_USED, now_s)
        elif follows and now_s - row.gone_s >= self._drop_s:
            pending.end(tx, network, txid, DepositStatus.ORPHANED, DROPPED, now_s)

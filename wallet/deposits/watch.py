"""What the scanner looks for on one network, kept up to date from the database."""

from collections.abc import Container

from sqlalchemy import Connection, select

from chains.types import BlockScan, OutPoint
from chains.utxo.transactions import Transaction
from chains.watched import WatchedOutpoints
from wallet.addresses.targets import OwnTargets
from wallet.deposits import pending
from wallet.deposits.states import DepositStatus
from wallet.hosted_keys import coins as hosted_coins
from wallet.store import counters
from wallet.store.schema import deposits, utxos


class WatchList:
    """The watched targets and outpoints of one network."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._own = OwnTargets(network)
        self._highest_hosted = 0
        self._outpoints: WatchedOutpoints | None = None
        self._generation = 0

    @property
    def targets(self) -> Container[bytes]:
        """Scripts or account addresses of ours; a hit may be false, a miss never is."""
        return self._own.scripts

    @property
    def outpoints(self) -> Container[OutPoint]:
        """Unspent outputs, ours and hosted, and inputs of deposits not in the chain now."""
        return self._outpoints or frozenset()

    def refresh(self, tx: Connection) -> None:
        """Load what was added since the last call; called before every scan."""
        self._own.refresh(tx)
        hosted = hosted_coins.watched_after(tx, self._network, self._highest_hosted)
        for position, target in hosted.items():
            self._own.scripts.add(target)
            self._highest_hosted = max(self._highest_hosted, position)
        generation = counters.current(tx, _generation_name(self._network))
        if self._outpoints is None or generation != self._generation:
            self._generation = generation
            self._outpoints = _unspent(tx, self._network)
            self._outpoints.update(hosted_coins.unspent_outpoints(tx, self._network))
            self._outpoints.update(inputs_of_gone_deposits(tx, self._network))
        self._outpoints.update(pending.outpoints(tx, self._network))

    def is_current(self, tx: Connection) -> bool:
        """Whether no rescan added outputs since the last refresh: their spends would be missed."""
        return counters.current(tx, _generation_name(self._network)) == self._generation

    def follow(self, scan: BlockScan) -> None:
        """Take over what a recorded block changed, instead of loading all of it again."""
        if self._outpoints is None:
            return
        for inflow in scan.inflows:
            kind, _, number = inflow.position.partition(":")
            if kind == "out":
                self._outpoints.add(OutPoint(inflow.txid, int(number)))
        self._outpoints.difference_update(spend.outpoint for spend in scan.spends)

    def forget(self) -> None:
        """After a reorg: load the outpoints anew at the next refresh."""
        self._outpoints = None


def outputs_added(tx: Connection, network: str) -> None:
    """Outputs were stored by another than the live watcher: it loads them before it goes on."""
    counters.next_number(tx, _generation_name(network))


def _generation_name(network: str) -> str:
    return f"watch:{network}"


def _unspent(tx: Connection, network: str) -> WatchedOutpoints:
    rows = tx.execute(
        select(utxos.c.txid, utxos.c.vout).where(
            utxos.c.network == network, utxos.c.spent_txid.is_(None)
        )
    )
    return WatchedOutpoints(OutPoint(txid, vout) for txid, vout in rows)


def inputs_of_gone_deposits(tx: Connection, network: str) -> dict[OutPoint, str]:
    """Inputs of transactions that a reorg took out of the chain, and the txid that spent them.

    When another transaction spends one of these, the deposit can never come back: it was replaced.
    """
    rows = tx.execute(
        select(utxos.c.txid, utxos.c.raw_tx)
        .join(
            deposits,
            (deposits.c.network == utxos.c.network) & (deposits.c.txid == utxos.c.txid),
        )
        .where(
            utxos.c.network == network,
            deposits.c.status.in_([DepositStatus.ORPHANED, DepositStatus.REVERSED]),
        )
        .distinct()
    )
    return {outpoint: txid for txid, raw in rows for outpoint in Transaction.parse(raw).outpoints()}

"""Hold the books against the chains, network by network, at the block the books have reached."""

from collections.abc import Callable, Mapping, Sequence

from chains.ports import Chain
from chains.types import BlockRef
from wallet.deposits.watcher import last_scanned
from wallet.errors import Conflict
from wallet.holdings import Progress, count_holdings, ignore_progress
from wallet.ledger.reconcile import Row, open_items, reconcile
from wallet.settings import NetworkSettings
from wallet.store.database import Database

_TRIES = 5
"""A block may be booked while its chain is counted; then the count starts again."""


class BooksMoving(Conflict):
    """Blocks kept coming while we counted; try again when it is quieter."""

    code = "reconcile.books_moving"


class NothingScanned(Conflict):
    """The service has not followed this chain yet."""

    code = "reconcile.nothing_scanned"


def reconcile_network(
    database: Database,
    chain: Chain,
    network: NetworkSettings,
    native: str,
    progress: Progress = ignore_progress,
) -> Sequence[Row]:
    """One row an asset of this network. Raises BooksMoving, or NodeError."""
    for _ in range(_TRIES):
        at = _scanned(database, chain)
        holdings = count_holdings(chain, database, at, network.start_height, progress)
        with database.read() as tx:
            if last_scanned(tx, chain.network) == at:
                items = open_items(tx, chain.network, native, at.height)
                return reconcile(tx, holdings, items)
    raise BooksMoving(f"got new blocks of {chain.network} during {_TRIES} counts")


def reconcile_all(
    database: Database,
    chains: Mapping[str, Chain],
    networks: Mapping[str, NetworkSettings],
    progress_of: Callable[[str], Progress],
) -> Sequence[Row]:
    """Every asset of every network, by asset code."""
    rows = [
        row
        for network_id, chain in chains.items()
        for row in reconcile_network(
            database,
            chain,
            networks[network_id],
            chain.assets[0].code,
            progress_of(network_id),
        )
    ]
    return sorted(rows, key=lambda row: row.asset)


def _scanned(database: Database, chain: Chain) -> BlockRef:
    with database.read() as tx:
        at = last_scanned(tx, chain.network)
    if at is None:
        raise NothingScanned(f"got no scanned block of {chain.network}, expected `serve` to run")
    return at

"""Prepare a publication: one height of the ledger, one block of each network, one statement."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, select

from chains.types import BlockRef, Family
from wallet.deposits.headers import ref_of
from wallet.deposits.watcher import last_scanned
from wallet.reserves.claims import Claim, OwnAccount, account_claims, coin_claims, own_accounts
from wallet.reserves.context import Progress, ReservesContext, ignore_progress
from wallet.reserves.errors import AlreadyThere, LiabilitiesDiffer, NothingHeld
from wallet.reserves.owed.leaves import SEED_BYTES, Shares
from wallet.reserves.owed.liabilities import Height, LedgerLiabilities, Liabilities
from wallet.reserves.owed.trees import write_tree
from wallet.reserves.publication import (
    PLACES,
    SEED,
    TREES,
    Publication,
    places_json,
    tree_path,
    write_whole,
)
from wallet.reserves.verifier.package import STATEMENT, canonical
from wallet.reserves.verifier.tree import Node
from wallet.reserves.writing import statement_json
from wallet.store.schema import blocks


def prepare(
    context: ReservesContext,
    folder: Path,
    *,
    operator: str,
    behind_blocks: int = 0,
    progress: Progress = ignore_progress,
) -> Publication:
    """Write a new publication into an empty folder; nothing is signed yet.

    Liabilities, coins and blocks are read in one snapshot. `behind_blocks` stays that far below the
    last scanned block, out of the reach of reorganisations. A folder that a killed run left behind
    has no statement and is never used. Raises AlreadyThere, LiabilitiesDiffer or NodeError.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise AlreadyThere(f"got a folder {folder} that is not empty, expected a new one")
    folder.joinpath(TREES).mkdir(mode=0o700)
    seed = context.random(SEED_BYTES)
    write_whole(folder.joinpath(SEED), seed.hex().encode())
    with context.database.read() as tx:
        at = _blocks(tx, context, behind_blocks)
        books = LedgerLiabilities(tx)
        height, trees, left_out = _write_trees(context, folder, books, Shares(seed), progress)
        claims, accounts = _held(tx, context, at)
    for network, ours in accounts.items():
        claims += _accounts(context, network, ours, at[network], progress)
    if not claims:
        raise NothingHeld("got no coin and no balance of ours, expected something to show")
    statement = statement_json(
        operator=operator,
        made_s=context.clock.now_s(),
        ledger=height,
        trees=trees,
        left_out=left_out,
        assets=context.assets,
        blocks=at,
        chain_ids=context.chain_ids,
        claims=claims,
        vaults=context.vaults,
    )
    write_whole(folder.joinpath(PLACES), canonical(places_json(claims)))
    context.milestone("reserves.prepared")
    write_whole(folder.joinpath(STATEMENT), canonical(statement), 0o644)
    return Publication.open(folder)


def _blocks(tx: Connection, context: ReservesContext, behind: int) -> dict[str, BlockRef]:
    """The block of each network at which holdings are claimed; networks never scanned have none."""
    found = {}
    for network in context.chains:
        last = last_scanned(tx, network)
        if last is None:
            continue
        query = select(blocks).where(
            blocks.c.network == network, blocks.c.height == last.height - behind
        )
        row = tx.execute(query).one_or_none()
        found[network] = last if row is None else ref_of(row)
    return found


def _write_trees(
    context: ReservesContext,
    folder: Path,
    books: Liabilities,
    shares: Shares,
    progress: Progress,
) -> tuple[Height, dict[str, tuple[int, Node]], list[str]]:
    """A tree for each asset that is owed and lies on a chain; the others are named."""
    owed = {asset: units for asset, units in books.totals().items() if units}
    trees: dict[str, tuple[int, Node]] = {}
    for number, asset in enumerate(sorted(owed.keys() & context.assets.keys())):
        rows = _counted(books.owed(asset), asset, progress)
        depth, root = write_tree(tree_path(folder, number), asset, shares, rows)
        if root.units != owed[asset]:
            raise LiabilitiesDiffer(
                f"got accounts of {root.units} {asset}, the ledger's total is {owed[asset]}"
            )
        trees[asset] = (depth, root)
    return books.height(), trees, sorted(owed.keys() - context.assets.keys())


def _counted(
    rows: Iterator[tuple[str, int]], asset: str, progress: Progress
) -> Iterator[tuple[str, int]]:
    for done, row in enumerate(rows, start=1):
        yield row
        progress(f"accounts in {asset}", done, 0)


def _held(
    tx: Connection, context: ReservesContext, at: dict[str, BlockRef]
) -> tuple[list[Claim], dict[str, list[OwnAccount]]]:
    claims: list[Claim] = []
    accounts = {}
    for network, block in sorted(at.items()):
        if context.chains[network].family is Family.UTXO:
            claims += coin_claims(tx, network, context.vaults, block)
        else:
            accounts[network] = list(own_accounts(tx, network, context.vaults))
    return claims, accounts


def _accounts(
    context: ReservesContext,
    network: str,
    ours: list[OwnAccount],
    at: BlockRef,
    progress: Progress,
) -> list[Claim]:
    def step(done: int) -> None:
        progress(f"balances on {network}", done, len(ours))

    return account_claims(context.chains[network], ours, at, step)

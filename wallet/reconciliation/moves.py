"""What one block did to our wallets, read from the block again and apart from the deposit scan.

A wallet is what its addresses derive from: a vault, a key account, a Safe. Nothing here reads
deposits, payments, stored outputs or the ledger; spent coins are known from the earlier statements,
which had them from blocks.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection, select

from chains.errors import NodeRejected
from chains.ports import AccountMoves, Chain
from chains.types import BlockRef, Inflow, Movement, OutPoint
from chains.watched import WatchedOutpoints
from wallet.addresses.issuing import Address, find_by_targets
from wallet.addresses.targets import OwnTargets
from wallet.store.database import Database
from wallet.store.schema import addresses, deposits, statement_coins

Account = tuple[bytes, str]
"""An address of ours and an asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One side of a movement: `units` came into a wallet, or left it when negative.

    `purpose` is what our address is for, empty for a spent coin; `other_purpose` that of the other
    side, None where that is not ours or not told.
    """

    txid: str
    position: str
    asset: str
    wallet: str
    target: bytes
    purpose: str
    units: int
    other_purpose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coin:
    """An output of ours."""

    outpoint: OutPoint
    wallet: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockMoves:
    """All that a block did to our wallets; `balances` is what the chain says of accounts after it.

    `wallets` names the wallet of every account in `balances`, which leaves out what the node does
    not tell.
    """

    ref: BlockRef
    moved: tuple[Moved, ...]
    made: tuple[Coin, ...] = ()
    spent: tuple[OutPoint, ...] = ()
    balances: Mapping[Account, int] = field(default_factory=dict)
    wallets: Mapping[Account, str] = field(default_factory=dict)


class MoveReader(Protocol):
    """Reads blocks of one network."""

    def read(self, ref: BlockRef) -> BlockMoves:
        """What a block did. Raises NodeError."""
        ...

    def follow(self, moves: BlockMoves) -> None:
        """A block was recorded."""
        ...

    def forget(self) -> None:
        """What was recorded changed otherwise, as by a reorganisation."""
        ...


def reader_of(chain: Chain, database: Database) -> MoveReader:
    """The reader for a chain's family."""
    if isinstance(chain, AccountMoves):
        return AccountReader(chain, chain, database)
    return CoinReader(chain, database)


class CoinReader:
    """Reads blocks of outputs."""

    def __init__(self, chain: Chain, database: Database) -> None:
        self._chain = chain
        self._database = database
        self._own = OwnTargets(chain.network)
        self._unspent: WatchedOutpoints | None = None

    @property
    def targets(self) -> Container[bytes]:
        """Every script of ours."""
        return self._own.scripts

    @property
    def outpoints(self) -> Container[OutPoint]:
        """Every unspent coin of the statements."""
        return self._unspent if self._unspent is not None else frozenset()

    def read(self, ref: BlockRef) -> BlockMoves:
        """What a block's inputs and outputs did. Raises NodeError."""
        network, asset = self._chain.network, self._chain.assets[0].code
        with self._database.read() as tx:
            self._own.refresh(tx)
            if self._unspent is None:
                self._unspent = _unspent(tx, network)
        scan = self._chain.scan(ref, self)
        with self._database.read() as tx:
            owners = find_by_targets(tx, network, {one.target for one in scan.inflows})
            ours = [one for one in scan.inflows if one.target in owners]
            made = tuple(_coin(one, owners[one.target]) for one in ours)
            known = {coin.outpoint: coin for coin in made}
            known |= _coins(tx, network, [s.outpoint for s in scan.spends])
        # What only looked like ours (fingerprints may err that way) is not known here.
        spends = [spend for spend in scan.spends if spend.outpoint in known]
        moved = [_received(one, owners[one.target]) for one in ours]
        moved += [_spent(spend.txid, known[spend.outpoint], asset) for spend in spends]
        return BlockMoves(
            ref=scan.ref,
            moved=tuple(moved),
            made=made,
            spent=tuple(spend.outpoint for spend in spends),
        )

    def follow(self, moves: BlockMoves) -> None:
        """Watch what was made, and no longer what was spent."""
        if self._unspent is not None:
            self._unspent.update(coin.outpoint for coin in moves.made)
            self._unspent.difference_update(moves.spent)

    def forget(self) -> None:
        """Load the coins anew."""
        self._unspent = None


class AccountReader:
    """Reads blocks of accounts, and what the chain says each touched account holds after them."""

    outpoints: Container[OutPoint] = frozenset()

    def __init__(self, chain: Chain, door: AccountMoves, database: Database) -> None:
        self._chain = chain
        self._door = door
        self._database = database
        self._own = OwnTargets(chain.network)
        self._checked = {asset.code for asset in chain.assets if asset.balance_check}

    @property
    def targets(self) -> Container[bytes]:
        """Every address of ours."""
        return self._own.scripts

    def read(self, ref: BlockRef) -> BlockMoves:
        """What a block's transactions, logs and traces did. Raises NodeError."""
        with self._database.read() as tx:
            self._own.refresh(tx)
        found = self._door.movements(ref, self)
        with self._database.read() as tx:
            sides = {one.target for one in found} | {one.other for one in found if one.other}
            owners = find_by_targets(tx, self._chain.network, sides)
            claimed = _claimed(tx, self._chain.network, ref)
            paying = [owners[one.target] for one in found if _is_paying(one, owners)]
            paying += _standing(tx, self._chain.network) if paying else []
        moved = tuple(_side(one, owners) for one in found if one.target in owners)
        wallets = {(one.target, one.asset): one.wallet for one in moved} | claimed
        # A token need not tell what a transaction of ours did with it.
        wallets |= {(who.target, code): who.source for who in paying for code in self._checked}
        return BlockMoves(
            ref=ref,
            moved=moved,
            balances=self._balances(wallets, ref),
            wallets=wallets,
        )

    def follow(self, moves: BlockMoves) -> None:
        """Nothing is kept between blocks."""

    def forget(self) -> None:
        """Nothing is kept between blocks."""

    def _balances(self, accounts: Iterable[Account], ref: BlockRef) -> Mapping[Account, int]:
        """What the node tells; one that forgot the state of an old block tells nothing."""
        found = {}
        for target, asset in accounts:
            if asset in self._checked:
                try:
                    found[target, asset] = self._chain.balance_units(target, asset, ref)
                except NodeRejected:
                    continue
        return found


def _unspent(tx: Connection, network: str) -> WatchedOutpoints:
    c = statement_coins.c
    rows = tx.execute(select(c.txid, c.vout).where(c.network == network, c.spent_height.is_(None)))
    return WatchedOutpoints(OutPoint(txid, vout) for txid, vout in rows)


def _coins(tx: Connection, network: str, outpoints: Iterable[OutPoint]) -> dict[OutPoint, Coin]:
    c = statement_coins.c
    found = {}
    for outpoint in outpoints:
        row = tx.execute(
            select(c.wallet, c.units).where(
                c.network == network, c.txid == outpoint.txid, c.vout == outpoint.vout
            )
        ).one_or_none()
        if row is not None:
            found[outpoint] = Coin(outpoint=outpoint, wallet=row.wallet, units=row.units)
    return found


def _claimed(tx: Connection, network: str, ref: BlockRef) -> dict[Account, str]:
    """Accounts that deposits of this block name: looked at even if the block does not show them."""
    rows = tx.execute(
        select(deposits.c.asset, addresses.c.target, addresses.c.source)
        .join(addresses, addresses.c.id == deposits.c.address_id)
        .where(
            deposits.c.network == network,
            deposits.c.height == ref.height,
            deposits.c.block_hash == ref.hash,
        )
    )
    return {(bytes(row.target), row.asset): row.source for row in rows}


def _is_paying(one: Movement, owners: Mapping[bytes, Address]) -> bool:
    return one.other is None and one.units < 0 and one.target in owners


def _standing(tx: Connection, network: str) -> list[Address]:
    """The few addresses that our money moves between."""
    c = addresses.c
    rows = tx.execute(select(c.target).where(c.network == network, c.purpose.in_(["hot", "cold"])))
    return list(find_by_targets(tx, network, [bytes(target) for (target,) in rows]).values())


def _coin(inflow: Inflow, owner: Address) -> Coin:
    vout = int(inflow.position.removeprefix("out:"))
    return Coin(outpoint=OutPoint(inflow.txid, vout), wallet=owner.source, units=inflow.units)


def _received(inflow: Inflow, owner: Address) -> Moved:
    return Moved(
        txid=inflow.txid,
        position=inflow.position,
        asset=inflow.asset,
        wallet=owner.source,
        target=b"",
        purpose=str(owner.purpose),
        units=inflow.units,
    )


def _spent(txid: str, coin: Coin, asset: str) -> Moved:
    return Moved(
        txid=txid,
        position=f"in:{coin.outpoint}",
        asset=asset,
        wallet=coin.wallet,
        target=b"",
        purpose="",
        units=-coin.units,
    )


def _side(one: Movement, owners: Mapping[bytes, Address]) -> Moved:
    owner = owners[one.target]
    other = owners.get(one.other) if one.other is not None else None
    return Moved(
        txid=one.txid,
        position=one.position,
        asset=one.asset,
        wallet=owner.source,
        target=one.target,
        purpose=str(owner.purpose),
        units=one.units,
        other_purpose=None if other is None else str(other.purpose),
    )

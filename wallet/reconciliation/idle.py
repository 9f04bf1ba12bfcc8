"""Accounts that no block touched, held against the chain a few at a time, round and round.

A block shows what transactions do. A validator's fees, or a token that moves by itself, change a
balance without one: then the account's balance is another than its statement says.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update

from chains.errors import NodeRejected
from chains.ports import Chain
from chains.types import BlockRef, Family
from wallet.clock import Clock
from wallet.reconciliation.breaks import open_break
from wallet.reconciliation.explaining import NO_ASSETS, Finding, Line, LineKind
from wallet.reconciliation.heads import Head, head_of, reorgs_followed
from wallet.reconciliation.moves import Account
from wallet.reconciliation.statements import add_lines, mark_checked
from wallet.reconciliation.states import unexplained_code
from wallet.store.database import Database
from wallet.store.schema import addresses, statement_accounts, statement_heads

ADDRESSES_PER_PASS = 20
"""Addresses asked in one pass, each for every asset."""


class IdleCheck:
    """Goes round the addresses of one chain of accounts; on others blocks show everything."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        clock: Clock,
        odd_assets: frozenset[str] = NO_ASSETS,
    ) -> None:
        """`odd_assets` are tokens whose balances may move by themselves."""
        self._chain = chain
        self._database = database
        self._clock = clock
        self._odd_assets = odd_assets
        self._assets = [asset.code for asset in chain.assets if asset.balance_check]

    def run(self) -> int:
        """Look at the next few addresses, at the head; returns how many balances were others.

        Raises NodeError.
        """
        with self._database.read() as tx:
            head = head_of(tx, self._chain.network)
        if head is None or not self._has_accounts:
            return 0
        _, found = self._look(head, head.idle_after)
        return found

    def round(self) -> Iterator[tuple[int, int]]:
        """Look at every address once, telling (done, total); ends early where the head moves.

        Raises NodeError.
        """
        with self._database.read() as tx:
            head = head_of(tx, self._chain.network)
            total = _count(tx, self._chain.network)
        if head is None or not self._has_accounts:
            return
        after: str | None = ""
        done = 0
        while after is not None:
            after, _ = self._look(head, after)
            done = min(total, done + ADDRESSES_PER_PASS)
            yield done, total

    @property
    def _has_accounts(self) -> bool:
        return self._chain.family is Family.EVM

    def _look(self, head: Head, after: str) -> tuple[str | None, int]:
        """The address to go on after, None at the end of a round; how many balances were others."""
        network = self._chain.network
        with self._database.read() as tx:
            due = _due(tx, network, after)
        at = BlockRef(height=head.height, hash=head.hash, parent="", time_s=0)
        held = {}
        for row in due:
            for asset in self._assets:
                try:
                    units = self._chain.balance_units(bytes(row.target), asset, at)
                except NodeRejected:
                    continue  # a contract that does not tell now must not hold up the others
                held[bytes(row.target), asset] = units
        go_on = due[-1].id if len(due) == ADDRESSES_PER_PASS else None
        with self._database.write() as tx:
            now = head_of(tx, network)
            if now is None or now.hash != head.hash or reorgs_followed(tx, network) != now.reorgs:
                return None, 0
            wallets = {bytes(row.target): row.source for row in due}
            found = sum(
                self._compare(tx, head, account, units, wallets[account[0]])
                for account, units in held.items()
            )
            _remember(tx, network, head, go_on)
        return go_on, found

    def _compare(
        self, tx: Connection, head: Head, account: Account, units: int, wallet: str
    ) -> bool:
        target, asset = account
        network, now_s, c = self._chain.network, self._clock.now_s(), statement_accounts.c
        known = tx.execute(
            select(c.units).where(c.network == network, c.target == target, c.asset == asset)
        ).scalar_one_or_none()
        difference = units - (known or 0)
        if not difference:
            mark_checked(tx, network, account, head.height)
            return False
        line = Line(
            txid="0x" + head.hash,
            position=f"delta:{target.hex()}:{asset}",
            wallet=wallet,
            asset=asset,
            target=target,
            units=difference,
            kind=LineKind.UNEXPLAINED,
        )
        add_lines(tx, network, head, [line], now_s)
        finding = Finding(
            code=unexplained_code(difference, is_odd=asset in self._odd_assets),
            asset=asset,
            wallet=wallet,
            txid=line.txid,
            position=line.position,
            units=difference,
        )
        open_break(tx, network, head.height, head.hash, finding, now_s)
        return True


def _due(tx: Connection, network: str, after: str) -> Sequence[Any]:
    """The next addresses by id."""
    c = addresses.c
    return tx.execute(
        select(c.id, c.target, c.source)
        .where(c.network == network, c.id > after)
        .order_by(c.id)
        .limit(ADDRESSES_PER_PASS)
    ).all()


def _count(tx: Connection, network: str) -> int:
    query = select(func.count()).select_from(addresses).where(addresses.c.network == network)
    return int(tx.execute(query).scalar_one())


def _remember(tx: Connection, network: str, head: Head, go_on: str | None) -> None:
    """Where the round goes on; None ends it."""
    values: dict[str, object] = {"idle_after": go_on or ""}
    if go_on is None:
        values["round_height"] = head.height
    tx.execute(update(statement_heads).where(statement_heads.c.network == network).values(**values))

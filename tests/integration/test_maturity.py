"""Rewards and peg-outs are credited like any deposit, and spent only when they are ripe."""

from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select

from chains.ports import Watched
from chains.types import BlockRef, BlockScan
from tests.deposit_world import NETWORK, ScriptedChain, make_bench, pay
from wallet.payments.building.utxo import spendable
from wallet.store.database import Database
from wallet.store.schema import utxos


@dataclass
class Slow(ScriptedChain):
    """A chain all of whose outputs must lie for six blocks."""

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        found = super().scan(block, watched)
        slow = tuple(replace(one, maturity_blocks=6) for one in found.inflows)
        return replace(found, inflows=slow)


@pytest.mark.parametrize(("chain", "blocks"), [(ScriptedChain(), 2), (Slow(), 6)])
def test_a_coin_is_spent_no_earlier_than_its_chain_allows(
    database: Database, chain: ScriptedChain, blocks: int
) -> None:
    chain.blocks.clear()
    bench = make_bench(database, chain=chain)
    chain.mine()
    chain.mine(pay(("deposit", 5_000)))
    bench.follow()
    scanned = 1
    while True:
        with database.read() as tx:
            if spendable(tx, NETWORK, "bitcoin-hot"):
                break
        chain.mine()
        bench.follow()
        scanned += 1
        assert scanned < 20

    assert scanned == blocks
    assert bench.owned() == 5_000


def test_a_coin_that_comes_back_in_another_block_ripens_anew(database: Database) -> None:
    chain = Slow()
    bench = make_bench(database, chain=chain)
    payment = pay(("deposit", 5_000))
    chain.mine()
    chain.mine(payment)
    bench.follow()
    chain.drop(1)
    chain.mine(salt="b")
    chain.mine(payment)
    bench.follow()

    with database.read() as tx:
        assert tx.execute(select(utxos.c.mature_height)).scalar_one() == 2 + 6

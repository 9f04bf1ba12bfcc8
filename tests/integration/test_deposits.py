"""Deposits from scanned blocks: credited once at their depth, undone by reorgs, never lost."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from chains.ports import Watched
from chains.types import Asset, BlockRef, BlockScan, Evidence, Family, Inflow, OutPoint, Spend
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from signer.protocol import Purpose
from wallet.deposits.recording import DepositRules, is_deposit
from wallet.deposits.states import ARROWS, DepositStatus, ForbiddenArrow, check_arrow
from wallet.deposits.watcher import Seen, Watcher
from wallet.events import read_events, verify_chain
from wallet.ledger import chart
from wallet.ledger.posting import balance, post_batch, single
from wallet.milestones import pass_by
from wallet.settings import AssetSettings, ConfirmationTier
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits, utxos

NETWORK = "bitcoin-regtest"
USER = "user-1"
TARGETS = {"deposit": b"\x00\x20" + b"d" * 32, "hot": b"\x00\x20" + b"h" * 32}


class FixedClock:
    """A clock that stands still."""

    def now_s(self) -> int:
        return 1_700_000_000


@dataclass
class ScriptedChain:
    """A UTXO chain whose blocks a test writes by hand."""

    network: str = NETWORK
    family: Family = Family.UTXO
    assets: tuple[Asset, ...] = (Asset(code="BTC", network=NETWORK, decimals=8),)
    blocks: list[tuple[BlockRef, tuple[Transaction, ...]]] = field(default_factory=list)

    def mine(self, *transactions: Transaction, salt: str = "") -> BlockRef:
        height = len(self.blocks)
        parent = self.blocks[-1][0].hash if self.blocks else "00" * 32
        names = "".join(tx.txid for tx in transactions)
        digest = hashlib.sha256(f"{parent}{height}{salt}{names}".encode()).hexdigest()
        ref = BlockRef(height=height, hash=digest, parent=parent, time_s=height)
        self.blocks.append((ref, transactions))
        return ref

    def drop(self, depth: int) -> None:
        del self.blocks[-depth:]

    def tip(self) -> BlockRef:
        return self.blocks[-1][0]

    def block_at(self, height: int) -> BlockRef:
        return self.blocks[height][0]

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        ref, transactions = self.blocks[block.height]
        inflows, spends = [], []
        for tx in transactions:
            spends += [
                Spend(outpoint=o, txid=tx.txid) for o in tx.outpoints() if o in watched.outpoints
            ]
            inflows += [
                Inflow(
                    txid=tx.txid,
                    position=f"out:{n}",
                    asset="BTC",
                    target=output.script,
                    units=output.sats,
                    evidence=Evidence.OUTPUT,
                    raw_tx=tx.serialize(),
                )
                for n, output in enumerate(tx.outputs)
                if output.script in watched.targets
            ]
        return BlockScan(ref=ref, inflows=tuple(inflows), spends=tuple(spends))


def pay(*outputs: tuple[str, int], spends: str = "aa" * 32, nonce: int = 0) -> Transaction:
    return Transaction(
        inputs=(TxInput(txid=spends, vout=nonce),),
        outputs=tuple(TxOutput(sats=sats, script=TARGETS[name]) for name, sats in outputs),
    )


RULES = DepositRules(
    asset=AssetSettings(
        code="BTC",
        network=NETWORK,
        decimals=8,
        deposit_units_min=1_000,
        confirmations=(
            ConfirmationTier(from_units=0, confirmations=2),
            ConfirmationTier(from_units=1_000_000, confirmations=4),
        ),
    )
)


@dataclass
class Bench:
    """A database with one user and one address of each purpose, and a watcher on a chain."""

    database: Database
    chain: ScriptedChain
    watcher: Watcher

    def follow(self) -> list[Seen]:
        seen = []
        while True:
            seen.append(self.watcher.step().seen)
            if seen[-1] is Seen.SAME:
                return seen

    def rows(self) -> list[tuple[str, int]]:
        with self.database.read() as tx:
            found = tx.execute(select(deposits).order_by(deposits.c.txid, deposits.c.position))
            return [(row.status, row.units) for row in found]

    def owned(self, owner: str = "") -> int:
        with self.database.read() as tx:
            return balance(tx, owner or chart.user(USER), "BTC").net

    def event_types(self) -> list[str]:
        with self.database.read() as tx:
            verify_chain(tx)
            return [event.type for event in read_events(tx, 0, 1000)]


def make_bench(
    database: Database,
    milestone: Callable[[str], None] = pass_by,
    chain: ScriptedChain | None = None,
) -> Bench:
    chain = chain or ScriptedChain()
    with database.write() as tx:
        if tx.execute(select(accounts)).first() is None:
            tx.execute(insert(accounts).values(id=USER, external_id="u", created_s=0))
            for number, (purpose, target) in enumerate(TARGETS.items()):
                tx.execute(
                    insert(addresses).values(
                        id=f"address-{purpose}",
                        account_id=USER if purpose == "deposit" else None,
                        network=NETWORK,
                        source="bitcoin-hot",
                        branch=0,
                        position=number,
                        purpose=purpose,
                        address=f"address {purpose}",
                        target=target,
                        created_s=0,
                    )
                )
    watcher = Watcher(chain, database, {"BTC": RULES}, 0, FixedClock(), milestone)  # type: ignore[arg-type]
    return Bench(database=database, chain=chain, watcher=watcher)


@pytest.fixture
def bench(database: Database) -> Bench:
    return make_bench(database)


def test_credit_comes_once_at_the_depth_the_amount_asks_for(bench: Bench) -> None:
    small, large = pay(("deposit", 50_000)), pay(("deposit", 2_000_000), nonce=1)
    bench.chain.mine()
    bench.chain.mine(small)
    bench.follow()
    assert bench.owned() == 0
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 50_000
    bench.chain.mine(large)
    bench.chain.mine()
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 50_000
    bench.chain.mine()
    bench.follow()

    assert bench.owned() == 2_050_000
    assert bench.owned(chart.HOT) == 2_050_000
    assert bench.event_types().count("deposit.credited") == 2


def test_several_outputs_of_one_transaction_are_several_deposits(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 5_000), ("deposit", 6_000), ("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000), ("credited", 6_000), ("credited", 5_000)]
    assert bench.owned() == 16_000


def test_below_minimum_stays_visible_and_in_the_books_but_not_with_the_user(bench: Bench) -> None:
    bench.chain.mine(pay(("deposit", 999)))
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("below_minimum", 999)]
    assert bench.owned() == 0
    assert bench.owned(chart.UNALLOCATED) == bench.owned(chart.HOT) == 999


def test_money_sent_to_our_own_address_from_outside_is_the_houses(bench: Bench) -> None:
    bench.chain.mine(pay(("hot", 70)))
    bench.chain.mine()
    bench.follow()

    assert bench.owned(chart.HOUSE) == bench.owned(chart.HOT) == 70


def test_reorg_before_credit_orphans_and_a_new_block_brings_it_back(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")

    assert Seen.REORGANISED in bench.follow()
    assert bench.rows() == [("orphaned", 5_000)]
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == 5_000


def test_reorg_after_credit_reverses_and_credits_again_in_the_new_block(bench: Bench) -> None:
    payment = pay(("deposit", 5_000))
    bench.chain.mine()
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()
    assert bench.owned() == 5_000
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    assert bench.rows() == [("reversed", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 0
    bench.chain.mine(payment)
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 5_000


def test_a_reorg_and_back_to_the_very_same_blocks_credits_again(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    first = list(bench.chain.blocks)
    bench.follow()
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()
    assert bench.owned() == 0
    bench.chain.blocks[:] = first
    for _ in range(2):
        bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", 5_000)]
    assert bench.owned() == bench.owned(chart.HOT) == 5_000


def test_reversal_of_money_already_spent_is_the_houses_loss_and_alarms(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 5_000)))
    bench.chain.mine()
    bench.follow()
    with bench.database.write() as tx:
        spent = single(chart.user(USER), chart.HOT, "BTC", 4_000)
        post_batch(tx, "spent", [spent], 1)
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt="b")
    bench.follow()

    assert bench.owned() == 0
    assert bench.owned(chart.HOUSE) == -4_000
    assert "alert.reversal_not_covered" in bench.event_types()


def test_conflicting_spend_after_a_reorg_marks_the_deposit_replaced(bench: Bench) -> None:
    lost, winner = pay(("deposit", 5_000)), pay(("deposit", 4_000))
    bench.chain.mine()
    bench.chain.mine(lost)
    bench.follow()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(winner)
    bench.follow()

    assert sorted(bench.rows()) == [("confirming", 4_000), ("replaced", 5_000)]


def test_reorg_gives_a_spent_output_back(bench: Bench) -> None:
    funding = pay(("hot", 9_000))
    spending = pay(("hot", 8_000), spends=funding.txid)
    bench.chain.mine(funding)
    bench.chain.mine(spending)
    bench.follow()
    with bench.database.read() as tx:
        spent = select(utxos.c.spent_txid).where(utxos.c.txid == funding.txid)
        assert tx.execute(spent).scalar_one() == spending.txid
    assert "alert.foreign_spend" in bench.event_types()
    bench.chain.drop(1)
    bench.chain.mine(salt="b")
    bench.chain.mine(salt="b")
    bench.follow()

    with bench.database.read() as tx:
        assert tx.execute(spent).scalar_one() is None


def test_a_lagging_node_is_waited_for_not_rolled_back(bench: Bench) -> None:
    for _ in range(3):
        bench.chain.mine()
    bench.follow()
    late = bench.chain.blocks.pop()

    assert bench.watcher.step().seen is Seen.SAME
    bench.chain.blocks.append(late)
    assert bench.watcher.step() == replace(bench.watcher.step(), seen=Seen.SAME, height=2)


class _Killed(BaseException):
    """Stands for a power cut: nothing catches it."""


@pytest.mark.parametrize(
    "moment", ["block.recording", "block.recorded", "reorg.undoing", "reorg.undone"]
)
def test_killed_at_each_persisted_step_nothing_is_lost_or_twice(
    database: Database, moment: str
) -> None:
    def die(name: str) -> None:
        if name == moment:
            raise _Killed

    payment = pay(("deposit", 5_000))
    chain = ScriptedChain()
    chain.mine()
    chain.mine(payment)
    chain.mine()
    if moment.startswith("reorg"):
        make_bench(database, chain=chain).follow()
        chain.drop(2)
        chain.mine(salt="b")
        chain.mine(payment, salt="b")
        chain.mine(salt="b")
    with pytest.raises(_Killed):
        make_bench(database, die, chain).follow()
    restarted = make_bench(database, chain=chain)
    restarted.follow()

    assert restarted.rows() == [("credited", 5_000)]
    assert restarted.owned() == restarted.owned(chart.HOT) == 5_000
    restarted.event_types()


@pytest.mark.parametrize(("old", "new"), list(product(DepositStatus, DepositStatus)))
def test_every_arrow_is_allowed_and_every_other_forbidden(
    old: DepositStatus, new: DepositStatus
) -> None:
    if new in ARROWS[old]:
        check_arrow(old, new)
    else:
        with pytest.raises(ForbiddenArrow):
            check_arrow(old, new)


@pytest.mark.parametrize(
    ("own", "address", "expected"),
    [
        (None, "deposit", True),
        (None, "hot", True),
        (Purpose.WITHDRAWAL, "deposit", True),
        (Purpose.WITHDRAWAL, "change", False),
        (Purpose.TOP_UP, "deposit", False),
        (Purpose.SWEEP, "cold", False),
    ],
)
def test_our_own_money_moving_is_no_deposit(
    own: Purpose | None, address: str, expected: bool
) -> None:
    assert is_deposit(own, address) is expected


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_history_of_blocks_and_reorgs_ends_with_books_equal_to_the_chain(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('db') / 'w.sqlite'}")
    database.migrate()
    bench = make_bench(database)
    pool = [pay(("deposit", 1_000 + n), nonce=n) for n in range(6)]
    for salt in range(data.draw(st.integers(2, 7))):
        if len(bench.chain.blocks) > 1 and data.draw(st.booleans()):
            bench.chain.drop(data.draw(st.integers(1, len(bench.chain.blocks) - 1)))
        for _ in range(data.draw(st.integers(1, 3))):
            mined = {tx.txid for _, txs in bench.chain.blocks for tx in txs}
            free = [tx for tx in pool if tx.txid not in mined]
            bench.chain.mine(
                *data.draw(
                    st.lists(st.sampled_from(free), unique_by=lambda t: t.txid)
                    if free
                    else st.just([])
                ),
                salt=str(salt),
            )
        bench.follow()
    bench.chain.mine(salt="end")
    bench.chain.mine(salt="end")
    for _ in range(3):
        bench.follow()
    mined_units = sum(o.sats for _, txs in bench.chain.blocks for tx in txs for o in tx.outputs)

    assert bench.owned() == bench.owned(chart.HOT) == mined_units
    with database.read() as tx:
        rows = tx.execute(select(utxos.c.txid, utxos.c.vout).where(utxos.c.height.is_not(None)))
        assert {OutPoint(*row) for row in rows} == {
            OutPoint(tx.txid, 0) for _, txs in bench.chain.blocks for tx in txs
        }
    database.close()

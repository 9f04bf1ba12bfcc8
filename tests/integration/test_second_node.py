"""A second node must show the same deposit before a large credit; else it is held, not lost."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import select

from chains.errors import CodecError, NodeError, NodeUnavailable, UnexpectedAnswer
from chains.headers import BrokenChain
from chains.ports import Watched
from chains.types import BlockRef, BlockScan, Inflow
from tests.deposit_world import RULES, Bench, FixedClock, ScriptedChain, make_bench, pay
from wallet.deposits.gate import CreditGate
from wallet.deposits.holding import release
from wallet.deposits.rules import DepositRules
from wallet.deposits.second_node import SecondNode
from wallet.deposits.watcher import Watcher
from wallet.milestones import pass_by
from wallet.store.database import Database
from wallet.store.schema import deposits

LARGE = 60_000


@dataclass
class Other(ScriptedChain):
    """The second node: the same chain, until a test lets it say something else."""

    error: Exception | None = None
    change: Callable[[Inflow], Inflow | None] = lambda one: one
    asked: list[int] = field(default_factory=list)

    def tip(self) -> BlockRef:
        self._say()
        return super().tip()

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        self.asked.append(block.height)
        found = super().scan(block, watched)
        kept = [new for one in found.inflows if (new := self.change(one)) is not None]
        return replace(found, inflows=tuple(kept))

    def _say(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Two:
    """A watcher on one node and a second opinion."""

    bench: Bench
    other: Other
    second: SecondNode

    def follow(self) -> None:
        self.bench.follow()
        self.second.step()

    def mine(self, *units: int) -> None:
        self.bench.chain.mine(*[pay(("deposit", one), nonce=one) for one in units])

    def shown(self) -> list[tuple[str, str]]:
        with self.bench.database.read() as tx:
            rows = tx.execute(select(deposits).order_by(deposits.c.units))
            return [(row.status, row.sub_status) for row in rows]

    def alerts(self) -> int:
        return self.bench.event_types().count("alert.deposit_held")


def two_nodes(
    database: Database,
    milestone: Callable[[str], None] = pass_by,
    chain: ScriptedChain | None = None,
) -> Two:
    chain = chain or ScriptedChain()
    bench = make_bench(database, chain=chain)
    rules = {"BTC": DepositRules(asset=replace(RULES.asset, second_node_from=LARGE))}
    bench.watcher = Watcher(chain, database, rules, 0, FixedClock(), pass_by)  # type: ignore[arg-type]
    other = Other(blocks=chain.blocks)
    gate = CreditGate(chain, rules)  # type: ignore[arg-type]
    second = SecondNode(other, gate, database, FixedClock(), milestone)  # type: ignore[arg-type]
    return Two(bench, other, second)


@pytest.fixture
def two(database: Database) -> Two:
    return two_nodes(database)


def test_both_nodes_agree_and_the_credit_comes_without_another_block(two: Two) -> None:
    two.mine(LARGE)
    two.mine()
    two.bench.follow()
    assert [("confirming", "second_node")] == two.shown()
    assert two.second.step() == 1

    assert [("credited", "")] == two.shown()
    assert two.bench.owned() == LARGE
    assert two.second.step() == 0


def test_a_small_credit_and_one_not_deep_enough_ask_nobody(two: Two) -> None:
    two.mine(LARGE - 1)
    two.mine()
    two.follow()
    assert two.bench.owned() == LARGE - 1
    two.mine()
    two.mine()
    two.mine(LARGE)
    two.follow()

    assert two.other.asked == []
    assert ("confirming", "") in two.shown()


def test_small_deposits_that_make_a_large_sum_are_asked_about(two: Two) -> None:
    two.mine(LARGE - 1, LARGE - 2)
    two.mine()
    two.bench.follow()

    assert {("confirming", "second_node")} == set(two.shown())
    assert two.second.step() == 2
    assert two.other.asked == [0]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: None,
        lambda one: replace(one, units=one.units - 1),
        lambda one: replace(one, position="out:1"),
        lambda one: replace(one, txid="ab" * 32),
        lambda one: replace(one, asset="LTC"),
        lambda one: replace(one, target=b"\x51"),
    ],
)
def test_another_deposit_in_the_block_holds_it(
    two: Two, change: Callable[[Inflow], Inflow | None]
) -> None:
    two.other.change = change
    two.mine(LARGE)
    two.mine()
    two.follow()

    assert [("held", "second_node_disagrees")] == two.shown()
    assert two.bench.owned() == 0
    two.other.change = lambda one: one
    two.second.step()
    assert two.bench.owned() == LARGE


def test_another_block_at_the_height_holds_it(two: Two) -> None:
    two.mine(LARGE)
    two.mine()
    ref, transactions = two.bench.chain.blocks[0]
    two.other.blocks = [(replace(ref, hash="ab" * 32), transactions), *two.bench.chain.blocks[1:]]
    two.follow()

    assert [("held", "second_node_disagrees")] == two.shown()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (NodeUnavailable("away"), "second_node_silent"),
        (NodeError("bad credentials"), "second_node_silent"),
        (CodecError("wrong Merkle root"), "second_node_disagrees"),
        (UnexpectedAnswer("a strange field"), "second_node_disagrees"),
        (BrokenChain("no parent"), "second_node_disagrees"),
    ],
)
def test_silence_and_nonsense_hold_it_and_alert_once(two: Two, error: Exception, why: str) -> None:
    two.other.error = error
    two.mine(LARGE)
    two.mine()
    two.follow()
    two.second.step()
    two.mine()
    two.follow()

    assert [("held", why)] == two.shown()
    assert two.alerts() == 1
    two.other.error = None
    two.second.step()
    assert two.bench.owned() == LARGE


def test_a_second_node_that_lags_is_silent(two: Two) -> None:
    two.mine(LARGE)
    two.mine()
    two.other.blocks = []
    two.other.mine(salt="genesis")
    two.mine(LARGE + 1)
    two.mine()
    two.follow()

    assert ("held", "second_node_silent") in two.shown()


def test_silence_that_turns_into_disagreement_alerts_again(two: Two) -> None:
    two.other.error = NodeUnavailable("away")
    two.mine(LARGE)
    two.mine()
    two.follow()
    two.other.error, two.other.change = None, lambda one: None
    two.second.step()
    assert ([("held", "second_node_disagrees")], 2) == (two.shown(), two.alerts())
    two.other.error = NodeUnavailable("away")
    two.second.step()

    assert ([("held", "second_node_disagrees")], 2) == (two.shown(), two.alerts())


def test_agreement_holds_for_one_block_only(two: Two) -> None:
    payment = pay(("deposit", LARGE))
    two.bench.chain.mine()
    two.bench.chain.mine(payment)
    two.mine()
    two.follow()
    assert two.bench.owned() == LARGE
    two.bench.chain.drop(2)
    two.mine()
    two.bench.chain.mine(payment, salt="b")
    two.mine()
    two.bench.follow()

    assert [("confirming", "second_node")] == two.shown()


def test_an_answer_about_a_block_that_is_gone_counts_for_nothing(two: Two) -> None:
    payment = pay(("deposit", LARGE))
    two.bench.chain.mine()
    two.bench.chain.mine(payment)
    two.mine()
    two.bench.follow()

    def reorganise(_: Inflow) -> None:
        """While the second node is asked, the first one moves the deposit to another block."""
        two.bench.chain.drop(2)
        two.bench.chain.mine(payment, salt="b")
        two.mine()
        two.mine()
        two.bench.follow()

    two.other.change = reorganise
    assert two.second.step() == 0

    assert [("confirming", "second_node")] == two.shown()


def test_a_held_deposit_leaves_with_its_block(two: Two) -> None:
    two.other.error = NodeUnavailable("away")
    two.mine()
    two.mine(LARGE)
    two.mine()
    two.follow()
    two.bench.chain.drop(2)
    for _ in range(3):
        two.bench.chain.mine(salt="b")
    two.follow()

    assert [("orphaned", "")] == two.shown()


def test_a_person_may_let_it_go_on(two: Two) -> None:
    two.other.error = NodeUnavailable("away")
    two.mine(LARGE)
    two.mine()
    two.follow()
    with two.bench.database.write() as tx:
        release(tx, tx.execute(select(deposits.c.id)).scalar_one(), "ada", 1)
    two.mine()
    two.follow()

    assert two.bench.owned() == LARGE


class _Killed(BaseException):
    """Stands for a power cut: nothing catches it."""


@pytest.mark.parametrize("moment", ["second_node.recording", "second_node.recorded"])
@pytest.mark.parametrize("error", [None, NodeUnavailable("away")])
def test_killed_at_each_step_it_is_credited_once(
    database: Database, moment: str, error: Exception | None
) -> None:
    def die(name: str) -> None:
        if name == moment:
            raise _Killed

    two = two_nodes(database, die)
    two.other.error = error
    two.mine(LARGE)
    two.mine()
    with pytest.raises(_Killed):
        two.follow()
    again = two_nodes(database, chain=two.bench.chain)
    again.follow()

    assert [("credited", "")] == again.shown()
    assert again.bench.owned() == LARGE
    again.bench.event_types()

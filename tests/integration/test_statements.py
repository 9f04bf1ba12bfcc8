"""Statements by block and wallet: what they say, what they cannot explain, and what undoes them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Table, delete, func, select, update

from chains.ports import Watched
from chains.types import BlockRef, BlockScan, Family
from tests.deposit_world import NETWORK, Bench, FixedClock, make_bench, pay
from tests.reconciling import reporter
from wallet.events import read_events
from wallet.milestones import Milestone, pass_by
from wallet.pauses import Scope, active, resume
from wallet.reconciliation.breaks import (
    BadExplanation,
    Break,
    BreakUnknown,
    explain_break,
    open_breaks,
)
from wallet.reconciliation.coverage import coverage_of
from wallet.reconciliation.heads import StatementRace, advance_head, head_of, put_head_back
from wallet.reconciliation.listing import Span, balances_over, statements_in
from wallet.reconciliation.reconciler import Reached, Reconciler
from wallet.reconciliation.report import Report
from wallet.reconciliation.statements import Statement
from wallet.reconciliation.states import BreakCode, BreakStatus, ForbiddenBreakArrow, check_arrow
from wallet.store.database import Database
from wallet.store.schema import (
    breaks,
    deposits,
    statement_coins,
    statement_heads,
    statement_lines,
    statements,
)
from wallet.waiting import standings

NOW_S = FixedClock().now_s()


@pytest.fixture
def bench(database: Database) -> Bench:
    return make_bench(database)


def reconciler(bench: Bench, milestone: Milestone = pass_by) -> Reconciler:
    return Reconciler(bench.chain, bench.database, FixedClock(), milestone)  # type: ignore[arg-type]


def report(bench: Bench) -> Report:
    return reporter(bench.chain, bench.database, FixedClock()).report()  # type: ignore[arg-type]


def shown(bench: Bench, span: Span | None = None) -> list[tuple[int, int, int, int, int]]:
    """Height, opening, deposits, unexplained, closing."""
    with bench.database.read() as tx:
        found = statements_in(tx, NETWORK, span or Span())
    return [(o.height, o.opening, o.deposits, o.unexplained, o.closing) for o in found]


def found_breaks(bench: Bench) -> list[tuple[str, str, int]]:
    with bench.database.read() as tx:
        rows = tx.execute(select(breaks).order_by(breaks.c.code, breaks.c.height))
        return [(row.code, row.status, row.units) for row in rows]


def the_break(bench: Bench) -> Break:
    with bench.database.read() as tx:
        (one,) = open_breaks(tx, NETWORK)
    return one


def is_paused(bench: Bench) -> bool:
    with bench.database.read() as tx:
        return bool(active(tx, Scope.ASSET, "BTC"))


def two_deposits(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.chain.mine(pay(("deposit", 7_000), ("hot", 2_000), nonce=1))
    bench.chain.mine()
    bench.follow()


def test_each_block_opens_where_the_one_before_closed(bench: Bench) -> None:
    two_deposits(bench)

    assert reconciler(bench).run() == Reached(height=3, scanned_height=3)
    assert shown(bench) == [(1, 0, 50_000, 0, 50_000), (2, 50_000, 9_000, 0, 59_000)]
    assert shown(bench, Span(from_height=2)) == [(2, 50_000, 9_000, 0, 59_000)]
    assert shown(bench, Span(to_height=1)) == [(1, 0, 50_000, 0, 50_000)]
    assert shown(bench, Span(wallet="bitcoin-cold")) == []


def test_a_span_is_one_statement_also_where_nothing_moved(bench: Bench) -> None:
    two_deposits(bench)
    reconciler(bench).run()
    with bench.database.read() as tx:
        (quiet,) = balances_over(tx, NETWORK, Span(from_height=3, to_height=3))
        (both,) = balances_over(tx, NETWORK, Span(from_height=1, to_height=2))
        assert balances_over(tx, NETWORK, Span(wallet="bitcoin-cold")) == []

    assert (quiet.opening, quiet.deposits, quiet.closing, quiet.height) == (59_000, 0, 59_000, 3)
    assert (both.opening, both.deposits, both.closing) == (0, 59_000, 59_000)


def test_done_again_it_changes_nothing(bench: Bench) -> None:
    two_deposits(bench)
    reconciler(bench).run()
    before = shown(bench), report(bench)

    assert reconciler(bench).run() == Reached(height=3, scanned_height=3)
    assert (shown(bench), report(bench)) == before


def test_a_pass_stops_at_its_bound_and_the_next_goes_on(bench: Bench) -> None:
    two_deposits(bench)
    one = reconciler(bench)

    assert one.run(2) == Reached(height=1, scanned_height=3)
    assert one.run(2) == Reached(height=3, scanned_height=3)


def test_nothing_scanned_has_no_statements(bench: Bench) -> None:
    assert reconciler(bench).run() is None


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_reorganisation_rolls_the_statements_back(bench: Bench, depth: int) -> None:
    two_deposits(bench)
    one = reconciler(bench)
    one.run()
    bench.chain.drop(depth)
    for number in range(depth + 1):
        bench.chain.mine(salt=f"other {number}")
    bench.follow()
    one.run()

    kept = [(1, 0, 50_000, 0, 50_000), (2, 50_000, 9_000, 0, 59_000)]
    assert shown(bench) == [row for row in kept if row[0] <= 3 - depth]
    assert report(bench).is_right


def test_a_reorganisation_to_below_the_first_statement_begins_anew(bench: Bench) -> None:
    two_deposits(bench)
    one = reconciler(bench)
    one.run()
    with bench.database.write() as tx:
        tx.execute(update(statement_heads).values(from_height=3))
        for table in (statements, statement_lines, statement_coins):
            tx.execute(delete(table))
    bench.chain.drop(2)
    for number in range(3):
        bench.chain.mine(salt=f"other {number}")
    bench.follow()
    one.run()

    with bench.database.read() as tx:
        head = head_of(tx, NETWORK)
    assert head is not None and (head.height, head.hash) == (4, bench.chain.tip().hash)


def test_a_coin_that_a_stranger_spent_is_the_worst_break(bench: Bench) -> None:
    funding = pay(("deposit", 50_000))
    bench.chain.mine()
    bench.chain.mine(funding)
    theft = pay(("hot", 40_000), spends=funding.txid)
    bench.chain.mine(theft)
    bench.follow()
    reconciler(bench).run()

    one = the_break(bench)
    assert (one.code, one.units, one.txid) == (BreakCode.FOREIGN_SPEND, -50_000, theft.txid)
    assert (one.wallet, one.asset, one.height) == ("bitcoin-hot", "BTC", 2)
    assert shown(bench)[-1] == (2, 50_000, 40_000, -50_000, 40_000)
    assert is_paused(bench)
    assert not report(bench).is_right
    with bench.database.read() as tx:
        types = [event.type for event in read_events(tx, 0, 1000)]
    assert types.count("alert.reconciliation_break") == 1
    assert types.count("withdrawals.paused") == 1


def test_a_theft_that_a_reorganisation_takes_back_is_resolved_and_opened_again(
    bench: Bench,
) -> None:
    funding = pay(("deposit", 50_000))
    theft = pay(("hot", 40_000), spends=funding.txid)
    for transaction in ((), (funding,), (theft,)):
        bench.chain.mine(*transaction)
    bench.follow()
    one = reconciler(bench)
    one.run()
    bench.chain.drop(1)
    bench.chain.mine(salt="without")
    bench.chain.mine(salt="more")
    bench.follow()
    one.run()

    assert found_breaks(bench) == [("foreign_spend", "resolved", -50_000)]
    bench.chain.mine(theft)
    bench.follow()
    one.run()
    assert found_breaks(bench) == [("foreign_spend", "open", -50_000)]
    assert the_break(bench).height == 4


def test_a_deposit_without_its_row_is_late_until_the_row_comes(bench: Bench) -> None:
    two_deposits(bench)
    with bench.database.write() as tx:
        row = tx.execute(
            delete(deposits).where(deposits.c.units == 50_000).returning(deposits)
        ).one()
    one = reconciler(bench)
    one.run()

    assert found_breaks(bench) == [("late_deposit", "open", 50_000)]
    assert shown(bench)[0] == (1, 0, 0, 50_000, 50_000)
    assert not is_paused(bench), "what came too much must not stop withdrawals"
    with bench.database.write() as tx:
        tx.execute(deposits.insert().values(dict(row._mapping)))
    one.run()
    assert found_breaks(bench) == [("late_deposit", "resolved", 50_000)]
    assert shown(bench)[0] == (1, 0, 50_000, 0, 50_000)
    assert not report(bench).faults


def test_a_deposit_that_no_block_has_is_a_phantom(bench: Bench) -> None:
    two_deposits(bench)
    with bench.database.write() as tx:
        tx.execute(update(deposits).where(deposits.c.units == 50_000).values(position="out:9"))
    one = reconciler(bench)
    one.run()

    assert found_breaks(bench) == [
        ("late_deposit", "open", 50_000),
        ("phantom_deposit", "open", -50_000),
    ]
    assert is_paused(bench)
    with bench.database.write() as tx:
        tx.execute(update(deposits).where(deposits.c.units == 50_000).values(position="out:0"))
    one.run()
    assert {status for _, status, _ in found_breaks(bench)} == {"resolved"}
    assert is_paused(bench), "only a person lifts a pause"


def test_a_deposit_in_a_quiet_block_is_a_phantom_too(bench: Bench) -> None:
    two_deposits(bench)
    ref, _ = bench.chain.blocks[3]
    with bench.database.write() as tx:
        tx.execute(
            update(deposits)
            .where(deposits.c.units == 2_000)
            .values(height=ref.height, block_hash=ref.hash)
        )
    reconciler(bench).run()

    assert [code for code, _, _ in found_breaks(bench)] == ["late_deposit", "phantom_deposit"]


def test_a_deposit_of_another_amount_than_its_block_shows(bench: Bench) -> None:
    two_deposits(bench)
    with bench.database.write() as tx:
        tx.execute(update(deposits).where(deposits.c.units == 50_000).values(units=60_000))
    one = reconciler(bench)
    one.run()

    assert found_breaks(bench) == [("other_amount", "open", -10_000)]
    assert is_paused(bench)
    with bench.database.write() as tx:
        tx.execute(update(deposits).where(deposits.c.units == 60_000).values(units=50_000))
    one.run()
    assert found_breaks(bench) == [("other_amount", "resolved", -10_000)]


def test_a_row_that_changes_between_its_block_and_its_booking(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.follow()
    one = reconciler(bench)
    one.run()
    with bench.database.write() as tx:
        tx.execute(update(deposits).values(units=60_000))
    bench.chain.mine()
    bench.follow()
    one.run()

    assert found_breaks(bench) == [("other_amount", "open", -10_000)]
    (row,) = report(bench).rows
    assert row.difference == -10_000


def test_a_row_that_goes_before_its_booking_is_late_again(bench: Bench) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", 50_000)))
    bench.follow()
    one = reconciler(bench)
    one.run()
    with bench.database.write() as tx:
        row = tx.execute(delete(deposits).returning(deposits)).one()
    one.run()

    assert found_breaks(bench) == [("late_deposit", "open", 50_000)]
    with bench.database.write() as tx:
        tx.execute(deposits.insert().values(dict(row._mapping)))
    one.run()
    assert found_breaks(bench) == [("late_deposit", "resolved", 50_000)]
    assert not report(bench).faults


class TestPeople:
    def test_a_person_explains_a_break_once(self, bench: Bench) -> None:
        self._steal(bench)
        one = the_break(bench)
        with bench.database.write() as tx:
            done = explain_break(tx, one.id, "we moved it by hand, ticket 7", "anna", NOW_S + 9)
        assert (done.status, done.decided_by, done.since_s) == (
            BreakStatus.EXPLAINED,
            "anna",
            NOW_S + 9,
        )
        with bench.database.write() as tx, pytest.raises(ForbiddenBreakArrow):
            explain_break(tx, one.id, "again", "ben", NOW_S)
        reconciler(bench).run()
        assert found_breaks(bench) == [("foreign_spend", "explained", -50_000)]

    @pytest.mark.parametrize("reason", ["", "   ", "two\nlines", "x" * 501])
    def test_a_reason_has_to_be_readable(self, bench: Bench, reason: str) -> None:
        self._steal(bench)
        with bench.database.write() as tx, pytest.raises(BadExplanation):
            explain_break(tx, the_break(bench).id, reason, "anna", NOW_S)

    def test_a_break_that_is_not_there(self, bench: Bench) -> None:
        with bench.database.write() as tx, pytest.raises(BreakUnknown):
            explain_break(tx, "nothing", "because", "anna", NOW_S)

    def test_a_lifted_pause_stays_lifted(self, bench: Bench) -> None:
        self._steal(bench)
        with bench.database.write() as tx:
            resume(tx, Scope.ASSET, "BTC", "anna", NOW_S)
        bench.chain.mine()
        bench.follow()
        reconciler(bench).run()
        assert not is_paused(bench)

    @staticmethod
    def _steal(bench: Bench) -> None:
        funding = pay(("deposit", 50_000))
        bench.chain.mine()
        bench.chain.mine(funding)
        bench.chain.mine(pay(("hot", 40_000), spends=funding.txid))
        bench.follow()
        reconciler(bench).run()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (old, new)
        for old in BreakStatus
        for new in BreakStatus
        if (old, new)
        not in {
            (BreakStatus.OPEN, BreakStatus.EXPLAINED),
            (BreakStatus.OPEN, BreakStatus.RESOLVED),
            (BreakStatus.EXPLAINED, BreakStatus.RESOLVED),
            (BreakStatus.RESOLVED, BreakStatus.OPEN),
        }
    ],
)
def test_other_arrows_are_refused(old: BreakStatus, new: BreakStatus) -> None:
    with pytest.raises(ForbiddenBreakArrow):
        check_arrow(old, new)


class Killed(Exception):
    """The process is gone."""


@pytest.mark.parametrize(
    "moment",
    [
        "statement.recording",
        "statement.recorded",
        "statement.settling",
        "statement.undoing",
        "statement.undone",
    ],
)
def test_killed_anywhere_it_goes_on_and_says_the_same(bench: Bench, moment: str) -> None:
    two_deposits(bench)

    def die(name: str) -> None:
        if name == moment:
            raise Killed

    killed = 0
    try:
        reconciler(bench, die).run()
    except Killed:
        killed += 1
    reconciler(bench).run()
    bench.chain.drop(2)
    bench.chain.mine(salt="other")
    bench.chain.mine(pay(("deposit", 3_000), nonce=5))
    bench.chain.mine()
    bench.follow()
    try:
        reconciler(bench, die).run()
    except Killed:
        killed += 1
    reconciler(bench).run()

    assert killed
    assert shown(bench) == [(1, 0, 50_000, 0, 50_000), (3, 50_000, 3_000, 0, 53_000)]
    assert report(bench).is_right


def test_of_two_that_write_one_wins_each_block(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_deposits(bench)
    scan, other, slower = bench.chain.scan, reconciler(bench), reconciler(bench)

    def overtaken(block: BlockRef, watched: Watched) -> BlockScan:
        monkeypatch.setattr(bench.chain, "scan", scan)
        other.run()
        return scan(block, watched)

    monkeypatch.setattr(bench.chain, "scan", overtaken)
    with pytest.raises(StatementRace):
        slower.run()
    assert slower.run() == Reached(height=3, scanned_height=3)
    assert shown(bench) == [(1, 0, 50_000, 0, 50_000), (2, 50_000, 9_000, 0, 59_000)]


def test_a_block_that_the_scan_left_meanwhile_is_not_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_deposits(bench)
    scan, one = bench.chain.scan, reconciler(bench)

    def reorganised(block: BlockRef, watched: Watched) -> BlockScan:
        found = scan(block, watched)
        if block.height == 2:
            monkeypatch.setattr(bench.chain, "scan", scan)
            bench.chain.drop(2)
            for number in range(3):
                bench.chain.mine(salt=f"other {number}")
            bench.follow()
        return found

    monkeypatch.setattr(bench.chain, "scan", reorganised)
    with pytest.raises(StatementRace):
        one.run()
    one.run()
    assert shown(bench) == [(1, 0, 50_000, 0, 50_000)]


def test_a_head_that_moved_meanwhile_is_not_moved_again(bench: Bench) -> None:
    two_deposits(bench)
    reconciler(bench).run()
    tip = bench.chain.tip()
    with bench.database.write() as tx:
        head = head_of(tx, NETWORK)
        assert head is not None
        for stale in (
            replace(head, height=2),
            replace(head, hash="00" * 32),
            replace(head, reorgs=1),
        ):
            with pytest.raises(StatementRace):
                advance_head(tx, NETWORK, stale, [tip], NOW_S)
        for to in (None, tip):
            with pytest.raises(StatementRace):
                put_head_back(tx, NETWORK, replace(head, reorgs=1), to, NOW_S)
        assert head_of(tx, NETWORK) == head


EDITS: Sequence[tuple[Table, str, object]] = (
    (statements, "opening", 1),
    (statements, "deposits", 1),
    (statements, "withdrawals", 1),
    (statements, "fees", 1),
    (statements, "moves", 1),
    (statements, "kept", 1),
    (statements, "unexplained", 1),
    (statements, "closing", 1),
    (statement_lines, "units", 1),
    (statement_lines, "kind", "move"),
    (statement_coins, "units", 1),
    (statement_coins, "spent_height", 3),
)


@pytest.mark.parametrize(("table", "column", "value"), EDITS)
def test_statements_that_were_edited_do_not_add_up(
    bench: Bench, table: Table, column: str, value: object
) -> None:
    two_deposits(bench)
    reconciler(bench).run()
    assert not report(bench).faults
    with bench.database.write() as tx:
        tx.execute(update(table).where(table.c.height == 1).values({column: value}))

    assert report(bench).faults
    assert not report(bench).is_right


def test_a_statement_that_was_deleted_is_missed(bench: Bench) -> None:
    two_deposits(bench)
    reconciler(bench).run()
    with bench.database.write() as tx:
        tx.execute(delete(statements).where(statements.c.height == 1))

    assert report(bench).faults


def test_coverage_is_told_as_numbers(bench: Bench) -> None:
    two_deposits(bench)
    coverage = report(bench).coverage

    assert (coverage.blocks.done, coverage.blocks.of, coverage.blocks.ppm) == (4, 4, 1_000_000)
    assert (coverage.wallets.done, coverage.wallets.of) == (1, 1)
    assert coverage.value["BTC"].ppm == 1_000_000
    bench.chain.mine()
    bench.follow()
    with bench.database.read() as tx:
        late = coverage_of(tx, NETWORK, Family.UTXO)
    assert (late.blocks.done, late.blocks.of, late.blocks.ppm) == (4, 5, 800_000)


def test_a_statement_closes_with_what_its_columns_make() -> None:
    one = Statement(
        wallet="w",
        asset="A",
        height=1,
        hash="",
        opening=100,
        deposits=10,
        withdrawals=20,
        fees=3,
        moves=-5,
        kept=1,
        unexplained=2,
    )
    assert one.closing == 100 + 10 - 20 - 3 - 5 - 1 + 2


def test_breaks_count_as_waiting(bench: Bench) -> None:
    TestPeople._steal(bench)
    with bench.database.read() as tx:
        (one,) = [s for s in standings(tx, NOW_S + 5 * 3600) if s.machine == "break"]
        count = tx.execute(select(func.count()).select_from(breaks)).scalar_one()
    assert (one.state, one.count, one.late_count, count) == ("open", 1, 1, 1)

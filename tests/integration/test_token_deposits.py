"""Token deposits by what arrived, not by what a log says: booked, held, decided, undone."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import insert, select

from chains.errors import NodeRejected
from chains.ports import Watched
from chains.types import (
    Asset,
    BlockRef,
    BlockScan,
    Evidence,
    Family,
    Inflow,
    Movement,
    TokenCode,
    TokenMove,
    UnreadableLog,
)
from tests.reconciling import reporter
from wallet.deposits.holding import (
    DepositUnknown,
    NotHeld,
    NothingArrived,
    held_deposits,
    reject,
    release,
)
from wallet.deposits.rescanning import Rescanner
from wallet.deposits.rules import DepositRules
from wallet.deposits.scanned.proving import CoverageProof, prove_coverage
from wallet.deposits.tokens.arrivals import Arrival, Doubt, arrivals, shares, silent_units
from wallet.deposits.tokens.drift import DriftCheck
from wallet.deposits.tokens.kept import trust_code, waiting_code
from wallet.deposits.watcher import Seen, Watcher
from wallet.events import read_events, verify_chain
from wallet.ledger import chart
from wallet.ledger.posting import balance
from wallet.milestones import pass_by
from wallet.pauses import Scope, active
from wallet.reconciliation.report import Report
from wallet.reconciliation.states import BreakCode
from wallet.settings import AssetSettings, ConfirmationTier, TokenKind
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits

NETWORK, USER = "ethereum-31337", "user-1"
OURS, HOT = b"\x0a" * 20, b"\x0b" * 20
CODE, OTHER_CODE = "c0" * 32, "c1" * 32
NOW_S = 1_700_000_000


class FixedClock:
    def now_s(self) -> int:
        return NOW_S


@dataclass
class ScriptedTokens:
    """An EVM chain whose blocks say of one token what a test wants, beside what it holds."""

    network: str = NETWORK
    family: Family = Family.EVM
    assets: tuple[Asset, ...] = (Asset(code="TOK", network=NETWORK, decimals=6, contract="0x"),)
    blocks: list[BlockScan] = field(default_factory=list)
    held: dict[bytes, int] = field(default_factory=dict)
    states: list[dict[bytes, int | None]] = field(default_factory=list)
    code: str = CODE

    def mine(
        self,
        *logged: int,
        arrived: int | None = 0,
        target: bytes = OURS,
        out: int = 0,
        before: int | None = None,
    ) -> None:
        """A block with these incoming logs, of which `arrived` really came."""
        height = len(self.blocks)
        parent = self.blocks[-1].ref.hash if self.blocks else "00" * 32
        digest = hashlib.sha256(f"{parent}{height}{logged}{arrived}".encode()).hexdigest()
        had = self.held.get(target, 0) if before is None else before
        now = None if arrived is None else had + arrived
        quiet = not logged and not arrived and not out
        self.held[target] = had + (arrived or 0)
        self.states.append({**self.held, target: now})
        self.blocks.append(
            BlockScan(
                ref=BlockRef(height=height, hash=digest, parent=parent, time_s=height),
                inflows=tuple(
                    Inflow(
                        txid="0x" + hashlib.sha256(digest.encode()).hexdigest(),
                        position=f"log:{number}",
                        asset="TOK",
                        target=target,
                        units=units,
                        evidence=Evidence.LOG,
                    )
                    for number, units in enumerate(logged)
                ),
                spends=(),
                moves=()
                if quiet
                else (
                    TokenMove(
                        asset="TOK",
                        target=target,
                        before=had,
                        after=now,
                        logged_in=sum(logged),
                        logged_out=out,
                    ),
                ),
                codes=() if quiet else (TokenCode(asset="TOK", fingerprint=self.code),),
            )
        )

    def garble(self, *assets: str) -> None:
        """Put Transfers into the last block that nobody can read."""
        last = self.blocks[-1]
        logs = tuple(
            UnreadableLog(asset=asset, txid="0x" + "ab" * 32, position=f"log:{n}", detail="shape")
            for n, asset in enumerate(assets)
        )
        self.blocks[-1] = replace(last, unreadable=logs)

    def drop(self, depth: int) -> None:
        del self.blocks[-depth:], self.states[-depth:]

    def tip(self) -> BlockRef:
        return self.blocks[-1].ref

    def block_at(self, height: int) -> BlockRef:
        return self.blocks[height].ref

    def scan(self, block: BlockRef, watched: Watched) -> BlockScan:
        return self.blocks[block.height]

    def movements(self, block: BlockRef, watched: Watched) -> tuple[Movement, ...]:
        scan = self.blocks[block.height]
        logged = [(one.txid, one.position, one.target, one.units) for one in scan.inflows]
        gone = [(f"0x{scan.ref.hash}", "log:99", m.target, -m.logged_out) for m in scan.moves]
        return tuple(
            Movement(
                txid=txid, position=position, asset="TOK", target=target, units=units, other=None
            )
            for txid, position, target, units in (*logged, *gone)
            if units
        )

    def balance_units(self, target: bytes, asset: str, at: BlockRef) -> int:
        if at.height == len(self.blocks) - 1:
            return self.held.get(target, 0)
        units = self.states[at.height].get(target, 0)
        if units is None:
            raise NodeRejected("the contract does not tell")
        return units


@dataclass
class Bench:
    """A database with a user's deposit address and a hot one, and a watcher."""

    database: Database
    chain: ScriptedTokens
    watcher: Watcher
    drift: DriftCheck

    def follow(self) -> None:
        while self.watcher.step().seen is not Seen.SAME:
            pass

    def after(self, *logged: int, arrived: int | None) -> list[tuple[str, str, int]]:
        """What stands in the deposits after one block and enough further ones."""
        self.chain.mine(*logged, arrived=arrived)
        self.chain.mine()
        self.chain.mine()
        self.follow()
        return self.rows()

    def rows(self) -> list[tuple[str, str, int]]:
        with self.database.read() as tx:
            found = tx.execute(select(deposits).order_by(deposits.c.height, deposits.c.position))
            return [(row.status, row.sub_status, row.units) for row in found]

    def ids(self) -> list[str]:
        with self.database.read() as tx:
            return [row.id for row in held_deposits(tx)]

    def owned(self, owner: str = "") -> int:
        with self.database.read() as tx:
            return balance(tx, owner or chart.user(USER), "TOK").net

    def prove(self) -> CoverageProof:
        assets = {code: rules.asset for code, rules in self.watcher._rules.items()}
        return prove_coverage(self.database, self.chain, assets, 0)  # type: ignore[arg-type]

    def events(self, type: str) -> Sequence[str]:
        with self.database.read() as tx:
            verify_chain(tx)
            return [event.body for event in read_events(tx, 0, 1000) if event.type == type]

    def decide(self, what: Callable[..., None], deposit_id: str) -> None:
        with self.database.write() as tx:
            what(tx, deposit_id, "ada", NOW_S)
        self.chain.mine()
        self.follow()

    def difference(self) -> int:
        """What the reconciliation cannot explain."""
        (row,) = self.report().rows
        return row.difference

    def report(self, *odd_assets: str) -> Report:
        """The reconciliation, some tokens declared odd."""
        odd = frozenset(odd_assets)
        return reporter(self.chain, self.database, FixedClock(), odd).report()  # type: ignore[arg-type]


def settings(kind: str = TokenKind.PLAIN, **changes: object) -> AssetSettings:
    fields: dict[str, object] = {
        "code": "TOK",
        "network": NETWORK,
        "decimals": 6,
        "contract": "0x",
        "token_kind": kind,
        "confirmations": (ConfirmationTier(from_units=0, confirmations=2),),
    }
    return AssetSettings(**{**fields, **changes})  # type: ignore[arg-type]


def make_bench(database: Database, asset: AssetSettings) -> Bench:
    with database.write() as tx:
        tx.execute(insert(accounts).values(id=USER, external_id="u", created_s=0))
        for position, (purpose, target) in enumerate((("deposit", OURS), ("hot", HOT))):
            tx.execute(
                insert(addresses).values(
                    id=f"address-{purpose}",
                    account_id=USER if purpose == "deposit" else None,
                    network=NETWORK,
                    source="ethereum-deposit",
                    branch=0,
                    position=position,
                    purpose=purpose,
                    address=f"0x{target.hex()}",
                    target=target,
                    created_s=0,
                )
            )
    chain = ScriptedTokens()
    rules = {"TOK": DepositRules(asset=asset)}
    watcher = Watcher(chain, database, rules, 0, FixedClock(), pass_by)  # type: ignore[arg-type]
    return Bench(database, chain, watcher, DriftCheck(chain, database, FixedClock()))  # type: ignore[arg-type]


@pytest.fixture
def bench(database: Database) -> Bench:
    return make_bench(database, settings())


@pytest.fixture
def taxed(database: Database) -> Bench:
    return make_bench(database, settings(TokenKind.FEE_ON_TRANSFER))


@pytest.fixture
def elastic(database: Database) -> Bench:
    return make_bench(database, settings(TokenKind.REBASING))


def test_what_arrived_as_told_is_credited_log_by_log(bench: Bench) -> None:
    assert bench.after(40, 60, arrived=100) == [("credited", "", 40), ("credited", "", 60)]
    assert (bench.owned(), bench.difference()) == (100, 0)
    assert bench.events("alert.balance_drift") == []


def test_a_fee_token_is_credited_by_what_arrived(taxed: Bench) -> None:
    assert taxed.after(1000, 10, arrived=999) == [("credited", "", 990), ("credited", "", 9)]
    assert (taxed.owned(), taxed.difference()) == (999, 0)
    assert '"logged_units":"1000"' in taxed.events("deposit.credited")[0].replace(" ", "")


def test_a_plain_token_that_brings_less_is_held(bench: Bench) -> None:
    assert bench.after(1000, arrived=990) == [("held", "quarantined:less_arrived", 990)]
    assert (bench.owned(), bench.difference()) == (0, 0)
    assert len(bench.events("alert.deposit_held")) == 1


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_log_without_money_is_held_whatever_the_token(database: Database, kind: str) -> None:
    bench = make_bench(database, settings(kind))

    assert bench.after(1000, arrived=0) == [("held", "quarantined:nothing_arrived", 0)]
    assert (bench.owned(), bench.difference()) == (0, 0)


def test_the_same_event_twice_is_worth_what_arrived_once(bench: Bench) -> None:
    rows = bench.after(50, 50, arrived=50)

    assert rows == [("held", "quarantined:less_arrived", 25)] * 2
    assert (bench.owned(), bench.difference()) == (0, 0)


def test_a_balance_that_nobody_tells_is_no_evidence(bench: Bench) -> None:
    assert bench.after(50, arrived=None) == [("held", "quarantined:balance_unknown", 50)]
    assert bench.owned() == 0


def test_money_without_an_event_is_held_and_told(bench: Bench) -> None:
    assert bench.after(arrived=70) == [("held", "quarantined:no_log", 70)]
    assert (bench.owned(), bench.difference()) == (0, 0)
    assert len(bench.events("alert.balance_drift")) == 1


def test_more_than_told_is_credited_as_told_and_the_rest_is_held(bench: Bench) -> None:
    rows = bench.after(50, arrived=70)

    assert sorted(rows) == [("credited", "", 50), ("held", "quarantined:no_log", 20)]
    assert (bench.owned(), bench.difference()) == (50, 0)


def test_a_rebase_is_told_and_credited_to_nobody(elastic: Bench) -> None:
    assert elastic.after(100, arrived=100) == [("credited", "", 100)]
    elastic.chain.held[OURS] = 103
    assert elastic.drift.run() == 1
    assert elastic.drift.run() == 0

    assert elastic.rows() == [("credited", "", 100)]
    (told,) = elastic.events("alert.balance_drift")
    assert '"3"' in told
    (drift,) = elastic.report("TOK").breaks
    assert (drift.code, drift.units) == (BreakCode.BALANCE_DRIFT, 3)
    with elastic.database.read() as tx:
        assert not active(tx, Scope.ASSET, "TOK"), "what is declared does not stop withdrawals"
    assert elastic.difference() == 3


def test_a_rebase_is_noticed_at_the_next_deposit_too(elastic: Bench) -> None:
    elastic.after(100, arrived=100)
    elastic.chain.held[OURS] = 97
    rows = elastic.after(10, arrived=10)

    assert rows == [("credited", "", 100), ("credited", "", 10)]
    (told,) = elastic.events("alert.balance_drift")
    assert '"-3"' in told


def test_a_contract_that_stops_telling_does_not_stop_the_check(
    elastic: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    elastic.after(100, arrived=100)

    def refused(target: bytes, asset: str, at: BlockRef) -> int:
        raise NodeRejected("execution reverted")

    monkeypatch.setattr(elastic.chain, "balance_units", refused)
    assert elastic.drift.run() == 0
    monkeypatch.undo()
    elastic.chain.held[OURS] = 103
    assert elastic.drift.run() == 1


def test_drift_is_not_judged_while_blocks_are_missing(bench: Bench) -> None:
    bench.after(100, arrived=100)
    bench.chain.mine(arrived=5)

    assert bench.drift.run() == 0
    bench.follow()
    assert bench.drift.run() == 0
    assert len(bench.events("alert.balance_drift")) == 1


def test_money_that_a_hot_address_got_silently_is_nobodys_deposit(bench: Bench) -> None:
    bench.chain.mine(arrived=9, target=HOT)
    bench.chain.mine()
    bench.follow()

    assert bench.rows() == []
    assert len(bench.events("alert.balance_drift")) == 1


def test_a_faked_payment_out_is_no_deposit(bench: Bench) -> None:
    bench.chain.mine(out=30)
    bench.follow()

    assert bench.rows() == []
    assert len(bench.events("alert.balance_drift")) == 1


def test_a_released_deposit_is_credited_with_what_arrived(bench: Bench) -> None:
    bench.after(1000, arrived=990)
    bench.decide(release, bench.ids()[0])

    assert bench.rows() == [("credited", "", 990)]
    assert (bench.owned(), bench.difference()) == (990, 0)
    assert "released:ada" in bench.events("deposit.confirming")[-1]


def test_a_rejected_deposit_is_booked_as_nobodys(bench: Bench) -> None:
    bench.after(1000, arrived=990)
    bench.decide(reject, bench.ids()[0])

    assert bench.rows() == [("rejected", "rejected:ada", 990)]
    assert (bench.owned(), bench.owned(chart.UNALLOCATED), bench.difference()) == (0, 990, 0)


def test_nothing_can_be_rejected_and_never_released(bench: Bench) -> None:
    bench.after(1000, arrived=0)
    (deposit_id,) = bench.ids()
    with pytest.raises(NothingArrived):
        bench.decide(release, deposit_id)
    bench.decide(reject, deposit_id)

    assert bench.rows() == [("rejected", "rejected:ada", 0)]


def test_only_what_is_held_is_decided(bench: Bench) -> None:
    bench.after(5, arrived=5)
    with bench.database.read() as tx:
        deposit_id = tx.execute(select(deposits.c.id)).scalar_one()
    for what in (release, reject):
        with pytest.raises(NotHeld):
            bench.decide(what, deposit_id)
        with pytest.raises(DepositUnknown):
            bench.decide(what, "nobody")


@pytest.mark.parametrize("decision", [None, release, reject])
def test_a_reorg_takes_a_doubted_deposit_away_and_another_block_judges_anew(
    bench: Bench, decision: Callable[..., None] | None
) -> None:
    bench.chain.mine()
    bench.after(1000, arrived=990)
    if decision:
        bench.decide(decision, bench.ids()[0])
    lost = bench.chain.blocks[1].inflows
    bench.chain.drop(len(bench.chain.blocks) - 1)
    bench.chain.held.clear()
    bench.chain.mine(1000, arrived=1000)
    bench.chain.blocks[1] = replace(bench.chain.blocks[1], inflows=lost)
    for _ in range(5):
        bench.chain.mine()
    bench.follow()

    assert bench.rows() == [("credited", "", 1000)]
    assert (bench.owned(), bench.owned(chart.UNALLOCATED), bench.difference()) == (1000, 0, 0)


def test_another_code_holds_deposits_until_somebody_trusts_it(bench: Bench) -> None:
    bench.after(5, arrived=5)
    bench.chain.code = OTHER_CODE
    bench.after(6, arrived=6)
    bench.after(7, arrived=7)

    assert sorted(bench.rows())[1:] == [("held", "quarantined:code_changed", n) for n in (6, 7)]
    assert len(bench.events("alert.token_code_changed")) == 1
    assert len(bench.events("withdrawals.paused")) == 1
    with bench.database.write() as tx:
        assert waiting_code(tx, NETWORK, "TOK") == OTHER_CODE
        trust_code(tx, NETWORK, "TOK", OTHER_CODE, "ada", NOW_S)
        assert waiting_code(tx, NETWORK, "TOK") == ""
    bench.after(8, arrived=8)
    assert ("credited", "", 8) in bench.rows()


def test_an_unreadable_transfer_holds_its_token_and_the_scan_goes_on(bench: Bench) -> None:
    bench.after(5, arrived=5)
    bench.chain.mine(6, arrived=6)
    bench.chain.garble("TOK", "TOK")
    bench.after(7, arrived=7)

    assert bench.rows() == [
        ("credited", "", 5),
        ("held", "quarantined:unreadable", 6),
        ("held", "quarantined:unreadable", 7),
    ]
    assert len(bench.events("alert.token_unreadable")) == 1
    assert len(bench.events("withdrawals.paused")) == 1
    assert bench.difference() == 0


def test_an_unreadable_transfer_holds_no_other_token(bench: Bench) -> None:
    bench.chain.mine(5, arrived=5)
    bench.chain.garble("ODD")
    bench.after(6, arrived=6)

    assert bench.rows() == [("credited", "", 5), ("credited", "", 6)]
    assert len(bench.events("alert.token_unreadable")) == 1


def test_coverage_is_not_proven_while_a_transfer_cannot_be_read(bench: Bench) -> None:
    bench.after(5, arrived=5)
    assert bench.prove().is_proven
    bench.chain.mine()
    bench.chain.garble("TOK")
    bench.follow()

    proof = bench.prove()
    (doubt,) = proof.unread
    assert (False, (), ()) == (proof.is_proven, tuple(proof.gaps), tuple(proof.stops))
    assert ("TOK", 3, 1, "log:0") == (doubt.asset, doubt.height, doubt.logs, doubt.position)


def test_a_block_read_again_by_who_can_read_it_is_in_doubt_no_more(bench: Bench) -> None:
    bench.after(5, arrived=5)
    bench.chain.garble("TOK")
    bench.chain.mine(6, arrived=6)
    bench.chain.garble("TOK")
    bench.follow()
    bench.chain.blocks[-1] = replace(bench.chain.blocks[-1], unreadable=())
    again = Rescanner(bench.chain, bench.database, bench.watcher._rules, FixedClock())  # type: ignore[arg-type]
    again.heights(3, 3, lambda done, total: None)

    assert bench.prove().is_proven
    bench.chain.mine()
    bench.chain.garble("TOK")
    bench.follow()
    again.heights(4, 4, lambda done, total: None)
    assert not bench.prove().is_proven
    assert len(bench.events("alert.token_unreadable")) == 2


def test_a_reorg_takes_the_doubt_away_with_its_block(bench: Bench) -> None:
    bench.after(5, arrived=5)
    bench.chain.mine()
    bench.chain.garble("TOK")
    bench.follow()
    bench.chain.drop(1)
    for number in (1, 2):
        bench.chain.mine(number, arrived=number)
    bench.chain.mine()
    bench.follow()

    assert bench.prove().is_proven
    assert {status for status, _, _ in bench.rows()} == {"credited"}


def test_a_pinned_code_is_asked_from_the_first_deposit_on(database: Database) -> None:
    bench = make_bench(database, settings(code_hash=OTHER_CODE))

    assert bench.after(5, arrived=5) == [("held", "quarantined:code_changed", 5)]


def test_a_token_that_is_not_held_against_balances_is_believed(bench: Bench) -> None:
    bench.chain.mine(5, arrived=0)
    bench.chain.blocks[0] = replace(bench.chain.blocks[0], moves=())
    bench.after(arrived=0)

    assert bench.rows() == [("credited", "", 5)]


def test_shares_are_in_proportion_and_sum_exactly() -> None:
    assert shares([100, 100], 199) == [100, 99]
    assert shares([1000, 10], 999) == [990, 9]
    assert shares([1, 1, 1], 2) == [1, 1, 0]
    assert shares([7], 7) == [7]


def test_a_log_whose_share_is_nothing_is_held_too() -> None:
    def told(units: int) -> Inflow:
        return Inflow(
            txid=f"{units}",
            position="log:0",
            asset="TOK",
            target=OURS,
            units=units,
            evidence=Evidence.LOG,
        )

    move = TokenMove(asset="TOK", target=OURS, before=0, after=50, logged_in=101, logged_out=0)
    taxed = {"TOK": settings(TokenKind.FEE_ON_TRANSFER)}
    judged = arrivals([told(100), told(1)], [move], taxed)

    assert judged == {
        told(100): Arrival(units=50),
        told(1): Arrival(units=0, doubt=Doubt.NOTHING_ARRIVED),
    }
    assert silent_units(replace(move, after=105)) == 4
    assert silent_units(replace(move, after=105, logged_out=1)) == 0
    assert silent_units(replace(move, after=None)) == 0

"""Token payments end by what moved: paid, nothing moved, or unproven until a person decides."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.abi import word
from chains.evm.erc20 import TokenTransfer, transfer_calldata
from chains.evm.params import BUILTIN
from chains.simulated.evm import SimulatedEvmChain
from chains.types import BlockRef, TokenOutcome
from signer.protocol import Purpose
from tests import evm_world
from tests.payments_world import CUSTOMER, DUSD, ETH, Keep, World
from wallet.events import read_events
from wallet.ledger import chart
from wallet.payments.building.tokens import check_answer
from wallet.payments.deciding import NotUnproven, decide
from wallet.payments.errors import TokenRefuses
from wallet.payments.states import PaymentStatus as P
from wallet.payments.token_evidence import TokenProof, Verdict, prove
from wallet.settings import TokenKind
from wallet.store.database import Database
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W

UNITS = 2_000_000


class OddChain(SimulatedEvmChain):
    """A chain whose token may have done something else than its logs say."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.outcomes: dict[str, TokenOutcome] = {}

    def token_outcome(
        self, txid: str, asset: str, expected: TokenTransfer, at: BlockRef
    ) -> TokenOutcome:
        seen = super().token_outcome(txid, asset, expected, at)
        return self.outcomes.get(txid, seen)


def outcomes(world: World) -> dict[str, TokenOutcome]:
    assert isinstance(world.keep.eth, OddChain)
    return world.keep.eth.outcomes


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    eth = OddChain(params=BUILTIN[ETH], tokens=[DUSD], safes={})
    yield World(database, Keep(eth=eth))
    database.close()


def of_kind(world: World, kind: str, *, balance_check: bool = True) -> None:
    asset = world.assets["DUSD"]
    world.assets["DUSD"] = replace(asset, token_kind=kind, balance_check=balance_check)


def a_token(world: World, name: str = "d-1") -> Withdrawal:
    user = world.account(name)
    hot = world.fund_hot_gas(10**18)
    world.keep.eth.fund(hot.target, "DUSD", 50_000_000)
    world.deposit(user, "DUSD", 9_000_000)
    return world.withdraw(user, "DUSD", CUSTOMER, UNITS, name)


def mined_as(world: World, asked: Withdrawal, outcome: TokenOutcome) -> None:
    """Pay, and let the chain show this outcome; the fake's balances follow it."""
    world.work()
    world.work()
    payment = world.desk.get(world.read(asked.id).payment_id or "")
    outcomes(world)[payment.txid or ""] = outcome
    world.settle()


def ended(world: World, asked: Withdrawal) -> tuple[W, P, str]:
    withdrawal = world.read(asked.id)
    payment = world.desk.get(withdrawal.payment_id or "")
    return withdrawal.status, payment.status, payment.sub_status


def alerts(world: World) -> list[str]:
    with world.database.read() as tx:
        return [e.body for e in read_events(tx, 0, 1000) if e.type == "alert.payment"]


def test_nothing_moved_is_a_failure_that_gives_the_money_back(world: World) -> None:
    asked = a_token(world)
    before = world.books(chart.HOT, "DUSD")
    mined_as(world, asked, TokenOutcome(is_logged=True, left=0, arrived=0))

    assert ended(world, asked) == (W.FAILED, P.FAILED, "nothing_moved")
    assert world.available(asked.account_id, "DUSD") == 9_000_000
    assert world.books(chart.HOT, "DUSD") == before


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (TokenOutcome(is_logged=False, left=UNITS, arrived=UNITS), "token:no_log"),
        (TokenOutcome(is_logged=True, left=UNITS + 1, arrived=UNITS), "token:other_amount"),
        (TokenOutcome(is_logged=True, left=UNITS - 1, arrived=UNITS), "token:other_amount"),
        (TokenOutcome(is_logged=True, left=None, arrived=UNITS), "token:balance_unknown"),
        (TokenOutcome(is_logged=True, left=UNITS, arrived=None), "token:balance_unknown"),
        (TokenOutcome(is_logged=True, left=-1, arrived=0), "token:other_amount"),
    ],
)
def test_what_is_unproven_waits_and_people_are_told_once(
    world: World, outcome: TokenOutcome, why: str
) -> None:
    asked = a_token(world)
    mined_as(world, asked, outcome)
    world.settle()

    assert ended(world, asked) == (W.CONFIRMING, P.CONFIRMING, why)
    assert len(alerts(world)) == 1
    assert world.available(asked.account_id, "DUSD") == 9_000_000 - UNITS


def test_a_person_may_say_that_it_was_paid(world: World) -> None:
    asked = a_token(world)
    before = world.books(chart.HOT, "DUSD")
    mined_as(world, asked, TokenOutcome(is_logged=False, left=UNITS, arrived=UNITS))
    decide(world.context, world.read(asked.id).payment_id or "", paid=True, by="ada")

    assert ended(world, asked)[:2] == (W.COMPLETED, P.COMPLETED)
    assert world.books(chart.HOT, "DUSD") == before - UNITS
    world.check_books()


def test_a_person_may_say_that_it_was_not_and_what_left_is_the_houses_loss(world: World) -> None:
    asked = a_token(world)
    before, house = world.books(chart.HOT, "DUSD"), world.books(chart.HOUSE, "DUSD")
    mined_as(world, asked, TokenOutcome(is_logged=False, left=UNITS, arrived=0))
    decide(world.context, world.read(asked.id).payment_id or "", paid=False, by="ada")

    assert ended(world, asked) == (W.FAILED, P.FAILED, "not_paid:ada")
    assert world.available(asked.account_id, "DUSD") == 9_000_000
    assert world.books(chart.HOT, "DUSD") == before - UNITS
    assert world.books(chart.HOUSE, "DUSD") == house - UNITS
    world.check_books()


def test_only_the_unproven_is_decided(world: World) -> None:
    asked = a_token(world)
    mined_as(world, asked, TokenOutcome(is_logged=True, left=UNITS, arrived=UNITS))
    payment_id = world.read(asked.id).payment_id or ""

    assert ended(world, asked) == (W.COMPLETED, P.COMPLETED, "")
    for paid in (True, False):
        with pytest.raises(NotUnproven):
            decide(world.context, payment_id, paid=paid, by="ada")


def test_what_shows_itself_after_all_is_not_decided_by_people(world: World) -> None:
    asked = a_token(world)
    mined_as(world, asked, TokenOutcome(is_logged=True, left=None, arrived=None))
    payment = world.desk.get(world.read(asked.id).payment_id or "")
    outcomes(world).clear()
    with pytest.raises(NotUnproven):
        decide(world.context, payment.id, paid=False, by="ada")
    world.settle()

    assert ended(world, asked)[:2] == (W.COMPLETED, P.COMPLETED)


def test_a_payment_is_not_judged_before_it_is_deep_enough(world: World) -> None:
    asked = a_token(world)
    world.work()
    world.work()
    payment = world.desk.get(world.read(asked.id).payment_id or "")
    outcomes(world)[payment.txid or ""] = TokenOutcome(is_logged=False, left=0, arrived=0)
    world.keep.eth.mine()
    world.work()
    world.work()

    assert ended(world, asked) == (W.CONFIRMING, P.CONFIRMING, "")


def test_a_fee_token_is_judged_by_our_balance_and_goes_one_at_a_time(world: World) -> None:
    of_kind(world, TokenKind.FEE_ON_TRANSFER)
    asked = a_token(world)
    second = world.withdraw(asked.account_id, "DUSD", CUSTOMER, UNITS, "d-2")
    mined_as(world, asked, TokenOutcome(is_logged=False, left=UNITS, arrived=UNITS - 20_000))

    assert ended(world, asked)[:2] == (W.COMPLETED, P.COMPLETED)
    assert world.books(chart.KEPT_BY_TOKENS, "DUSD") == 0
    world.settle()
    assert world.read(second.id).status is W.COMPLETED


def test_the_second_of_a_fee_token_waits_with_its_reason(world: World) -> None:
    of_kind(world, TokenKind.FEE_ON_TRANSFER)
    asked = a_token(world)
    second = world.withdraw(asked.account_id, "DUSD", CUSTOMER, UNITS, "d-2")
    world.work()

    assert (world.read(second.id).status, world.read(second.id).sub_status) == (
        W.QUEUED,
        "payment.token_busy",
    )


def test_a_token_that_answers_false_is_blocked_before_anybody_signs(world: World) -> None:
    world.keep.eth.history.contracts.answers[evm_world.DUSD] = word(0)
    asked = a_token(world)
    world.work()

    assert (world.read(asked.id).status, world.read(asked.id).sub_status) == (
        W.BLOCKED,
        "payment.token_refuses",
    )
    assert not [p for p in world.payment_rows() if p.asset == "DUSD"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [b"", word(1)])
def test_true_and_nothing_are_good_answers(answer: bytes) -> None:
    check_answer(transfer_calldata(evm_world.CUSTOMER, 1), answer)
    check_answer(b"\x12\x34\x56\x78", word(0))


@pytest.mark.parametrize("answer", [word(0), word(2), b"\x01", word(1) + b"\x00"])
def test_any_other_answer_is_a_refusal(answer: bytes) -> None:
    with pytest.raises(TokenRefuses):
        check_answer(transfer_calldata(evm_world.CUSTOMER, 1), answer)


def test_what_a_gather_loses_to_the_token_is_an_expense(world: World) -> None:
    of_kind(world, TokenKind.FEE_ON_TRANSFER)
    world.fund_hot_gas(10**18)
    user = world.account("alice")
    world.deposit(user, "DUSD", 9_000_000)
    for _ in range(10):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        for row in world.payment_rows():
            if row.asset == "DUSD" and row.txid:  # type: ignore[attr-defined]
                outcomes(world)[row.txid] = TokenOutcome(  # type: ignore[attr-defined]
                    is_logged=False, left=9_000_000, arrived=8_910_000
                )
        world.keep.eth.mine()
    world.scan()
    world.desk.run(ETH)

    assert world.books(chart.HOT, "DUSD") == 8_910_000
    assert world.books(chart.DEPOSIT, "DUSD") == 0
    assert world.books(chart.KEPT_BY_TOKENS, "DUSD") == 90_000
    assert world.available(user, "DUSD") == 9_000_000


def proof(world: World, outcome: TokenOutcome, purpose: Purpose = Purpose.WITHDRAWAL) -> TokenProof:
    asked = a_token(world)
    world.work()
    payment = world.desk.get(world.read(asked.id).payment_id or "")
    return prove(replace(payment, purpose=purpose), outcome, world.assets["DUSD"])


def test_a_rebasing_token_may_be_off_by_its_rounding(world: World) -> None:
    of_kind(world, TokenKind.REBASING)
    near = TokenOutcome(is_logged=True, left=UNITS + 10, arrived=UNITS)
    found = proof(world, near)

    assert (found.verdict, found.left_units) == (Verdict.PAID, UNITS + 10)


def test_a_rebase_in_the_very_block_is_unproven(world: World) -> None:
    of_kind(world, TokenKind.REBASING)
    far = TokenOutcome(is_logged=True, left=UNITS + 11, arrived=UNITS)

    assert proof(world, far).why == "token:other_amount"


def test_where_balances_are_not_checked_the_log_alone_counts(world: World) -> None:
    of_kind(world, TokenKind.PLAIN, balance_check=False)
    logged = TokenOutcome(is_logged=True, left=None, arrived=None)

    assert proof(world, logged).verdict is Verdict.PAID


def test_a_move_of_our_own_must_not_bring_more_than_left(world: World) -> None:
    more = TokenOutcome(is_logged=True, left=UNITS, arrived=UNITS + 1)

    assert proof(world, more, Purpose.GATHER).why == "token:more_arrived"

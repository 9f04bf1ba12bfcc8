"""Deposits, withdrawals and gathers over every odd token on a real node: books equal chain."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.contracts.build import creation_code
from tests.odd_world import OddWorld, deploy, deploy_token, odd_world, upgrade
from tests.payments_world import CUSTOMER, ETH
from wallet.deposits.holding import held_deposits, reject, release
from wallet.deposits.tokens.kept import trust_code, waiting_code
from wallet.devnet.devnet import Devnet
from wallet.ledger import chart
from wallet.payments.deciding import decide
from wallet.settings import TokenKind
from wallet.store.schema import deposits
from wallet.withdrawals.states import WithdrawalStatus as W

Make = Callable[..., OddWorld]
ONE = 1_000_000


@pytest.fixture
def make(devnet: Devnet, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        yield lambda name, **how: stack.enter_context(odd_world(devnet, tmp_path, name, **how))


def decide_all(odd: OddWorld, what: Callable[..., None]) -> None:
    with odd.world.database.write() as tx:
        for row in held_deposits(tx):
            what(tx, row.id, "ada", odd.world.keep.clock.now_s())
    odd.mine()


@pytest.mark.parametrize(
    ("name", "decimals"),
    [("NoReturn", 6), ("FalseReturn", 6), ("Pausable", 6), ("BlockedHolder", 6), ("Reentrant", 6)]
    + [("RevertOnZero", decimals) for decimals in (2, 24)],
)
def test_what_behaves_is_deposited_gathered_and_paid_like_any_token(
    make: Make, name: str, decimals: int
) -> None:
    odd = make(name, decimals=decimals)
    hot = odd.funded(ONE)
    assert odd.available() == ONE
    odd.gather()
    assert odd.payments("gather")[0][:2] == ("DUSD", "completed")
    assert odd.held(hot.address) == 3 * ONE
    asked = odd.withdraw(ONE // 2)

    assert asked.status is W.COMPLETED
    assert odd.held(CUSTOMER) == ONE // 2
    assert (odd.available(), odd.differences()) == (ONE // 2, {})
    assert (odd.told("alert.deposit_held"), odd.told("alert.balance_drift")) == (0, 0)


def test_false_instead_of_a_revert_blocks_before_anything_is_signed(make: Make) -> None:
    odd = make("FalseReturn")
    odd.funded(ONE)
    odd.send("stop(bool)", True)
    odd.mine()
    asked = odd.withdraw(ONE // 2)

    assert (asked.status, asked.sub_status) == (W.BLOCKED, "payment.token_refuses")
    assert odd.payments("withdrawal") == []
    assert odd.differences() == {}


def test_false_in_the_block_itself_is_a_failure_though_the_receipt_says_success(make: Make) -> None:
    odd = make("FalseReturn")
    odd.funded(ONE)
    asked = odd.world.withdraw(odd.user, "DUSD", CUSTOMER, ONE // 2, "w-1")
    odd.world.payer.pay_queued(ETH)
    odd.world.desk.run(ETH)
    # Stopped in the same block and before it, by a better price.
    odd.devnet.rpc(ETH, "anvil_setStorageAt", odd.contract, f"0x{3:064x}", f"0x{1:064x}")
    odd.settle()
    ended = odd.world.read(asked.id)

    assert (ended.status, ended.sub_status) == (W.FAILED, "nothing_moved")
    assert (odd.available(), odd.held(CUSTOMER), odd.differences()) == (ONE, 0, {})


@pytest.mark.parametrize("name", ["FeeOnTransfer", "FeeTold"])
def test_a_fee_token_is_booked_by_what_arrived_on_every_way(make: Make, name: str) -> None:
    odd = make(name, kind=TokenKind.FEE_ON_TRANSFER)
    hot = odd.funded(ONE)
    assert odd.available() == ONE - ONE // 100
    odd.gather()
    assert odd.payments("gather")[0][:2] == ("DUSD", "completed")
    kept = odd.world.books(chart.KEPT_BY_TOKENS, "DUSD")
    assert kept == (ONE - ONE // 100) // 100
    asked = odd.withdraw(ONE // 2)

    assert asked.status is W.COMPLETED
    assert odd.held(CUSTOMER) == ONE // 2 - ONE // 200
    assert odd.held(hot.address) == odd.world.books(chart.HOT, "DUSD")
    assert odd.differences() == {}


def test_a_fee_nobody_declared_holds_the_deposit(make: Make) -> None:
    odd = make("FeeOnTransfer")
    odd.deposit(ONE)

    assert odd.deposits() == [("held", "quarantined:less_arrived", ONE - ONE // 100)]
    assert (odd.available(), odd.differences()) == (0, {})
    decide_all(odd, release)
    assert (odd.available(), odd.differences()) == (ONE - ONE // 100, {})


def test_two_deposits_of_a_fee_token_in_one_block_share_what_arrived(make: Make) -> None:
    odd = make("FeeOnTransfer", kind=TokenKind.FEE_ON_TRANSFER)
    address = odd.world.address(odd.user, ETH)
    odd.pay(address.address, 1_000)
    odd.pay(address.address, 500)
    odd.mine(3)

    assert odd.deposits() == [("credited", "", 990), ("credited", "", 495)]
    assert odd.differences() == {}


def test_a_rebase_is_told_and_left_to_people(make: Make) -> None:
    odd = make("Rebasing", kind=TokenKind.REBASING)
    odd.deposit(ONE)
    assert (odd.available(), odd.drift()) == (ONE, 0)
    odd.send("rebase(uint256)", 1_030_000)
    odd.mine()

    assert odd.drift() == 1
    assert (odd.available(), odd.told("alert.balance_drift")) == (ONE, 1)
    assert odd.differences() == {"DUSD": 30_000}


def test_a_rebasing_token_pays_within_its_rounding(make: Make) -> None:
    odd = make("Rebasing", kind=TokenKind.REBASING)
    odd.send("rebase(uint256)", 1_030_007)
    odd.mine()
    odd.funded(ONE)
    before = odd.differences()
    asked = odd.withdraw(333_333)

    assert asked.status is W.COMPLETED
    assert odd.differences() == before


def test_money_without_events_is_held_and_a_withdrawal_waits_for_a_person(make: Make) -> None:
    odd = make("MissingEvents")
    odd.hot()
    odd.deposit(ONE)
    assert odd.deposits() == [("held", "quarantined:no_log", ONE)]
    assert odd.differences() == {}
    decide_all(odd, release)
    assert odd.available() == ONE
    odd.gather()
    assert odd.payments("gather")[0][:2] == ("DUSD", "completed")
    asked = odd.withdraw(ONE // 2)

    assert asked.status is W.CONFIRMING
    assert odd.payments("withdrawal") == [("DUSD", "confirming", "token:no_log")]
    assert (odd.available(), odd.differences()) == (ONE // 2, {})
    decide(odd.world.context, asked.payment_id or "", paid=True, by="ada")
    assert odd.world.read(asked.id).status is W.COMPLETED
    assert odd.differences() == {}


def test_events_without_money_are_never_credited_nor_taken_for_payments(make: Make) -> None:
    odd = make("FakeEvents")
    hot = odd.hot()
    address = odd.deposit(ONE)
    assert odd.deposits() == [("held", "quarantined:nothing_arrived", 0)]
    decide_all(odd, reject)
    odd.send("give(address,uint256)", hot.address, ONE)
    odd.send("give(address,uint256)", address.address, ONE)
    odd.mine(3)
    assert odd.available() == ONE
    asked = odd.withdraw(ONE // 2)

    assert (asked.status, asked.sub_status) == (W.FAILED, "nothing_moved")
    assert (odd.available(), odd.held(CUSTOMER), odd.differences()) == (ONE, 0, {})


def test_events_that_nobody_can_read_hold_their_token_and_the_scan_goes_on(make: Make) -> None:
    odd = make("UnindexedEvents")
    ether = odd.world.address(odd.user, ETH)
    odd.deposit(ONE)
    odd.send("give(address,uint256)", ether.address, ONE)
    odd.devnet.fund(ETH, "ETH", ether.address, ONE)
    odd.mine(3)

    assert odd.deposits() == [
        ("held", "quarantined:no_log", ONE),
        ("held", "quarantined:unreadable", ONE),
    ]
    assert odd.world.available(odd.user, "ETH") == ONE
    assert odd.told("alert.token_unreadable") == 1
    assert odd.differences() == {}


def test_a_hook_that_pays_in_the_middle_of_a_transfer_is_two_deposits(
    make: Make, devnet: Devnet
) -> None:
    odd = make("Reentrant")
    address = odd.world.address(odd.user, ETH)
    extra = (77).to_bytes(32, "big")
    hook = deploy(devnet, odd.outside, creation_code("ReentrantHook") + extra)
    odd.pay(hook, 1_000)
    odd.send("register_for(address,address)", address.address, hook)
    odd.mine()
    odd.pay(address.address, 500)
    odd.mine(3)

    assert odd.deposits() == [("credited", "", 77), ("credited", "", 500)]
    assert (odd.available(), odd.differences()) == (577, {})


def test_a_paused_token_blocks_with_its_own_words_and_a_released_one_is_paid(make: Make) -> None:
    odd = make("Pausable")
    odd.funded(ONE)
    odd.send("pause(bool)", True)
    odd.mine()
    asked = odd.withdraw(ONE // 2)

    assert asked.status is W.BLOCKED
    assert asked.sub_status == "payment.would_revert:Pausable: paused"
    assert (odd.payments("withdrawal"), odd.differences()) == ([], {})


@pytest.mark.parametrize("who", ["hot", "payee", "deposit"])
def test_a_blocked_holder_is_named_and_nothing_is_sent(make: Make, who: str) -> None:
    odd = make("BlockedHolder")
    hot = odd.funded(ONE)
    with odd.world.database.read() as tx:
        found = tx.execute(select(deposits.c.address_id).where(deposits.c.account_id == odd.user))
        assert found.scalar_one()
    ours = odd.world.deriver.address_at(ETH, "ethereum-deposit", 0, 0).address
    blocked = {"hot": hot.address, "payee": CUSTOMER, "deposit": ours}[who]
    odd.send("block(address,bool)", blocked, True)
    odd.mine()
    if who == "deposit":
        odd.gather(3)
        assert odd.payments("gather") == []
    else:
        asked = odd.withdraw(ONE // 2)
        side = "sender" if who == "hot" else "receiver"
        words = f"payment.would_revert:Blacklistable: {side} is blocked"
        assert (asked.status, asked.sub_status) == (W.BLOCKED, words)
    assert odd.differences() == {}


def test_one_move_told_twice_is_worth_one(make: Make) -> None:
    odd = make("SameEventTwice")
    odd.hot()
    odd.deposit(ONE)

    assert odd.deposits() == [("held", "quarantined:less_arrived", ONE // 2)] * 2
    assert odd.differences() == {}
    decide_all(odd, release)
    assert odd.available() == ONE
    address = odd.world.address(odd.user, ETH)
    odd.send("twice(address,uint256)", address.address, 10)
    odd.mine(3)
    assert odd.deposits()[2:] == [("credited", "", 10)] * 2
    assert (odd.available(), odd.differences()) == (ONE + 20, {})


def test_a_payment_told_twice_is_not_taken_for_one(make: Make) -> None:
    odd = make("SameEventTwice")
    odd.funded(ONE)
    decide_all(odd, release)
    asked = odd.withdraw(ONE // 2)

    assert asked.status is W.CONFIRMING
    assert odd.payments("withdrawal") == [("DUSD", "confirming", "token:no_log")]
    assert odd.differences() == {}


def test_an_upgraded_token_credits_nothing_until_its_code_is_trusted(
    make: Make, devnet: Devnet
) -> None:
    odd = make("NoReturn", proxied=True)
    odd.deposit(100)
    assert odd.deposits() == [("credited", "", 100)]
    upgrade(odd, deploy_token(devnet, odd.outside, "FakeEvents"))
    odd.deposit(200)
    assert odd.deposits()[1:] == [("held", "quarantined:nothing_arrived", 0)]
    upgrade(odd, deploy_token(devnet, odd.outside, "RevertOnZero"))
    odd.deposit(300)

    assert odd.deposits()[2:] == [("held", "quarantined:code_changed", 300)]
    assert (odd.available(), odd.told("alert.token_code_changed")) == (100, 2)
    with odd.world.database.write() as tx:
        waiting = waiting_code(tx, ETH, "DUSD")
        trust_code(tx, ETH, "DUSD", waiting, "ada", odd.world.keep.clock.now_s())
    odd.deposit(400)
    assert odd.deposits()[3:] == [("credited", "", 400)]
    assert odd.differences() == {}

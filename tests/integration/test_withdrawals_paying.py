"""Withdrawals paid over fake chains: what is asked for is paid once and booked to the unit."""

import pytest

from chains.errors import ChainError
from tests import evm_world
from tests.fakes import Fault, SignerFault
from tests.payments_world import BTC, ETH, World, outside_address
from wallet.ledger import chart
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus as W

CUSTOMER = evm_world.checksum(evm_world.CUSTOMER)  # type: ignore[attr-defined]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_withdrawals_of_one_network_share_one_transaction(world: World) -> None:
    user = world.account("alice")
    world.deposit(user, "BTC", 5_000_000)
    asked = [
        world.withdraw(user, "BTC", outside_address(i), 100_000 + i, f"w-{i}") for i in range(5)
    ]
    assert {w.status for w in asked} == {W.QUEUED}
    world.settle()
    done = [world.read(w.id) for w in asked]
    assert {w.status for w in done} == {W.COMPLETED}
    assert len({w.txid for w in done}) == 1
    for i in range(5):
        script = world.keep.btc.destination(outside_address(i)).target
        assert world.keep.btc.paid_units(script) == 100_000 + i
    spent = sum(w.units for w in asked) + 5 * 500
    assert world.available(user, "BTC") == 5_000_000 - spent
    assert world.books(chart.FEE_INCOME, "BTC") == 2_500
    world.check_books()


def test_evm_withdrawals_take_nonces_in_order(world: World) -> None:
    user = world.account("bob")
    world.fund_hot_gas(10**19)
    world.deposit(user, "ETH", 10**18)
    asked = [world.withdraw(user, "ETH", CUSTOMER, 10**16 + i, f"e-{i}") for i in range(3)]
    world.settle(8)
    assert {world.read(w.id).status for w in asked} == {W.COMPLETED}
    assert world.keep.eth.held(evm_world.CUSTOMER, "ETH") == 3 * 10**16 + 3
    assert len(world.keep.eth.sent) == 3
    world.check_books()

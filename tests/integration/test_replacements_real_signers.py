"""Replacements, a drop and a child, signed by two real `glaytos-signer serve-stdio` processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.utxo.second_parser import SecondParser
from tests import signer_world
from tests.integration.test_freed_nonces import check_given_back, check_proof
from tests.integration.test_payments_real_signers import Signers, make_homes
from tests.integration.test_replacements import (
    AFTER,
    check_paid_once,
    make_dear,
    mine,
    payment_of,
    versions_of,
)
from tests.payments_world import BTC, CUSTOMER, ETH, Keep, World, make_signers, outside_address
from tests.unit.signer.test_unsticking import RULE
from wallet.payments.replacing.versions import VersionStatus
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.withdrawals.records import Withdrawal
from wallet.withdrawals.states import WithdrawalStatus as W


@pytest.fixture
def signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signers:
    policy = signer_world.POLICY.replace('"sweep", "refill"]', '"sweep", "refill", "reshape"]')
    monkeypatch.setattr(signer_world, "POLICY", policy + RULE)
    root = tmp_path / "homes"
    root.mkdir()
    return make_homes(root)


@pytest.fixture
def world(tmp_path: Path, signers: Signers) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    keep = Keep()
    make_signers(keep)
    keep.second_parser = SecondParser(tmp_path / "bitcoinlib")  # type: ignore[assignment]
    doors = signers.start()
    yield World(database, keep, vaults=signers.vaults, doors=doors, bump_after_blocks=AFTER)
    for door in doors.values():
        door.close()
    database.close()


def stuck(world: World, network: str) -> Withdrawal:
    user = world.account("alice")
    if network == BTC:
        world.deposit(user, "BTC", 5_000_000)
        asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
        world.keep.btc.history.floor = 8_000
    else:
        world.fund_hot_gas()
        world.deposit(user, "ETH", 10**18)
        asked = world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-1")
    world.work()
    assert world.read(asked.id).status is W.BROADCAST
    make_dear(world.keep, network)
    return asked


@pytest.mark.parametrize("network", [BTC, ETH])
def test_real_signers_sign_a_conflicting_version(world: World, network: str) -> None:
    asked = stuck(world, network)
    world.settle(AFTER + 4)

    assert [v.status for v in versions_of(world, asked)] == [VersionStatus.SIGNED] * 2
    assert payment_of(world, asked).version == 2
    check_paid_once(world, asked)
    check_proof(world)


def test_real_signers_drop_a_nonce(world: World) -> None:
    asked = stuck(world, ETH)
    world.desk.freer.drop(payment_of(world, asked).id)
    world.settle(4)

    check_given_back(world, asked)


def test_real_signers_sign_a_child(world: World) -> None:
    asked = stuck(world, BTC)
    child = world.desk.parents.pay_for(payment_of(world, asked).id)
    world.work()
    mine(world)
    world.settle(4)

    assert world.desk.get(child.id).status is P.COMPLETED
    check_paid_once(world, asked)
    check_proof(world)

"""Canaries fly as ordinary withdrawals, return as ordinary deposits, and are missed when late."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.payments_world import POLICY, World
from wallet.api.tips import Tips
from wallet.canary import LATE, Canary, CanaryAccountMissing
from wallet.events import read_events
from wallet.metrics import WalletCollector
from wallet.settings import Settings
from wallet.store.database import Database

UNITS = 100_000
EVERY_S, LATENCY_S = 3_600, 600


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def canary(world: World, **changes: Any) -> Canary:
    assets = {**world.assets, "BTC": replace(world.assets["BTC"], canary_units=UNITS)}
    settings = Settings(
        data_dir=Path(),
        database_url="",
        api_host="",
        api_port=0,
        policy_file=Path(),
        vault_files=(),
        coordinator_key_file=Path(),
        service_key_file=Path(),
        networks=tuple(world.networks.values()),
        assets=tuple(assets.values()),
        signers=(),
        staff=(),
        approvals_required=1,
        canary_account="canary",
        canary_every_s=EVERY_S,
        canary_latency_s=LATENCY_S,
    )
    return Canary(
        database=world.database,
        clock=world.keep.clock,
        settings=replace(settings, **changes),
        deriver=world.deriver,
        withdrawals=world.withdrawals,
    )


def funded(world: World) -> str:
    account = world.account("canary")
    world.deposit(account, "BTC", 1_000_000)
    return account


def late(world: World) -> int:
    with world.database.read() as tx:
        return sum(event.type == LATE for event in read_events(tx, 0, 1000))


def metrics(world: World, bird: Canary) -> dict[str, float]:
    clock = world.keep.clock
    collector = WalletCollector(world.database, clock, Tips(world.chains, clock), dict, bird)
    return {s.name: s.value for family in collector.collect() for s in family.samples}


def test_a_canary_comes_back_and_costs_only_its_fee(world: World) -> None:
    account, bird = funded(world), canary(world)

    bird.run()
    world.settle()

    (flight,) = bird.flights()
    assert (flight.asset, flight.status) == ("BTC", "completed")
    assert flight.back_s is not None
    assert 0 < flight.seconds(world.keep.clock.now_s()) <= 50
    assert not bird.is_late(flight)
    assert metrics(world, bird)["glaytos_canary_late"] == 0
    assert metrics(world, bird)["glaytos_canary_seconds"] == flight.back_s - flight.begun_s
    fee = world.assets["BTC"].withdrawal_fee_units
    assert world.available(account, "BTC") == 1_000_000 - fee
    assert late(world) == 0
    world.check_books()


def test_the_next_canary_flies_when_it_is_time_and_a_restart_sends_no_second(world: World) -> None:
    funded(world)
    canary(world).run()
    first = canary(world).flights()
    canary(world).run()
    assert canary(world).flights() == first
    world.settle()

    world.keep.clock.time_s = first[0].begun_s + EVERY_S
    canary(world).run()

    assert canary(world).flights()[0].withdrawal_id != first[0].withdrawal_id


def test_a_canary_that_is_not_back_in_time_is_told_once(world: World) -> None:
    funded(world)
    bird = canary(world)
    bird.run()
    world.work()  # sent, and no block comes

    world.keep.clock.time_s += LATENCY_S
    bird.run()
    assert late(world) == 0
    world.keep.clock.time_s += 1
    bird.run()
    canary(world).run()
    assert late(world) == 1
    assert metrics(world, bird)["glaytos_canary_late"] == 1


def test_a_canary_that_the_policy_refuses_is_missed_too(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.read_text().replace('owners = ["none", "deposit"]', ""))
    monkeypatch.setattr("tests.payments_world.POLICY", policy)
    world = World(database)
    funded(world)
    bird = canary(world)
    bird.run()

    world.keep.clock.time_s += LATENCY_S + 1
    bird.run()

    assert bird.flights()[0].status == "rejected"
    assert late(world) == 1


def test_without_its_account_no_canary_flies(world: World) -> None:
    with pytest.raises(CanaryAccountMissing) as caught:
        canary(world).run()

    assert caught.value.code == "canary.account_missing"
    assert canary(world).flights() == []

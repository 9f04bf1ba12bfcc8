"""Failure modes 17 and 18: sweeps that stick on gas, and deposits stranded under the threshold."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from chains.evm.addresses import checksum
from signer.protocol import Purpose
from tests.payments_world import ETH, World
from tests.sweeping_chain import SWEEPER, TREASURY, sweeping_keep
from wallet.cli import treasury as command
from wallet.gathers.books import heaps
from wallet.gathers.plain import TOP_UPS_MAX, TOP_UPS_WITHIN_S
from wallet.gathers.report import Gathered, finished, gas_uses, waiting
from wallet.ledger import chart
from wallet.payments.states import PaymentStatus as P
from wallet.store.database import Database
from wallet.store.schema import payments

ETHER = 10**18
GWEI = 10**9
UNITS = 9_000_000


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[World]:
    """A world without a sweeper: gas is topped up."""
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield World(database, sweeping_keep())
    database.close()


def gather(world: World, passes: int = 8) -> None:
    for _ in range(passes):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        world.keep.eth.mine()
    world.scan()
    world.gatherer.run(ETH)
    world.desk.run(ETH)


def made(world: World) -> list[tuple[str, P]]:
    with world.database.read() as tx:
        rows = tx.execute(select(payments).order_by(payments.c.created_s, payments.c.id))
        return [(row.purpose, P(row.status)) for row in rows]


def held(world: World, asset: str) -> dict[bytes, int]:
    """What our books have on each deposit address."""
    with world.database.read() as tx:
        found = heaps(tx, world.assets[asset], is_native=asset == "ETH")
    return {heap.target: heap.units for heap in found}


def test_mode_17_leftover_gas_is_on_the_books_by_address_and_pays_the_next_gather(
    lite: World,
) -> None:
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "DUSD", UNITS)
    gather(lite)
    leftover = lite.keep.eth.held(address.target, "ETH")
    assert leftover > 0
    assert {address.target: leftover} == held(lite, "ETH")
    with lite.database.read() as tx:
        shown = waiting(tx, lite.assets["ETH"], is_native=True)
    assert (shown.leftover_gas_addresses, shown.leftover_gas_units) == (1, leftover)

    lite.keep.eth.fund(address.target, "DUSD", UNITS)
    lite.confirm()
    gather(lite)

    assert [P.COMPLETED] * 4 == [status for _, status in made(lite)]
    first, second = (row for row in lite.payment_rows() if row.purpose == Purpose.TOP_UP)  # type: ignore[attr-defined]
    assert second.units == first.units - leftover  # type: ignore[attr-defined]  # only what was missing
    assert held(lite, "ETH") == {address.target: lite.keep.eth.held(address.target, "ETH")}
    lite.check_books()


def test_mode_17_a_price_that_keeps_rising_is_followed_once_and_then_waited_for(
    lite: World,
) -> None:
    lite.fund_hot_gas(100 * ETHER)
    lite.deposit(lite.account("alice"), "DUSD", UNITS)
    for price in (2, 10, 25, 25):
        lite.keep.eth.max_fee_wei = price * GWEI
        lite.gatherer.run(ETH)
        for _ in range(3):
            lite.desk.run(ETH)
            lite.keep.eth.mine()
            lite.scan()
        lite.desk.run(ETH)
    assert made(lite) == [(Purpose.TOP_UP, P.COMPLETED)] * TOP_UPS_MAX

    lite.keep.eth.max_fee_wei = 8 * GWEI  # cheaper again: what was topped up is enough
    gather(lite)

    assert made(lite)[-1] == (Purpose.GATHER, P.COMPLETED)
    assert len(made(lite)) == TOP_UPS_MAX + 1
    lite.check_books()


def test_mode_17_after_a_day_a_dear_address_is_topped_up_again(lite: World) -> None:
    lite.fund_hot_gas(100 * ETHER)
    lite.deposit(lite.account("alice"), "DUSD", UNITS)
    for price in (2, 10, 25):
        lite.keep.eth.max_fee_wei = price * GWEI
        gather(lite, 2)
        lite.confirm()
        lite.desk.run(ETH)
    lite.keep.clock.time_s += TOP_UPS_WITHIN_S + 1

    gather(lite)

    assert lite.books(chart.HOT, "DUSD") == UNITS
    lite.check_books()


def test_mode_17_dear_hours_are_waited_out(lite: World) -> None:
    lite.networks[ETH] = replace(lite.networks[ETH], gather_feerate_max=5 * GWEI)
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alice"), "DUSD", UNITS)
    lite.keep.eth.max_fee_wei = 6 * GWEI
    gather(lite, 3)
    assert made(lite) == []

    lite.keep.eth.max_fee_wei = 5 * GWEI
    gather(lite)

    assert lite.books(chart.HOT, "DUSD") == UNITS


@pytest.mark.parametrize("sweeper", ["", checksum(SWEEPER)])
def test_mode_18_what_is_under_the_threshold_stays_visible_and_is_gathered_with_more(
    lite: World, sweeper: str
) -> None:
    world = World(lite.database, lite.keep, sweeper=sweeper)
    world.fund_hot_gas(ETHER)
    small = [world.deposit(world.account(f"u{n}"), "DUSD", 600_000) for n in range(3)]
    gather(world, 3)
    assert made(world) == []
    with world.database.read() as tx:
        shown = waiting(tx, world.assets["DUSD"], is_native=False)
    assert (shown.pending_threshold, shown.pending_threshold_units) == (3, 1_800_000)
    assert (shown.addresses, shown.units) == (3, 1_800_000)

    for address in small[:2]:
        world.keep.eth.fund(address.target, "DUSD", 600_000)
    world.confirm()
    gather(world)

    assert world.books(chart.HOT, "DUSD") == 2_400_000
    assert held(world, "DUSD") == {small[2].target: 600_000}
    with world.database.read() as tx:
        shown = waiting(tx, world.assets["DUSD"], is_native=False)
    assert (shown.pending_threshold, shown.pending_threshold_units) == (1, 600_000)
    world.check_books()


def test_mode_18_ether_that_a_top_up_left_does_not_hide_a_later_deposit(lite: World) -> None:
    """Gathering took more than deposits brought; by those alone the next would look too small."""
    lite.fund_hot_gas(ETHER)
    address = lite.deposit(lite.account("alice"), "DUSD", UNITS)
    gather(lite)
    lite.keep.eth.fund(address.target, "ETH", ETHER)
    lite.confirm()
    gather(lite)
    assert lite.keep.eth.held(address.target, "ETH") == 0
    lite.keep.eth.fund(address.target, "ETH", 10**16 + 21_000 * lite.keep.eth.max_fee_wei)
    lite.confirm()

    gather(lite)

    assert lite.keep.eth.held(address.target, "ETH") == 0
    assert lite.books(chart.DEPOSIT, "ETH") == 0
    lite.check_books()


def test_gas_is_reported_for_both_ways(lite: World) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alone"), "DUSD", UNITS)
    gather(lite)
    world = World(lite.database, lite.keep, sweeper=checksum(SWEEPER))
    several = [world.deposit(world.account(f"u{n}"), "DUSD", UNITS) for n in range(3)]
    gather(world)
    for address in several:
        world.keep.eth.fund(address.target, "DUSD", UNITS)
    world.confirm()
    gather(world)

    with world.database.read() as tx:
        uses = {use.way: use for use in gas_uses(tx, finished(tx, ETH, 0), world.keep.eth)}

    assert uses[Gathered.TOP_UP].gas_each == 21_000 + 50_000
    assert (uses[Gathered.TOP_UP].transactions, uses[Gathered.TOP_UP].swept) == (2, 1)
    assert (uses[Gathered.BATCH_FIRST].transactions, uses[Gathered.BATCH_FIRST].swept) == (1, 3)
    assert (uses[Gathered.BATCH_LATER].transactions, uses[Gathered.BATCH_LATER].swept) == (1, 3)
    total = sum(use.fee_units for use in uses.values())
    assert total == world.books(chart.NETWORK_FEES, "ETH")


def test_the_commands_show_it(lite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lite.fund_hot_gas(ETHER)
    lite.deposit(lite.account("alone"), "DUSD", UNITS)
    lite.deposit(lite.account("small"), "DUSD", 5)
    gather(lite)

    @contextmanager
    def opened(_config: Path) -> Iterator[Any]:
        settings = SimpleNamespace(
            networks=list(lite.networks.values()), assets=list(lite.assets.values())
        )
        yield SimpleNamespace(
            settings=settings,
            networks=lite.networks,
            chains=lite.chains,
            database=lite.database,
            clock=lite.keep.clock,
            deriver=lite.deriver,
        )

    monkeypatch.setattr("wallet.cli.treasury.gathers.opened", opened)
    run = CliRunner().invoke

    shown = json.loads(run(command.app, ["gathers", "--json"]).output)
    text = run(command.app, ["gathers"])
    where = json.loads(run(command.app, ["sweeper", ETH, "--json"]).output)
    missing = run(command.app, ["sweeper", "bitcoin-regtest"])

    (dusd,) = [one for one in shown["waiting"] if one["asset"] == "DUSD"]
    assert (dusd["pending_threshold"], dusd["pending_threshold_units"]) == (1, "5")
    assert [one["gas_each"] for one in shown["gas"]] == [71_000]
    assert text.exit_code == 0 and "71000" in text.output
    assert (where["treasury"], where["sweeper"]) == (checksum(TREASURY), checksum(SWEEPER))
    assert where["deployed"] is True and where["data"].startswith("0x" + "00" * 32)
    assert getattr(missing.exception, "code", "") == "network.not_found"

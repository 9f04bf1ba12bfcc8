"""The staff's command: list, show, bump, drop and give-up, in words and as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.integration.test_freed_nonces import check_given_back
from tests.integration.test_replacements import check_paid_once, payment_of, stuck
from tests.payments_world import BTC, ETH, World
from wallet.cli import payments
from wallet.payments.replacing.building import NotReplaceable, NotStuck
from wallet.payments.replacing.nonces import NotLost
from wallet.store.database import Database


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


class Desk:
    """Opens the test's world instead of a deployment's settings."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, _config: Path) -> "Desk":
        return self

    def __enter__(self) -> Any:
        world = self.world
        return SimpleNamespace(
            database=world.database, payments=world.desk, networks=world.networks
        )

    def __exit__(self, *_: object) -> None: ...


def call(world: World, *words: str) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payments, "opened", Desk(world))
        done = CliRunner().invoke(payments.app, [*words, "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_stuck_payment_is_listed_shown_and_bumped(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    (listed,) = call(world, "list")
    assert (listed["status"], listed["version"]) == ("broadcast", 1)
    assert call(world, "list", "--network", ETH) == []
    shown = call(world, "bump", listed["id"])
    assert [one["status"] for one in shown["versions"]] == ["signed", "signing"]
    with pytest.raises(NotStuck):
        call(world, "bump", listed["id"])
    world.settle(4)

    shown = call(world, "show", listed["id"])
    assert {one["outcome"] for one in shown["broadcasts"]} == {"accepted"}
    assert set(shown["versions"][0]["consumes"]) & set(shown["versions"][1]["consumes"])
    check_paid_once(world, asked)
    with pytest.raises(NotStuck):
        call(world, "bump", listed["id"])


def test_a_stuck_payment_of_an_account_is_dropped(lite: Database) -> None:
    world, asked = stuck(lite, ETH)
    payment = payment_of(world, asked)
    with pytest.raises(NotLost):
        call(world, "give-up", payment.id)
    shown = call(world, "drop", payment.id)
    assert [one["act"] for one in shown["versions"]] == ["pay", "drop"]
    world.settle(4)
    check_given_back(world, asked)


def test_coins_are_not_dropped(lite: Database) -> None:
    world, asked = stuck(lite, BTC)
    with pytest.raises(NotReplaceable):
        call(world, "drop", payment_of(world, asked).id)

"""The proof finds what was planted, one violation at a time, and nothing where all is well."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update
from typer.testing import CliRunner

from chains.utxo.transactions import Transaction, parse
from tests.integration.test_replacements import AFTER, stuck
from tests.payments_world import BTC, CUSTOMER, World
from wallet.cli import prove_paid_once
from wallet.payments.replacing.proving import Prover, Violation
from wallet.store.database import Database
from wallet.store.schema import payment_versions, payments, withdrawals


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'lite.sqlite'}")
    database.migrate()
    yield database
    database.close()


@pytest.fixture
def world(lite: Database) -> World:
    """A withdrawal of BTC that was replaced and paid, and one of ETH that was paid."""
    world, asked = stuck(lite, BTC)
    world.fund_hot_gas()
    user = world.account("bob")
    world.deposit(user, "ETH", 10**18)
    world.withdraw(user, "ETH", CUSTOMER, 10**16, "w-2")
    world.settle(AFTER + 4)
    assert world.read(asked.id).height is not None
    return world


def found(world: World, *, ask_chain: bool = False) -> tuple[Violation, ...]:
    with world.database.read() as tx:
        return Prover(world.chains, world.assets, ask_chain=ask_chain).prove(tx).violations


def first_version(tx: Connection) -> Any:
    rows = tx.execute(select(payment_versions).order_by(payment_versions.c.created_s))
    return next(row for row in rows if row.raw is not None and ":" in row.consumes)


def plant_version(tx: Connection, made: Transaction, number: int = 9) -> None:
    """One more set of signed bytes for the first payment."""
    row = first_version(tx)
    values = dict(row._mapping)
    values |= {
        "number": number,
        "request_id": f"planted-{number}",
        "raw": made.serialize(),
        "txid": made.txid,
        "consumes": " ".join(sorted(f"{one.txid}:{one.vout}" for one in made.inputs)),
    }
    tx.execute(insert(payment_versions).values(**values))


def beside(tx: Connection) -> None:
    """Bytes that spend another coin: they could be mined too."""
    made = parse(bytes(first_version(tx).raw))
    other = replace(made.inputs[0], txid="ab" * 32)
    plant_version(tx, replace(made, inputs=(other,)))


def less(tx: Connection) -> None:
    """Bytes that pay one unit less than was approved."""
    made = parse(bytes(first_version(tx).raw))
    outputs = tuple(replace(one, sats=one.sats - 1) for one in made.outputs)
    plant_version(tx, replace(made, outputs=outputs))


def other_record(tx: Connection) -> None:
    """What is recorded of the bytes is not what they are."""
    row = first_version(tx)
    tx.execute(
        update(payment_versions)
        .where(payment_versions.c.request_id == row.request_id)
        .values(consumes=f"{'cd' * 32}:0")
    )


def garbage(tx: Connection) -> None:
    row = first_version(tx)
    at = payment_versions.c.request_id == row.request_id
    tx.execute(update(payment_versions).where(at).values(raw=b"\x00"))


def twice(tx: Connection) -> None:
    """Another payment that completed for the same intents."""
    row = first_version(tx)
    payment = tx.execute(select(payments).where(payments.c.id == row.payment_id)).one()
    made = replace(parse(bytes(row.raw)), locktime=7)
    again = {"id": "planted", "request_id": "planted", "txid": made.txid, "raw": made.serialize()}
    tx.execute(insert(payments).values(**{**payment._mapping, **again}))
    values = {**row._mapping, "payment_id": "planted", "number": 1, "request_id": "planted"}
    values |= {"raw": made.serialize(), "txid": made.txid}
    tx.execute(insert(payment_versions).values(**values))


def unbooked(tx: Connection) -> None:
    tx.execute(update(payments).values(status="broadcast"))


def unposted(tx: Connection) -> None:
    tx.execute(update(withdrawals).values(status="failed"))


def elsewhere(tx: Connection) -> None:
    tx.execute(update(withdrawals).values(payment_id="nowhere"))


PLANTED: list[tuple[str, Callable[[Connection], None]]] = [
    ("paid_once.no_conflict", beside),
    ("paid_once.amount", less),
    ("paid_once.bytes", other_record),
    ("paid_once.bytes", garbage),
    ("paid_once.two_confirmed", twice),
    ("paid_once.booked", unbooked),
    ("paid_once.posted", unposted),
    ("paid_once.unpaid", elsewhere),
]


def test_what_was_planted_is_found(world: World, tmp_path: Path) -> None:
    """All plants on copies of one history: SQLite files are copied fast."""
    assert found(world, ask_chain=True) == ()
    source = Path(str(world.database.engine.url.database))
    world.database.engine.dispose()
    for number, (code, plant) in enumerate(PLANTED):
        copy = tmp_path / f"planted-{number}.sqlite"
        copy.write_bytes(source.read_bytes())
        database = Database.open(f"sqlite:///{copy}")
        with database.write() as tx:
            plant(tx)
        planted = World(database, world.keep)
        assert code in {one.code for one in found(planted)}, (code, plant.__name__)
        database.close()


def test_what_the_chain_lost_is_found_when_it_is_asked(world: World) -> None:
    world.keep.btc.history.reorg(12, keep=False)

    assert found(world) == ()
    assert {one.code for one in found(world, ask_chain=True)} == {"paid_once.not_confirmed"}


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_ends_with_1_and_names_the_first(
    world: World, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    class Opened:
        def __enter__(self) -> Any:
            return SimpleNamespace(
                chains=world.chains, assets=world.assets, database=world.database
            )

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(prove_paid_once, "opened", lambda _config: Opened())
    command = ["--json"] if as_json else []
    well = CliRunner().invoke(prove_paid_once.app, [*command, "--chain"])
    assert well.exit_code == 0, well.output

    with world.database.write() as tx:
        beside(tx)
    wrong = CliRunner().invoke(prove_paid_once.app, command)

    assert wrong.exit_code == 1
    if as_json:
        assert json.loads(well.stdout)["paid_once"] is True
        assert json.loads(wrong.stdout)["violations"][0]["code"] == "paid_once.no_conflict"
    else:
        assert "paid_once.no_conflict" in wrong.stdout

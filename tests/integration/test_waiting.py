"""Every state that is no end has an owner, a time, a way out and a metric on its age."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import BigInteger, Integer, LargeBinary, Table, event, insert
from sqlalchemy.types import TypeEngine
from typer.testing import CliRunner

from chains.errors import NodeUnavailable
from tests.fakes import FakeClock
from wallet.api.tips import Tips
from wallet.cli import waiting as command
from wallet.metrics import WalletCollector, serve_metrics
from wallet.store.columns import metadata
from wallet.store.database import Database
from wallet.store.types import BaseUnits
from wallet.waiting import MACHINES, Machine, late_ids, standings

NET = "net"
STATES = [
    pytest.param(machine, state, id=f"{machine.name}-{state}")
    for machine in MACHINES
    for state in machine.arrows
    if state not in machine.resting
]


@dataclass
class AwayChain:
    """A node that never answers."""

    network: str = NET

    def tip(self) -> None:
        raise NodeUnavailable("no answer")


def _value(kind: TypeEngine[Any], salt: str) -> object:
    if isinstance(kind, BaseUnits | BigInteger | Integer):
        return 1
    return salt.encode() if isinstance(kind, LargeBinary) else salt


def put(database: Database, table: Table, **values: object) -> None:
    """A row with every column that must be there."""
    row = {
        column.name: _value(column.type, str(values["id"]))
        for column in table.columns
        if not column.nullable
    }
    with database.write() as tx:
        if database.dialect == "postgresql":
            tx.exec_driver_sql("SET LOCAL session_replication_role = replica")
        tx.execute(insert(table).values(row | values))


@pytest.mark.parametrize(("machine", "state"), STATES)
def test_every_state_that_is_no_end_has_its_duty(machine: Machine, state: Any) -> None:
    duty = machine.duties[state]
    assert duty.late_s > 0 and duty.way_out
    assert _reachable(machine.arrows, state) & set(machine.resting), "no way to an end"


def _reachable(arrows: Mapping[Any, Any], state: Any) -> set[Any]:
    found: set[Any] = set()
    left = [state]
    while left:
        for after in arrows[left.pop()]:
            if after not in found:
                found.add(after)
                left.append(after)
    return found


def test_no_end_has_a_duty() -> None:
    for machine in MACHINES:
        assert not set(machine.duties) & set(machine.resting)


def test_every_table_with_a_state_of_money_is_a_machine() -> None:
    """A new machine cannot be forgotten here: its table would have a time of its state."""
    stateful = {
        t.name for t in metadata.sorted_tables if {"status", "since_s"} <= set(t.columns.keys())
    }
    assert stateful == {machine.table.name for machine in MACHINES}


@pytest.fixture
def loose(database: Database) -> Database:
    """A database that takes rows without what they belong to."""

    @event.listens_for(database.engine, "checkout")
    def loosen(connection: Any, _record: object, _proxy: object) -> None:
        if database.dialect == "sqlite":
            connection.cursor().execute("PRAGMA foreign_keys = OFF")

    return database


@pytest.mark.parametrize(("machine", "state"), STATES)
def test_every_such_state_shows_its_age_in_the_metrics(
    loose: Database, machine: Machine, state: Any
) -> None:
    clock = FakeClock(1_000_000)
    late_s = machine.duties[state].late_s
    put(loose, machine.table, id="fresh", network=NET, status=state, since_s=clock.time_s - late_s)
    put(
        loose, machine.table, id="old", network=NET, status=state, since_s=clock.time_s - late_s - 7
    )
    with loose.read() as tx:
        (one,) = standings(tx, clock.now_s())
        assert late_ids(tx, machine, str(state), clock.now_s(), 5) == ["old"]
    assert (one.machine, one.state, one.count) == (machine.name, str(state), 2)
    assert (one.oldest_age_s, one.late_count) == (late_s + 7, 1)
    lines = scrape(loose, clock)
    labels = f'machine="{machine.name}",network="{NET}",owner="{one.duty.owner}",state="{state}"'
    assert f"glaytos_waiting_oldest_seconds{{{labels}}} {late_s + 7}.0" in lines
    assert f"glaytos_waiting_late{{{labels}}} 1.0" in lines
    assert f"glaytos_waiting{{{labels}}} 2.0" in lines


def scrape(database: Database, clock: FakeClock) -> list[str]:
    """What a collector reads, over HTTP."""
    tips = Tips({NET: AwayChain()}, clock)  # type: ignore[dict-item]
    port = free_port()
    failing = {"watch:net": "node.unavailable"}
    end = serve_metrics(WalletCollector(database, clock, tips, lambda: failing), port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=120) as answer:
            return [_sorted_labels(line) for line in answer.read().decode().splitlines()]
    finally:
        end()


def _sorted_labels(line: str) -> str:
    head, brace, rest = line.partition("{")
    labels, end, value = rest.partition("}")
    return head + brace + ",".join(sorted(labels.split(","))) + end + value


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("age_s", [0, 10**6], ids=["fresh", "late"])
def test_the_command_names_what_is_late(
    loose: Database, monkeypatch: pytest.MonkeyPatch, age_s: int
) -> None:
    clock = FakeClock()
    put(
        loose,
        MACHINES[1].table,
        id="w-1",
        network=NET,
        status="queued",
        since_s=clock.time_s - age_s,
    )

    @contextmanager
    def opened(_config: Path) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(clock=clock, database=loose)

    monkeypatch.setattr(command, "opened", opened)
    done = CliRunner().invoke(command.app, ["--json"])
    (row,) = json.loads(done.output)
    assert (row["machine"], row["state"], row["oldest_age_s"]) == ("withdrawal", "queued", age_s)
    assert row["late_ids"] == (["w-1"] if age_s else [])
    assert done.exit_code == (1 if age_s else 0)
    words = CliRunner().invoke(command.app, ["--late"])
    assert ("w-1" in words.output, "Nothing waits." in words.output) == (bool(age_s), not age_s)


def test_jobs_that_fail_and_nodes_that_are_away_show(database: Database) -> None:
    lines = scrape(database, FakeClock())
    assert 'glaytos_job_failing{code="node.unavailable",job="watch:net"} 1.0' in lines
    assert not any(line.startswith("glaytos_node_height{") for line in lines)
    assert "glaytos_events_last_seq 0.0" in lines

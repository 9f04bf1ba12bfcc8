"""`glaytos-wallet reconcile` as people type it and programs read it."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.deposit_world import NETWORK, RULES, Bench, make_bench, pay
from wallet.cli import reconcile as command
from wallet.milestones import pass_by
from wallet.networks import DeploymentError
from wallet.store.database import Database

FUNDING = pay(("deposit", 50_000))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    made = make_bench(database)
    deployment = SimpleNamespace(
        database=database,
        settings=SimpleNamespace(assets=(RULES.asset,)),
        networks={NETWORK: SimpleNamespace(start_height=0)},
        chains={NETWORK: made.chain},
        clock=made.watcher._clock,
        milestone=pass_by,
        close=lambda: None,
    )
    monkeypatch.setattr(command, "open_deployment", lambda config: deployment)
    made.chain.mine()
    made.chain.mine(FUNDING)
    made.chain.mine()
    made.follow()
    yield made
    database.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command.app, list(arguments), env={"COLUMNS": "200"})


def parsed(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def test_a_program_reads_books_coverage_and_no_breaks(bench: Bench) -> None:
    done = run("--json")
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    (asset,), (network,) = shown["assets"], shown["networks"]
    assert shown["right"] is True
    assert (asset["ledger"], asset["under_way"], asset["chain"]) == ("50000", "0", "50000")
    assert (asset["difference"], asset["recounted"], asset["network"]) == ("0", None, NETWORK)
    assert (network["height"], network["hash"]) == (2, bench.chain.tip().hash)
    assert network["coverage"]["blocks"] == {"done": "3", "of": "3", "ppm": 1_000_000}
    assert network["coverage"]["wallets"] == {"done": "1", "of": "1", "ppm": 1_000_000}
    assert network["coverage"]["value"]["BTC"]["ppm"] == 1_000_000
    assert (network["breaks"], network["faults"], network["statements"]) == ([], [], [])


def test_statements_are_shown_of_the_blocks_and_wallets_asked_for(bench: Bench) -> None:
    (network,) = parsed("--from", "1", "--to", "1")["networks"]
    (one,) = network["statements"]
    assert (one["wallet"], one["height"], one["opening"]) == ("bitcoin-hot", 1, "0")
    assert (one["deposits"], one["closing"]) == ("50000", "50000")
    (network,) = parsed("--from", "2")["networks"]
    assert network["statements"] == []
    (over,) = network["over"]
    assert (over["opening"], over["deposits"], over["closing"]) == ("50000", "0", "50000")
    assert parsed("--wallet", "bitcoin-cold")["networks"][0]["over"] == []
    words = run("--wallet", "bitcoin-hot").output
    assert "bitcoin-hot" in words and "100.0000 % of BTC" in words


def test_a_break_ends_it_with_code_1_and_is_named(bench: Bench) -> None:
    theft = pay(("hot", 40_000), spends=FUNDING.txid)
    bench.chain.mine(theft)
    bench.follow()
    done = run("--json")
    assert done.exit_code == 1
    shown = json.loads(done.stdout)
    (one,) = shown["networks"][0]["breaks"]
    assert (one["code"], one["units"], one["txid"]) == ("foreign_spend", "-50000", theft.txid)
    assert shown["assets"][0]["difference"] == "-50000"
    words = run()
    assert words.exit_code == 1
    assert "foreign_spend" in words.output


def test_all_is_counted_anew_on_request(bench: Bench) -> None:
    assert parsed("--recount", "--network", NETWORK)["assets"][0]["recounted"] == "50000"
    assert "counted anew, 50000 BTC" in run("--recount").output


def test_another_network_is_said_so(bench: Bench) -> None:
    failed = run("--network", "dogecoin")
    assert isinstance(failed.exception, DeploymentError)


def test_its_help_teaches() -> None:
    words = " ".join(run("--help").output.split())
    assert "opening + deposits" in words and "unknown_inflow" in words and "explain" in words

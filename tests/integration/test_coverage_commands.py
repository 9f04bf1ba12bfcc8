"""`glaytos-wallet prove-coverage` and `rescan` as people type them."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner, Result

from chains.types import BlockScan, UnreadableLog
from tests.deposit_world import NETWORK, RULES, Bench, make_bench, pay
from tests.integration.test_rescanning import LooseChain
from wallet.cli import prove_coverage, rescan
from wallet.deposits.rescanning import NotScanned
from wallet.deposits.tokens.unreadable import keep_unreadable
from wallet.milestones import pass_by
from wallet.networks import DeploymentError
from wallet.store.database import Database
from wallet.store.schema import blocks


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    database = Database.open(f"sqlite:///{tmp_path / 'w.sqlite'}")
    database.migrate()
    made = make_bench(database, chain=LooseChain(missed_sats=7_000))
    deployment = SimpleNamespace(
        database=database,
        deposit_rules=lambda network: {"BTC": RULES},
        assets={"BTC": RULES.asset},
        networks={NETWORK: SimpleNamespace(start_height=0)},
        chains={NETWORK: made.chain},
        clock=made.watcher._clock,
        milestone=pass_by,
        close=lambda: None,
    )
    for command in (prove_coverage, rescan):
        monkeypatch.setattr(command, "open_deployment", lambda config: deployment)
    made.chain.mine()
    made.chain.mine(pay(("deposit", 7_000)))
    made.chain.mine()
    made.follow()
    yield made
    database.close()


def prove(*arguments: str) -> Result:
    return CliRunner().invoke(prove_coverage.app, list(arguments))


def again(*arguments: str) -> Result:
    return CliRunner().invoke(rescan.app, ["--network", NETWORK, *arguments])


def test_a_whole_scan_is_proven_and_old_heights_are_named_until_scanned_again(
    bench: Bench,
) -> None:
    bench.chain.repair()  # type: ignore[attr-defined]
    shown = prove("--json")
    (proof,) = json.loads(shown.output)
    assert shown.exit_code == 0
    assert (proof["proven"], proof["scanned_height"], proof["behind_blocks"]) == (True, 2, 0)
    assert [(one["from_height"], one["to_height"]) for one in proof["scan_again"]] == [(0, 2)]

    (done,) = json.loads(again("--stale", "--json").output)
    assert (done["blocks"], done["new_deposits"]) == (3, 1)
    assert bench.rows() == [("seen", 7_000)]
    assert json.loads(prove("--json").output)[0]["scan_again"] == []
    assert "nothing to scan again" in again("--stale").output
    assert "3 blocks, 0 new deposits" in again("--from", "0", "--to", "2").output
    assert "nothing" in prove("--network", NETWORK).output


def test_an_unreadable_transfer_is_named_and_ends_with_code_one(bench: Bench) -> None:
    log = UnreadableLog(asset="TOK", txid="0x" + "ab" * 32, position="log:4", detail="shape")
    scan = BlockScan(ref=bench.chain.tip(), inflows=(), spends=(), unreadable=(log,))
    with bench.database.write() as tx:
        keep_unreadable(tx, NETWORK, scan, 5)
    shown = prove()

    assert shown.exit_code == 1
    assert "unreadable 2: 1 of TOK" in " ".join(shown.output.split())
    (proof,) = json.loads(prove("--json").output)
    assert not proof["proven"]
    assert [(one["height"], one["position"]) for one in proof["unreadable"]] == [(2, "log:4")]


def test_a_gap_is_named_and_ends_with_code_one(bench: Bench) -> None:
    with bench.database.write() as tx:
        tx.execute(delete(blocks).where(blocks.c.height == 1))
    shown = prove()

    assert shown.exit_code == 1
    assert "blocks_missing 1-1" in " ".join(shown.output.split())
    (proof,) = json.loads(prove("--json").output)
    assert proof["gaps"][0]["code"] == "blocks_missing"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--from", "1"],
        ["--txid", "ab", "--address", "deposit"],
        ["--stale", "--from", "0", "--to", "1"],
    ],
)
def test_what_to_scan_again_must_be_clear(bench: Bench, arguments: list[str]) -> None:
    assert again(*arguments).exit_code == 2


def test_unknown_networks_and_heights_are_refused(bench: Bench) -> None:
    assert isinstance(prove("--network", "dogecoin").exception, DeploymentError)
    other = CliRunner().invoke(rescan.app, ["--network", "dogecoin", "--stale"])
    assert isinstance(other.exception, DeploymentError)
    assert isinstance(again("--from", "0", "--to", "9").exception, NotScanned)

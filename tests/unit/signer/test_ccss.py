"""The control table: every test it names exists, and results are told as they are."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from signer.__main__ import build_app
from signer.ccss.controls import CONTROLS
from signer.ccss.evidence import levels
from tests.evidence import Evidence
from tests.node_ids import missing_tests

RUNNER = CliRunner()


def told(results: Path, code: int = 0) -> dict[str, Any]:
    done = RUNNER.invoke(build_app(), ["ccss", "--results", str(results), "--json"])
    assert code == done.exit_code, done.output
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_every_named_test_exists() -> None:
    assert [] == missing_tests(name for control in CONTROLS for name in control.tests)


def test_every_control_of_the_standard_is_there_once() -> None:
    counts = {
        "1.01": 4, "1.02": 6, "1.03": 7, "1.04": 8, "1.05": 2, "1.06": 3, "2.01": 1, "2.02": 2,
        "2.03": 1, "2.04": 2,
    }  # fmt: skip
    expected = [f"{aspect}.{n}" for aspect, many in counts.items() for n in range(1, many + 1)]

    assert expected == [control.id for control in CONTROLS]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_a_level_needs_something_that_proves_it(control: Any) -> None:
    assert 0 <= control.level <= 3
    assert control.provided or control.people
    assert bool(control.tests) == bool(control.provided)
    if not control.tests:
        assert 0 == control.level


def test_an_aspect_is_as_good_as_its_lowest_control() -> None:
    assert {"1.01": 1, "1.03": 0} == {
        aspect: level for aspect, level in levels(CONTROLS).items() if aspect in ("1.01", "1.03")
    }


def test_without_results_nothing_is_claimed(tmp_path: Path) -> None:
    rows = told(tmp_path / "none.json")["controls"]

    assert {"", "not run here"} == {row["result"] for row in rows}
    assert {row["result"] for row in rows if row["procedural"]} == {""}


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        (("passed", "passed"), "passed"),
        (("passed", "skipped"), "skipped"),
        (("passed", ""), "not run here"),
        (("failed", ""), "failed"),
    ],
)
def test_a_control_is_as_good_as_its_worst_test(
    tmp_path: Path, outcomes: tuple[str, str], result: str
) -> None:
    control = next(one for one in CONTROLS if len(one.tests) == 2)
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps({k: v for k, v in zip(control.tests, outcomes, strict=True) if v}))

    rows = {row["id"]: row for row in told(file)["controls"]}

    assert result == rows[control.id]["result"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": "great"}', '{"a": 1}', '{"a": []}', "[" * 9999])
def test_other_results_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(text)

    assert "ccss.results_unreadable" == told(file, code=1)["code"]


def test_the_table_reads_well(tmp_path: Path) -> None:
    shown = RUNNER.invoke(build_app(), ["ccss", "--results", str(tmp_path / "none")]).output

    assert "1.04.7  level 3  no two keys of a wallet on one device" in shown
    assert "not run here: tests/unit/signer/test_home.py::" in shown


def a_report(name: str, outcome: str, when: str = "call") -> Any:
    return SimpleNamespace(nodeid=name, outcome=outcome, when=when, passed=outcome == "passed")


def test_results_are_kept_from_run_to_run(tmp_path: Path) -> None:
    file = tmp_path / "cache" / "evidence.json"
    first = Evidence(file)
    for name, outcome in (("a::x[1]", "failed"), ("a::x[2]", "passed"), ("a::y", "passed")):
        first.pytest_runtest_logreport(a_report(name, "passed", "setup"))
        first.pytest_runtest_logreport(a_report(name, outcome))
    first.pytest_runtest_logreport(a_report("a::z", "skipped", "setup"))
    first.pytest_sessionfinish()
    assert {"a::x": "failed", "a::y": "passed", "a::z": "skipped"} == json.loads(file.read_text())

    second = Evidence(file)
    second.pytest_runtest_logreport(a_report("a::x[1]", "passed"))
    second.pytest_runtest_logreport(a_report("a::y", "failed", "teardown"))
    second.pytest_sessionfinish()

    assert {"a::x": "passed", "a::y": "failed", "a::z": "skipped"} == json.loads(file.read_text())

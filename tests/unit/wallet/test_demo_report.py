"""The demo's report: ok only if everything held, and never half written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chains.errors import InvariantError
from wallet.demo.commands import Outcome
from wallet.demo.report import ReconciliationRow, RefusalRow, Report

EQUAL = ReconciliationRow(asset="BTC", ledger="5", chain="5", difference="0")


def good() -> Report:
    refused = [RefusalRow(what=f"attack {n}", code="some.code") for n in range(5)]
    return Report(reconciliation=[EQUAL], refused=refused)


def test_everything_held() -> None:
    assert good().verdict(5)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report: setattr(report, "error", "story.failed"),
        lambda report: report.reconciliation.clear(),
        lambda report: report.reconciliation.append(replace(EQUAL, difference="1")),
        lambda report: report.refused.pop(),
        lambda report: report.refused.append(RefusalRow(what="attack", code="")),
    ],
)
def test_one_thing_that_did_not_hold_spoils_it(spoil: object) -> None:
    report = good()
    spoil(report)  # type: ignore[operator]

    assert not report.verdict(5)


def test_a_report_is_written_whole_and_cannot_contradict_itself(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.json"
    replace(good(), seconds=7).write(path, ok=True)
    body = json.loads(path.read_text())

    assert body["ok"] is True
    assert body["reconciliation"][0]["difference"] == "0"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(InvariantError):
        Report(error="failed").write(path, ok=True)


@pytest.mark.parametrize(
    ("returncode", "stderr", "code"),
    [
        (
            1,
            "treasury.quorum_missing got 1 of 2 approvals,\nexpected 2\n",
            "treasury.quorum_missing",
        ),
        (1, "warning: no swap\npolicy.approvals.quorum: one\n", "policy.approvals.quorum"),
        (1, "Traceback (most recent call last)\n", ""),
        (0, "some.code is only talked about\n", ""),
    ],
)
def test_a_refusal_is_the_first_word_of_a_line(returncode: int, stderr: str, code: str) -> None:
    assert Outcome(returncode=returncode, stdout="", stderr=stderr).code == code

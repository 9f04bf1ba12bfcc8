"""Keeps the last result of every test in a file, for `glaytos-signer ccss`."""

import json
import os
from pathlib import Path

import pytest

from signer.ccss.evidence import OUTCOMES


class Evidence:
    """A pytest plugin for the process that sees all reports; workers of xdist do without."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one phase of one test: all parameters together are as good as the worst."""
        if report.when != "call" and report.passed:
            return
        name = report.nodeid.partition("[")[0]
        outcome = str(report.outcome)
        before = self._seen.get(name, outcome)
        self._seen[name] = min(outcome, before, key=OUTCOMES.index)

    def pytest_sessionfinish(self) -> None:
        """Write what was seen over what earlier runs saw."""
        if not self._seen:
            return
        kept = json.loads(self._path.read_text()) if self._path.exists() else {}
        self._path.parent.mkdir(exist_ok=True)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps({**kept, **self._seen}, indent=0, sort_keys=True))
        part.replace(self._path)

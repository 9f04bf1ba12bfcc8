"""Controls beside the last results of the tests that prove them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.nesting import check_nesting
from signer.ccss.control import Control
from signer.ccss.controls import CONTROLS
from signer.errors import SignerError
from signer.storage import StorageError, read_limited

RESULTS_BYTES_MAX = 16 * 1024 * 1024
"""No file of results is larger; checked before parsing."""

NOT_RUN = "not run here"
OUTCOMES = ("failed", "skipped", "passed")
"""Worst first: several tests together are as good as the worst of them."""


class ResultsUnreadable(SignerError):
    """A file of results that is not one."""

    code = "ccss.results_unreadable"


def load_results(path: Path) -> dict[str, str]:
    """Outcome by test, none where no test ran here. Raises ResultsUnreadable."""
    if not path.exists():
        return {}
    try:
        data = read_limited(path, RESULTS_BYTES_MAX)
        check_nesting(data)
        results = json.loads(data)
    except (StorageError, ValueError, RecursionError) as error:
        raise ResultsUnreadable(f"got no results in {path}: {error}") from error
    if not isinstance(results, dict) or any(one not in OUTCOMES for one in results.values()):
        raise ResultsUnreadable(f"got other results in {path}, expected {', '.join(OUTCOMES)}")
    return results


def table(results: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every control as plain values, its tests with their last result."""
    return [_row(control, results) for control in CONTROLS]


def levels(controls: Sequence[Control]) -> dict[str, int]:
    """The level of each aspect ("1.04"): that of its lowest control."""
    found: dict[str, int] = {}
    for control in controls:
        aspect = control.id.rpartition(".")[0]
        found[aspect] = min(control.level, found.get(aspect, control.level))
    return found


def _row(control: Control, results: Mapping[str, str]) -> dict[str, Any]:
    tests = {name: results.get(name, NOT_RUN) for name in control.tests}
    return {
        "id": control.id,
        "title": control.title,
        "level": control.level,
        "provided": control.provided,
        "people": control.people,
        "procedural": not control.tests,
        "tests": tests,
        "result": _worst(tests.values()) if tests else "",
    }


def _worst(outcomes: Iterable[str]) -> str:
    found = set(outcomes)
    return next((one for one in ("failed", NOT_RUN, "skipped") if one in found), "passed")

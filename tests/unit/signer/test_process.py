"""The process that opens keys: no core dump, no tracing, memory locked where there is swap."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SEEN = """
import ctypes, json, os, resource
mask = os.umask(0)
print(json.dumps({
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "umask": mask,
}))
"""
CALLED = """
import runpy, sys
sys.argv = ["glaytos-signer", "sign", "--help"]
try:
    runpy.run_module("signer", run_name="__main__")
except SystemExit:
    pass
"""
SWAPPING = """
import ctypes, json
from signer import process
process._swap_in_use = lambda: True
class Libc:
    locked = 0
    def prctl(self, *_):
        return PRCTL
    def mlockall(self, flags):
        Libc.locked = flags
        return MLOCKALL
ctypes.CDLL = lambda *_, **__: Libc()
print(json.dumps({"warnings": process.harden(), "locked": Libc.locked}))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the calls are Linux's")


def told(script: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_every_command_runs_without_core_dumps_and_untraceable() -> None:
    assert {"core": [0, 0], "dumpable": 0, "umask": 0o077} == told(CALLED + SEEN)


def test_the_probe_sees_an_ordinary_process() -> None:
    assert 1 == told(SEEN)["dumpable"]


def test_memory_is_locked_where_there_is_swap() -> None:
    seen = told(SWAPPING.replace("PRCTL", "0").replace("MLOCKALL", "0"))

    assert {"warnings": [], "locked": 3} == seen


def test_what_could_not_be_done_is_said() -> None:
    traced, swapped = told(SWAPPING.replace("PRCTL", "-1").replace("MLOCKALL", "-1"))["warnings"]

    assert "can be traced" in traced
    assert "swap is on" in swapped

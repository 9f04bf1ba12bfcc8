"""The process that verifies the ledger: it works, says what is wrong, and does not outlive us."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.test_ledger_following import NETWORKS, alerts, paused, reached, walls_down
from tests.ledger_world import HEAD, fill
from wallet.ledger_verifier import LedgerVerifier, LedgerVerifierFailed
from wallet.store.database import Database

WAIT_S = 30
SLEEPER = (sys.executable, "-c", "import sys, time\nfor line in sys.stdin: time.sleep(600)")
QUITTER = (sys.executable, "-c", "input()")
CUT_SHORT = (sys.executable, "-c", "input(); print('nu', end='')")
TELLER = (
    sys.executable,
    "-c",
    'import os\nwhile input(): print(\'{"code": "x", "message": "%s"}\' % os.getpid(), flush=True)',
)


def url(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=False)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def wait_for_the_end(pid: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_new_heights_are_verified_by_the_child(database: Database) -> None:
    verifier = LedgerVerifier(url(database), NETWORKS)
    try:
        verifier.step()
        assert reached(database) == 0
        with database.write() as tx:
            fill(tx)
        verifier.step()
        assert (reached(database), paused(database)) == (HEAD, [])
    finally:
        verifier.close()


@pytest.mark.parametrize("own_database", ["sqlite"], indirect=True)
def test_what_the_child_finds_stops_the_withdrawals(own_database: Database) -> None:
    with own_database.write() as tx:
        fill(tx)
        walls_down(tx, "UPDATE ledger_batches SET created_s = 1 WHERE height = 3")
    verifier = LedgerVerifier(url(own_database), NETWORKS)
    try:
        verifier.step()
    finally:
        verifier.close()
    assert (paused(own_database), alerts(own_database)) == (list(NETWORKS), 1)


def test_an_error_of_the_child_is_told_by_its_code(tmp_path: Path) -> None:
    verifier = LedgerVerifier(f"sqlite:///{tmp_path}/empty.sqlite", NETWORKS)
    try:
        for _ in range(2):
            with pytest.raises(LedgerVerifierFailed, match="no such table") as caught:
                verifier.step()
            assert caught.value.code == "e3q8"  # as the worker has always named it
    finally:
        verifier.close()


@pytest.mark.parametrize("command", [QUITTER, CUT_SHORT], ids=["silent", "cut_short"])
def test_a_child_that_ended_is_started_again(database: Database, command: Sequence[str]) -> None:
    verifier = LedgerVerifier(url(database), NETWORKS, command)
    for _ in range(2):
        with pytest.raises(LedgerVerifierFailed) as caught:
            verifier.step()
        assert caught.value.code == "ledger.verifier_failed"
    verifier.close()


def test_one_child_does_all_steps(database: Database) -> None:
    verifier = LedgerVerifier(url(database), NETWORKS, TELLER)
    told = []
    for _ in range(2):
        with pytest.raises(LedgerVerifierFailed) as caught:
            verifier.step()
        told.append(caught.value.message)
    verifier.close()
    assert told[0] == told[1]
    assert not is_running(int(told[0]))


def test_closing_ends_a_step_and_there_is_no_other(database: Database) -> None:
    verifier = LedgerVerifier(url(database), NETWORKS, SLEEPER)
    step = threading.Thread(target=verifier.step)
    step.start()
    time.sleep(0.2)
    verifier.close()
    step.join(WAIT_S)
    assert not step.is_alive()
    verifier.step()


def test_the_child_ends_with_its_parent_and_takes_no_interrupt(database: Database) -> None:
    """Killed without a word, as by the kernel: the child sees the end of its input."""
    program = (
        "import json, sys, time\n"
        "from wallet.ledger_verifier import LedgerVerifier\n"
        "verifier = LedgerVerifier(sys.stdin.readline().strip(), [])\n"
        "verifier.step()\n"
        "print(json.dumps(verifier._child.process.pid), flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(url(database) + "\n")
    parent.stdin.flush()
    child = json.loads(parent.stdout.readline())
    os.kill(child, signal.SIGINT)
    time.sleep(0.2)
    assert is_running(child)
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    wait_for_the_end(child)


def test_the_database_is_named_by_the_pipe_alone(database: Database) -> None:
    verifier = LedgerVerifier(url(database), NETWORKS)
    verifier.step()
    child = verifier._child
    assert child is not None
    shown = Path(f"/proc/{child.process.pid}/cmdline").read_bytes()
    verifier.close()
    assert b"wallet.ledger_verifier" in shown
    assert b"://" not in shown

"""The duty `ledger.verify` in a child process: its computing would keep every caller waiting.

Python runs one thread at a time, and recomputing what a busy exchange posts takes a third of it.
The child reads a line of JSON for each step and answers with one; it ends with its parent, whose
end it sees by the end of its input, and can be ended at any moment: what it has verified is kept
by the database.
"""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from wallet.clock import SystemClock
from wallet.errors import WalletError
from wallet.ledger.versions.following import LedgerFollower
from wallet.ledger_alarm import LedgerAlarm
from wallet.store.database import Database

_COMMAND = (sys.executable, "-P", "-m", "wallet.ledger_verifier")


class LedgerVerifierFailed(WalletError):
    """A step of the child raised; `code` is that of its error, or that it is gone."""

    code = "ledger.verifier_failed"

    def __init__(self, message: str, code: str = code) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    orders: IO[bytes]
    answers: IO[bytes]


class LedgerVerifier:
    """The parent's end. The child starts with the first step, and anew when it is gone."""

    def __init__(
        self, database_url: str, networks: Sequence[str], command: Sequence[str] = _COMMAND
    ) -> None:
        # By the pipe, not as an argument: everybody on the machine can read those.
        self._order = json.dumps({"database_url": database_url, "networks": [*networks]})
        self._command = tuple(command)
        self._child: _Child | None = None
        self._door = threading.Lock()
        self._closed = False

    def step(self) -> None:
        """Verify one part of the heights that were not. Raises LedgerVerifierFailed."""
        child = self._running()
        if child is None:
            return
        try:
            child.orders.write(f"{self._order}\n".encode())
            answer = child.answers.readline()
        except (OSError, ValueError):  # it ended, or was closed meanwhile
            answer = b""
        if answer.endswith(b"\n"):
            _check(answer)
        elif not self._closed:
            self._end()
            raise LedgerVerifierFailed(
                "got no answer from the process that verifies the ledger: it ended, and is "
                "started again"
            )

    def close(self) -> None:
        """End the child, in the middle of a step too; there will be no other."""
        with self._door:
            self._closed = True
        self._end()

    def _running(self) -> _Child | None:
        with self._door:
            if self._closed:
                return None
            if self._child is None:
                self._child = _start(self._command)
            return self._child

    def _end(self) -> None:
        with self._door:
            child, self._child = self._child, None
        if child is not None:
            child.process.kill()
            child.process.wait()
            child.orders.close()
            child.answers.close()


def _check(answer: bytes) -> None:
    failed = json.loads(answer)
    if failed is not None:
        raise LedgerVerifierFailed(failed["message"], failed["code"])


def _start(command: Sequence[str]) -> _Child:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    if process.stdin is None or process.stdout is None:
        raise LedgerVerifierFailed("got a process without pipes")
    return _Child(process, process.stdin, process.stdout)


# The child.


def main() -> None:
    """Do a step for each line, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    duty: LedgerFollower | None = None
    for line in sys.stdin:
        failed = None
        try:
            duty = duty or _duty(json.loads(line))
            duty.step()
        except Exception as error:  # noqa: BLE001 - told to the parent, which tells people
            code = getattr(error, "code", type(error).__name__)
            failed = {"code": str(code), "message": str(error)[:500]}
        try:
            sys.stdout.write(f"{json.dumps(failed)}\n")
            sys.stdout.flush()
        except BrokenPipeError:
            return


def _duty(order: dict[str, object]) -> LedgerFollower:
    database = Database.open(str(order["database_url"]))
    networks = order["networks"]
    alarm = LedgerAlarm(SystemClock(), networks if isinstance(networks, list) else [])
    return LedgerFollower(database, alarm)


if __name__ == "__main__":
    main()

"""Child processes that die with us: started in a session of their own, ended as a group.

The kernel kills them when the thread that started them ends (PR_SET_PDEATHSIG), so start them from
the main thread. On other systems than Linux only an orderly stop ends them.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_STOP_S = 10
"""Seconds a child gets to end by itself before it is killed."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded before any fork: loading a library in a forked child may deadlock."""

Child = subprocess.Popen[bytes]


def spawn(command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str] | None) -> Child:
    """Start a child whose output goes to `log`; `env` None passes our own environment on."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
            # Runs one system call of a library loaded before the fork: no lock can be held.
            preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509
        )


def stop(children: Sequence[Child]) -> None:
    """End children and all they started; returns when none is left."""
    for child in children:
        _signal_group(child, signal.SIGTERM)
    for child in children:
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            _signal_group(child, signal.SIGKILL)
            child.wait()


def is_running(pid: int, started: str) -> bool:
    """Whether the process that was `started` then still runs under this id."""
    return bool(started) and start_mark(pid) == started


def start_mark(pid: int) -> str:
    """What tells a process from a later one with the same id; empty if there is none.

    The start time in clock ticks since boot, field 22 of /proc/PID/stat.
    """
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not looked yet.
    return "" if fields[0] == "Z" else fields[19]


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with(parent: int) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died before the line above.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return in_child


def _signal_group(child: Child, number: signal.Signals) -> None:
    if child.poll() is None:
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return

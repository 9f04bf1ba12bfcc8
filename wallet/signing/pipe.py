"""Frames over the standard input and output of a child process: 4-byte length, then CBOR."""

import os
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from signer.protocol import MESSAGE_BYTES_MAX
from wallet.signing.errors import SignerSilent

HEADER_BYTES = 4
"""Big-endian length in front of every frame."""

_FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1024
_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    inlet: IO[bytes]
    outlet: IO[bytes]


class Pipe:
    """A child process that answers one frame with one frame.

    Any fault (death, silence, oversized frame) ends the child: a late answer to an old question
    must never be read as the answer to the next one.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._child: _Child | None = None

    def ask(self, frame: bytes, timeout_s: int) -> bytes:
        """Send one frame and return the answer's. Raises SignerSilent."""
        deadline_ns = time.monotonic_ns() + timeout_s * _NS_PER_S
        child = self._running()
        try:
            _write(child.inlet, len(frame).to_bytes(HEADER_BYTES, "big") + frame, deadline_ns)
            length = int.from_bytes(_read(child.outlet, HEADER_BYTES, deadline_ns), "big")
            if length > _FRAME_BYTES_MAX:
                raise SignerSilent(f"got a frame of {length} bytes, expected at most 8 MiB")
            return _read(child.outlet, length, deadline_ns)
        except SignerSilent:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise SignerSilent("got a broken pipe to the signer, expected an answer") from error

    def close(self) -> None:
        """End the child, if there is one, and wait for it."""
        child, self._child = self._child, None
        if child is None:
            return
        child.process.kill()
        child.process.wait()
        child.inlet.close()
        child.outlet.close()

    def _running(self) -> _Child:
        if self._child is not None and self._child.process.poll() is None:
            return self._child
        self.close()
        try:
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise SignerSilent(f"got no signer process from {self._command[0]!r}") from error
        if process.stdin is None or process.stdout is None:
            raise SignerSilent("got a signer process without pipes")
        for stream in (process.stdin, process.stdout):
            os.set_blocking(stream.fileno(), False)
        self._child = _Child(process, process.stdin, process.stdout)
        return self._child


def _write(inlet: IO[bytes], data: bytes, deadline_ns: int) -> None:
    view = memoryview(data)
    while view:
        _wait(inlet.fileno(), select.POLLOUT, deadline_ns)
        view = view[os.write(inlet.fileno(), view[:_CHUNK_BYTES]) :]


def _read(outlet: IO[bytes], count: int, deadline_ns: int) -> bytes:
    parts: list[bytes] = []
    while count:
        _wait(outlet.fileno(), select.POLLIN, deadline_ns)
        part = os.read(outlet.fileno(), min(count, _CHUNK_BYTES))
        if not part:
            raise SignerSilent("got the end of the signer's output, expected an answer")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _wait(handle: int, event: int, deadline_ns: int) -> None:
    left_ms = (deadline_ns - time.monotonic_ns()) // _NS_PER_MS
    poll = select.poll()
    poll.register(handle, event)
    if left_ms <= 0 or not poll.poll(left_ms):
        raise SignerSilent("got no answer in time, expected one")

"""The service as a child process: started, killed and started again, as operations would."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wallet.client import Client, ClientError, connect
from wallet.demo.deployment import DemoDeployment
from wallet.errors import WalletError

START_S = 240
"""Seconds the service gets to answer its first question."""

_POLL_S = 0.2


class ServiceFailed(WalletError):
    """The service did not start, or ended when it should not have."""

    code = "demo.service_failed"


class ServiceProcess:
    """One service over one deployment."""

    def __init__(self, place: DemoDeployment) -> None:
        self._place = place
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the service printed."""
        return self._place.root / "service.log"

    def start(self, kill_at: str = "") -> None:
        """Start it and wait until it answers. `kill_at` makes it die at that milestone."""
        command = [sys.executable, "-m", "wallet", "serve", "--config", str(self._place.config)]
        if kill_at:
            command += ["--kill-at", kill_at]
        with self.log.open("ab") as output:
            self._child = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + START_S
        with connect(self._place.credentials) as client:
            while not self._answers(client):
                if self._child.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace")[-1500:]
                    raise ServiceFailed(f"the service did not start; its last words:\n{tail}")
                time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it in order."""
        if self._child is not None:
            self._child.send_signal(signal.SIGTERM)
            self._child.wait(timeout=START_S)
            self._child = None

    def wait_killed(self, meanwhile: Callable[[], object], timeout_s: int) -> int:
        """Wait until it was killed; its exit code (-9). Raises ServiceFailed if it lives on."""
        if self._child is None:
            raise ServiceFailed("got no running service, expected one that will be killed")
        deadline = time.monotonic() + timeout_s
        while self._child.poll() is None:
            if time.monotonic() > deadline:
                raise ServiceFailed("the service lived past the moment it should have died at")
            meanwhile()
            time.sleep(_POLL_S)
        code = self._child.returncode
        self._child = None
        return code

    @staticmethod
    def _answers(client: Client) -> bool:
        try:
            client.health()
        except ClientError:
            return False
        return True

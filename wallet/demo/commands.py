"""Our own commands, run as separate processes as a person would run them."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wallet.errors import WalletError

TIMEOUT_S = 300
"""No single command takes longer; key stretching is the slowest of them."""

_CODE = re.compile(r"^[a-z_]+(\.[a-z_]+)+", re.MULTILINE)


class CommandFailed(WalletError):
    """A command of ours ended with an error that the story did not expect."""

    code = "demo.command_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def code(self) -> str:
        """The error code of a refusal, which starts a line on standard error; else nothing."""
        found = _CODE.search(self.stderr) if self.returncode else None
        return found[0] if found else ""

    def json(self) -> Any:
        """What it printed, as JSON. Raises CommandFailed."""
        if self.returncode:
            raise CommandFailed(f"got exit code {self.returncode}: {self.stderr.strip()[-500:]}")
        return json.loads(self.stdout)


def run(module: str, arguments: Sequence[str | Path], *, answer: str = "") -> Outcome:
    """Run `python -m module`; `answer` is what a person would type."""
    done = subprocess.run(
        [sys.executable, "-m", module, *(str(argument) for argument in arguments)],
        input=answer,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Outcome(returncode=done.returncode, stdout=done.stdout, stderr=done.stderr)


def signer(home: Path, verb: str, *arguments: str | Path, answer: str = "") -> Outcome:
    """One `glaytos-signer` command at a home; its passphrase lies in a file beside it."""
    options: list[str | Path] = [verb, "--home", home, "--json", *arguments]
    if verb not in ("inspect", "address", "recall", "status"):
        options += ["--passphrase-file", home.with_suffix(".passphrase")]
    return run("signer", options, answer=answer)


def wallet(config: Path, *arguments: str | Path, answer: str = "") -> Outcome:
    """One `glaytos-wallet` command over a settings file."""
    return run("wallet", [*arguments, "--config", config], answer=answer)

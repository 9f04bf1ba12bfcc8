"""What the demo found, as `.demo/report.json`."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chains.errors import invariant


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One thing that happened on a chain; `txid` is empty where none is involved."""

    step: str
    network: str
    asset: str
    txid: str
    status: str
    amount_units: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationRow:
    """Ledger beside chain for one asset, in base units as text."""

    asset: str
    ledger: str
    chain: str
    difference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRow:
    """Something that was tried on purpose, and the code it was refused with."""

    what: str
    code: str


@dataclass(slots=True)
class Report:
    """Collected while the story runs; written once at the end, also when it failed."""

    steps: list[StepRow] = field(default_factory=list)
    reconciliation: list[ReconciliationRow] = field(default_factory=list)
    refused: list[RefusalRow] = field(default_factory=list)
    error: str = ""
    seconds: int = 0

    def verdict(self, refusals_min: int) -> bool:
        """Whether all of it held."""
        return (
            not self.error
            and bool(self.reconciliation)
            and all(row.difference == "0" for row in self.reconciliation)
            and len(self.refused) >= refusals_min
            and all(row.code for row in self.refused)
        )

    def write(self, path: Path, *, ok: bool) -> None:
        """Write the report whole: a reader never sees half of it."""
        invariant(not (ok and self.error), "a report with an error cannot be ok")
        content = {
            "ok": ok,
            "seconds": self.seconds,
            "steps": [asdict(row) for row in self.steps],
            "reconciliation": [asdict(row) for row in self.reconciliation],
            "refused": [asdict(row) for row in self.refused],
        }
        if self.error:
            content["error"] = self.error
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=2) + "\n")
        partial.replace(path)

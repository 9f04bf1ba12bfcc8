"""`python -m tests.bench`: ours, the peer's and the ratio from one run, into .bench/results.json.

Every `bench_*.py` beside this file has `rows()`; name some of them to run only those.
"""

import importlib
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.timing import BenchRow

FOLDER = Path(__file__).parent
RESULTS = FOLDER.parents[1] / ".bench" / "results.json"
MILLISECOND_TENTH_NS = 100_000
MARKS = {True: "yes", False: "NO", None: ""}


def main(names: list[str]) -> int:
    """Run the named benches, or all. A missed aim is shown, not an error: machines differ."""
    console = Console()
    table = Table(title="Ours beside a peer, best of several rounds")
    for heading, justify in (
        ("work", "left"),
        ("ours", "right"),
        ("peer", "left"),
        ("peer's", "right"),
        ("ratio", "right"),
        ("aim", "right"),
        ("reached", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    found: list[BenchRow] = []
    for path in sorted(FOLDER.glob("bench_*.py")):
        if names and path.stem not in names and path.stem.removeprefix("bench_") not in names:
            continue
        with console.status(f"measuring {path.stem}"):
            rows = importlib.import_module(f"tests.bench.{path.stem}").rows()
        found += rows
        for row in rows:
            table.add_row(
                row.work,
                _text(row.ours, row),
                row.peer,
                _text(row.theirs, row),
                f"{row.ratio:.2f}",
                _aim(row),
                MARKS[row.reached],
            )
        table.add_section()
    console.print(table)
    for row in found:
        if row.note:
            console.print(f"{row.work}: {row.note}", highlight=False)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(_report(found), indent=2) + "\n", encoding="utf-8")
    return 0


def _report(rows: list[BenchRow]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "rows": [
            {
                "work": row.work,
                "unit": row.unit,
                "ours": row.ours,
                "peer": row.peer,
                "theirs": row.theirs,
                "ratio": round(row.ratio, 4),
                "aim": row.aim,
                "aim_ratio": row.aim_ratio,
                "reached": row.reached,
                "note": row.note,
            }
            for row in rows
        ],
    }


def _text(value: int, row: BenchRow) -> str:
    if row.unit != "ns":
        return f"{value:,} {row.unit}"
    return f"{value / 1e6:,.3f} ms" if value >= MILLISECOND_TENTH_NS else f"{value / 1e3:,.2f} us"


def _aim(row: BenchRow) -> str:
    parts = []
    if row.aim is not None:
        parts.append(f"<= {_text(row.aim, row)}")
    if row.aim_ratio is not None:
        parts.append(f"<= {row.aim_ratio:g}x")
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

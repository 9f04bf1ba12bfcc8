"""How the story is shown: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from wallet.demo.report import StepRow

_ROWS_SHOWN = 24
"""Rows of the live table: what fits a small terminal."""

_COLOURS = {"refused": "yellow", "failed": "red", "orphaned": "yellow", "killed": "magenta"}


class Screen:
    """Use as a context; `chapter` names what is being done, `row` what came of it."""

    def __init__(self, console: Console, elapsed_s: Callable[[], int]) -> None:
        self._console = console
        self._elapsed_s = elapsed_s
        self._rows: list[StepRow] = []
        self._doing = ""
        self._live = (
            Live(self, console=console, refresh_per_second=8) if console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop moving; what was told stays on the terminal."""
        self._doing = ""
        if self._live:
            self._live.stop()

    def chapter(self, text: str) -> None:
        """Say what happens next."""
        self._doing = text
        if not self._live:
            self._line(f"== {text}")

    def progress(self, text: str) -> None:
        """Say how far a long part is."""
        if self._live:
            self._doing = text
        else:
            self._line(f"   {text}")

    def row(self, row: StepRow) -> None:
        """Add an outcome."""
        self._rows.append(row)
        if not self._live:
            parts = [row.step, row.network, row.asset, row.amount_units, row.status, row.txid]
            self._line("   " + "  ".join(part for part in parts if part))

    def _line(self, text: str) -> None:
        line = f"[{self._elapsed_s():4d}s] {text}"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def __rich__(self) -> RenderableType:
        table = Table(expand=True, title="Glaytos Wallet: the life of money")
        for name in ("step", "network", "asset", "base units", "status", "txid"):
            table.add_column(name, no_wrap=True, overflow="ellipsis")
        for row in self._rows[-_ROWS_SHOWN:]:
            colour = _COLOURS.get(row.status.partition(" ")[0], "green")
            status = Text(row.status, style=colour)
            table.add_row(row.step, row.network, row.asset, row.amount_units, status, row.txid)
        if not self._doing:
            return table
        doing = Spinner("dots", Text(f"{self._elapsed_s()} s  {self._doing}"))
        return Group(table, doing)

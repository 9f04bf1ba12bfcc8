"""`python -m tests.fuzz NAME [libFuzzer options]`: feeds what atheris finds to one decoder.

Every `fuzz_*.py` beside this file has `one_input(data)`, which may raise nothing. A folder given as
an option is the corpus; `-max_total_time=600` ends after ten minutes.
"""

import importlib
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]

NAMES = sorted(path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py"))


def main(name: str, options: list[str]) -> None:
    """Fuzz until told to end; a crash is written to a file and ends with an error."""
    with atheris.instrument_imports():
        target = importlib.import_module(f"tests.fuzz.fuzz_{name}")
    atheris.Setup([sys.argv[0], *options], target.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"expected one of {', '.join(NAMES)}")
    main(sys.argv[1], sys.argv[2:])

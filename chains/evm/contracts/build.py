"""Compile the contracts; run `python -m chains.evm.contracts.build` after a change."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

NAMES = ("Sweeper",)


def compile_contract(source: Path) -> dict[str, object]:
    """Interface and codes of one contract, as the installed compiler makes them.

    `bytecode` is the creation code; `runtime`, as it is deployed, lacks the immutables behind it.
    """
    command = [
        sys.executable,
        "-m",
        "vyper.cli.vyper_compile",
        "--evm-version",
        "cancun",
        "-f",
        "abi,bytecode,bytecode_runtime",
        source.name,
    ]
    # Run beside the source, so that no machine path can enter the output.
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=source.parent)
    abi, bytecode, runtime = done.stdout.strip().splitlines()
    return {
        "contract": source.stem,
        "abi": json.loads(abi),
        "bytecode": bytecode,
        "runtime": runtime,
    }


def main() -> None:
    """Write every artifact."""
    for name in NAMES:
        text = json.dumps(compile_contract(HERE / f"{name}.vy"), indent=1) + "\n"
        (HERE / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

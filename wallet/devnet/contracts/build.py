"""Compile the contracts; run `python -m wallet.devnet.contracts.build` after a change."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

NAMES = ("DevToken", "DevSplitter")


def compile_contract(name: str, folder: Path = HERE) -> dict[str, object]:
    """Interface and creation code of one contract, as the installed compiler makes them."""
    source = folder.joinpath(f"{name}.vy")
    command = [sys.executable, "-m", "vyper.cli.vyper_compile", "-f", "abi,bytecode", source.name]
    # Run beside the source, so that no machine path can enter the output.
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    abi, bytecode = done.stdout.strip().splitlines()
    return {"contract": name, "abi": json.loads(abi), "bytecode": bytecode}


def artifact_path(name: str) -> Path:
    """Where the committed output of one contract is."""
    return HERE.joinpath(f"{name}.json")


def main() -> None:
    """Write every artifact."""
    for name in NAMES:
        text = json.dumps(compile_contract(name), indent=1) + "\n"
        artifact_path(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

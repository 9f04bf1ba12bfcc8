"""`python -m tests.fuzz [--seconds N] [NAME ...]`: each entry point under atheris for a while.

What it finds new is kept in `.cache/fuzz/NAME`, an input that breaks something beside it. With
`--corpus` it only writes the small corpus of real inputs anew.
"""

import argparse
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

from tests.fuzz.targets import CORPUS, HERE, entry_point, names, write_corpus

ROOT = HERE.parents[1]
FOUND = ROOT / ".cache" / "fuzz"
OURS = ["chains", "policies", "signer"]
"""Packages whose branches guide the search."""


def main() -> None:
    """Run what was asked for; exit code 1 if any input broke anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each entry point")
    parser.add_argument("--corpus", action="store_true", help="write the corpus and stop")
    parser.add_argument("--one", action="store_true", help="run NAME in this process")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(names())}; all if none is given")
    asked = parser.parse_args()
    if asked.corpus:
        say(f"{write_corpus()} inputs in {CORPUS.relative_to(ROOT)}")
        return
    if find_spec("atheris") is None:
        sys.exit("got no atheris, expected Python 3.11 on Linux x86-64 and `make fuzz` there")
    if asked.one:
        fuzz(asked.name[0], asked.seconds)
    broken = [name for name in asked.name or names() if not survives(name, asked.seconds)]
    if broken:
        sys.exit(f"broken: {', '.join(broken)}; the inputs are in {FOUND.relative_to(ROOT)}")


def survives(name: str, seconds: int) -> bool:
    """Whether an entry point lived through it, in a process of its own."""
    say(f"{name}, {seconds} s")
    command = [sys.executable, "-m", "tests.fuzz", "--one", "--seconds", str(seconds), name]
    return subprocess.run(command, check=False, cwd=ROOT).returncode == 0


def fuzz(name: str, seconds: int) -> None:
    """Hand this process to atheris; it does not come back."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=OURS):
        one_input = entry_point(name)
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    folders = [str(found), str(CORPUS / name)] if (CORPUS / name).is_dir() else [str(found)]
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=8192"]
    quiet = ["-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={found}-"]
    atheris.Setup([sys.argv[0], *limits, *quiet, *folders], one_input)
    atheris.Fuzz()


def say(line: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"fuzz: {line}\n")


if __name__ == "__main__":
    main()

"""Finding the entry points by name, and the small corpus kept for each.

An entry point is a module `fuzz_<name>.py` with `one_input(data)`, which returns for good bytes and
for bytes that are refused with a typed error, and lets everything else through as a finding. It may
have `seeds()`, real inputs that the corpus is made of.
"""

import hashlib
import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
PREFIX = "fuzz_"

OneInput = Callable[[bytes], None]


def names() -> list[str]:
    """Every entry point."""
    found = (module.name for module in pkgutil.iter_modules([str(HERE)]))
    return sorted(name.removeprefix(PREFIX) for name in found if name.startswith(PREFIX))


def entry_point(name: str) -> OneInput:
    """What takes one input."""
    one_input: OneInput = import_module(f"tests.fuzz.{PREFIX}{name}").one_input
    return one_input


def seeds_of(name: str) -> Iterable[bytes]:
    """Real inputs, or none."""
    module = import_module(f"tests.fuzz.{PREFIX}{name}")
    seeds: Iterable[bytes] = module.seeds() if hasattr(module, "seeds") else ()
    return seeds


def corpus_of(name: str) -> list[bytes]:
    """The inputs kept for an entry point."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def write_corpus() -> int:
    """Write the seeds of every entry point, each named by its content; gives their number."""
    count = 0
    for name in names():
        for seed in seeds_of(name):
            folder = CORPUS / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
            count += 1
    return count

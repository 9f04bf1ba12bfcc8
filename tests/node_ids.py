"""Names of tests as other places write them, and whether they exist."""

import ast
from collections.abc import Iterable
from functools import cache

from tests.conftest import ROOT


def missing_tests(names: Iterable[str]) -> list[str]:
    """Those of `path::function` that no test file defines."""
    return sorted({name for name in names if not _exists(*name.split("::", 1))})


def _exists(path: str, function: str = "") -> bool:
    return function in _functions(path)


@cache
def _functions(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))

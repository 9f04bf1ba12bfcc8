"""Taking one check out of the product at a time: what a test must notice."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getsource
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True, slots=True)
class Site:
    """A place that refuses: `raise Refused(code, ...)` at a line of a function of a module."""

    module: str
    owner: str
    function: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.code}"

    def target(self) -> FunctionType:
        """The function as the product runs it."""
        place: Any = import_module(self.module)
        if self.owner:
            place = getattr(place, self.owner)
        function: FunctionType = getattr(place, self.function)
        return function

    def without(self) -> CodeType:
        """The same function with nothing in place of the refusal."""
        module = import_module(self.module)
        tree = _Remover(self.line).visit(ast.parse(getsource(module)))
        namespace = dict(vars(module))
        exec(compile(ast.fix_missing_locations(tree), self.module, "exec"), namespace)
        place = namespace[self.owner or self.function]
        function: FunctionType = getattr(place, self.function) if self.owner else place
        return function.__code__


class _Remover(ast.NodeTransformer):
    def __init__(self, line: int) -> None:
        self._line = line

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return ast.Pass() if node.lineno == self._line else node


def sites(module: str) -> Iterator[Site]:
    """Every refusal of a module that names its code."""
    tree = ast.parse(getsource(import_module(module)))
    for outer in tree.body:
        inner = outer.body if isinstance(outer, ast.ClassDef) else [outer]
        owner = outer.name if isinstance(outer, ast.ClassDef) else ""
        for function in inner:
            if isinstance(function, ast.FunctionDef):
                for line, code in _refusals(function):
                    yield Site(module, owner, function.name, line, code)


def _refusals(function: ast.FunctionDef) -> Iterator[tuple[int, str]]:
    for node in ast.walk(function):
        match node:
            case ast.Raise(
                exc=ast.Call(func=ast.Name(id="Refused"), args=[ast.Constant(value=str(code)), *_])
            ):
                yield node.lineno, code

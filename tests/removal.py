"""Taking one check out of the product at a time: what a test must notice."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from inspect import getsource
from types import CodeType, FunctionType
from typing import Any


@dataclass(frozen=True, slots=True)
class Site:
    """A place that refuses: a `raise` at a line of a function of a module.

    `code` is the refusal's own, or the name of the error that is raised.
    """

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
        found: Any = inspect.getattr_static(place, self.function)
        function: Any = getattr(found, "__func__", None) or getattr(found, "fget", found)
        inside: FunctionType = inspect.unwrap(function)  # as of a context manager
        return inside

    def without(self) -> CodeType:
        """The same function with nothing in place of the refusal."""
        return self.changed(_Remover(self.line))

    def changed(self, how: ast.NodeTransformer) -> CodeType:
        """The function's code after a change of its module's text; nothing of it is run."""
        tree = how.visit(ast.parse(getsource(import_module(self.module))))
        whole = compile(ast.fix_missing_locations(tree), self.module, "exec")
        return _code_at(whole, self.target().__code__.co_qualname.split("."))


def _code_at(code: CodeType, path: list[str]) -> CodeType:
    for name in path:
        within = [one for one in code.co_consts if isinstance(one, CodeType)]
        code = next(one for one in within if one.co_name == name)
    return code


class _Remover(ast.NodeTransformer):
    def __init__(self, line: int) -> None:
        self._line = line

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return ast.Pass() if node.lineno == self._line else node


def sites(module: str) -> Iterator[Site]:
    """Every refusal of a module that names its code."""
    for owner, function in _functions(module):
        for node in ast.walk(function):
            match node:
                case ast.Raise(
                    exc=ast.Call(
                        func=ast.Name(id="Refused"), args=[ast.Constant(value=str(code)), *_]
                    )
                ):
                    yield Site(module, owner, function.name, node.lineno, code)


def raises(module: str) -> Iterator[Site]:
    """Every place of a module that raises an error of its own making."""
    for owner, function in _functions(module):
        for node in ast.walk(function):
            match node:
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name))):
                    yield Site(module, owner, function.name, node.lineno, name)


def _functions(module: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a module, each with the class that it belongs to, or nothing."""
    for outer in ast.parse(getsource(import_module(module))).body:
        owner = outer.name if isinstance(outer, ast.ClassDef) else ""
        for function in outer.body if isinstance(outer, ast.ClassDef) else [outer]:
            if isinstance(function, ast.FunctionDef):
                yield owner, function

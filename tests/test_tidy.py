"""House rules that no linter knows: sizes, names, and no floating point near money."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("chains", "policies", "signer", "wallet")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
BANNED_WORDS = frozenset({"common", "helper", "helpers", "manager", "misc", "util", "utils"})

# Seconds of waiting are no money, so these may write them as fractions.
SECONDS_ALLOWED = ("wallet/devnet/", "wallet/demo/", "wallet/worker.py", "wallet/cli/devnet.py")
ENVIRONMENT_ALLOWED = ("wallet/settings.py", "chains/utxo/second_parser.py")

Rule = Callable[[str, ast.Module], Iterator[tuple[int, str]]]


def no_floats(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Float literals, `float`, and `/`, unless a text beside it shows that it joins a path."""
    for node in ast.walk(tree):
        match node:
            case ast.BinOp(op=ast.Div()) if not _joins_a_path(node):
                yield node.lineno, "a division by /"
            case ast.AugAssign(op=ast.Div()):
                yield node.lineno, "a division by /"
            case ast.Constant(value=float()) if not path.startswith(SECONDS_ALLOWED):
                yield node.lineno, "a float literal"
            case ast.Name(id="float") if not path.startswith(SECONDS_ALLOWED):
                yield node.lineno, "the type float"


def _joins_a_path(node: ast.expr) -> bool:
    """Whether a text literal stands in a chain of `/`: no number is divided by a text."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)):
        return False
    text = isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)
    return text or isinstance(node.right, ast.JoinedStr) or _joins_a_path(node.left)


def no_call_in_default(_path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A call in a default argument runs once, at import, for everybody."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            defaults = [*node.args.defaults, *node.args.kw_defaults]
            for default in filter(None, defaults):
                # A constructed path is a value, and command lines need it as a default.
                if any(_is_call(inner) for inner in ast.walk(default)):
                    yield default.lineno, "a call in a default argument"


def _is_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return not (isinstance(node.func, ast.Name) and node.func.id == "Path")


def small_functions(_path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """A function fits on a page."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield (
                    node.lineno,
                    f"{node.name} has {lines} lines, {FUNCTION_LINES_MAX} are allowed",
                )


def telling_names(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names that say nothing collect everything."""
    if BANNED_WORDS & set(Path(path).with_suffix("").as_posix().replace("/", "_").split("_")):
        yield 1, "a module name that says nothing"
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name.lower().endswith(tuple(BANNED_WORDS)):
            yield node.lineno, f"the class name {node.name} says nothing"


def no_environment(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Only the settings read the environment."""
    if path in ENVIRONMENT_ALLOWED:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            yield node.lineno, "a look at the environment"


def nothing_left_open(_path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """No stub: what is not built is absent."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in ("NotImplementedError", "NotImplemented"):
            yield node.lineno, "a stub"


def packages_only_re_export(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`__init__.py` holds a docstring and imports."""
    if not path.endswith("__init__.py"):
        return
    for node in tree.body:
        named = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (named or docstring or isinstance(node, ast.Import | ast.ImportFrom)):
            yield node.lineno, "code in a package file"


def documented_modules(_path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module says what it owns."""
    if ast.get_docstring(tree) is None:
        yield 1, "no docstring"


RULES: tuple[Rule, ...] = (
    no_floats,
    no_call_in_default,
    small_functions,
    telling_names,
    no_environment,
    nothing_left_open,
    packages_only_re_export,
    documented_modules,
)


@cache
def sources() -> dict[str, str]:
    found = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
    assert len(found) > len(PACKAGES)
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in found}


@cache
def trees() -> dict[str, ast.Module]:
    return {path: ast.parse(source) for path, source in sources().items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_holds_everywhere(rule: Rule) -> None:
    broken = [
        f"{path}:{line}: {what}"
        for path, tree in trees().items()
        for line, what in rule(path, tree)
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_modules_are_small() -> None:
    sizes = {path: len(source.splitlines()) for path, source in sources().items()}
    broken = [f"{path}: {size}" for path, size in sizes.items() if size > MODULE_LINES_MAX]
    assert not broken, f"more than {MODULE_LINES_MAX} lines:\n" + "\n".join(broken)


PLANTED = (
    (no_floats, "wallet/x.py", "fee = total * 0.1"),
    (no_floats, "wallet/x.py", "fee = total / 2"),
    (no_floats, "wallet/x.py", "total /= 2"),
    (no_floats, "wallet/x.py", "fee = float(text)"),
    (no_floats, "wallet/devnet/x.py", "fee = total / 2"),
    (no_floats, "wallet/x.py", "file = folder / name"),
    (no_call_in_default, "wallet/x.py", "def f(now=time()): ..."),
    (no_call_in_default, "wallet/x.py", "def f(*, rows=[g()]): ..."),
    (no_call_in_default, "wallet/x.py", "f = lambda now=time(): now"),
    (small_functions, "wallet/x.py", "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX),
    (telling_names, "wallet/utils.py", ""),
    (telling_names, "wallet/common/x.py", ""),
    (telling_names, "wallet/address_helpers.py", ""),
    (telling_names, "wallet/x.py", "class KeyManager: ..."),
    (no_environment, "wallet/x.py", "import os\nos.environ['A']"),
    (no_environment, "wallet/x.py", "import os\nos.getenv('A')"),
    (nothing_left_open, "wallet/x.py", "def f():\n    raise NotImplementedError"),
    (packages_only_re_export, "wallet/x/__init__.py", "def f(): ..."),
    (documented_modules, "wallet/x.py", "x = 1"),
)


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED)
def test_rule_finds_a_planted_break(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (no_floats, "fee = total // 2"),
        (no_call_in_default, "def f(folder=Path('.')): ..."),
        (no_floats, "file = root / 'data' / name"),
        (telling_names, "class Accommodation: ..."),
    ],
)
def test_rule_lets_good_code_pass(rule: Rule, source: str) -> None:
    assert not list(rule("wallet/x.py", ast.parse(source)))

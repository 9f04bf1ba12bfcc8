"""Install exactly the locked requirements and this project into `.venv`; standard library only.

    python3 config/requirements/install.py base|online|dev

Every package is checked against the hashes of its lock file. All but those in SOURCES come as
wheels, so that no compiler is needed. Doing it again costs nothing.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LEVELS = ("base", "online", "dev")

PYTHON_MIN = (3, 11)

SOURCES = ("embit",)
"""Published as source only; pure Python, built by the locked setuptools."""

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
"""Fetched only where Python came without pip, from the index that PIP_INDEX_URL names."""


def main() -> None:
    """Bring `.venv` to the wanted level, or say what is missing."""
    if len(sys.argv) != 2 or sys.argv[1] not in LEVELS:
        sys.exit(f"usage: install.py {'|'.join(LEVELS)}")
    if sys.version_info < PYTHON_MIN:
        sys.exit(f"got Python {sys.version.split()[0]}, expected 3.11 or newer (make PYTHON=...)")
    level = sys.argv[1]
    if is_installed(level):
        return
    if not PYTHON.exists():
        say("making .venv")
        run([sys.executable, "-m", "venv", "--without-pip", str(VENV)])
    with tempfile.TemporaryDirectory() as folder:
        pip = find_pip(Path(folder))
        say(f"installing locked packages ({level})")
        install = [*pip, "install", *quiet(), "--no-deps"]
        locked = [*install, "--require-hashes", "--only-binary", ":all:"]
        run([*locked, "-r", str(lock_path("build"))])
        # Sources are built by what the line above installed, never by something fetched unchecked.
        build = ("--no-build-isolation", "--use-pep517")
        run([*locked, "--no-binary", ",".join(SOURCES), *build, "-r", str(lock_path(level))])
        run([*install, *build, "--no-index", "--editable", str(ROOT)])
    stamp_path(level).write_text(fingerprint(level), encoding="utf-8")


def is_installed(level: str) -> bool:
    """Whether this level, or a larger one that holds it, is there in its present version."""
    larger = LEVELS[LEVELS.index(level) :]
    return PYTHON.exists() and any(
        stamp_path(each).is_file()
        and stamp_path(each).read_text(encoding="utf-8") == fingerprint(each)
        for each in larger
    )


def fingerprint(level: str) -> str:
    """Changes when the lock, the project's own metadata or the interpreter changes."""
    parts = (lock_path("build"), lock_path(level), ROOT / "pyproject.toml", Path(__file__))
    digest = hashlib.sha256(repr((sys.version, str(ROOT))).encode())
    for path in parts:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def lock_path(level: str) -> Path:
    """The lock file of a level."""
    return ROOT / "config" / "requirements" / f"{level}.lock"


def stamp_path(level: str) -> Path:
    """Where the fingerprint of what is installed is kept."""
    return VENV / f".installed-{level}"


def find_pip(folder: Path) -> list[str]:
    """A pip that installs into `.venv`, from the first place that has one."""
    target = ["--python", str(PYTHON), "--disable-pip-version-check"]
    if succeeds([str(PYTHON), "-m", "pip", "--version"]):
        return [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if succeeds([str(PYTHON), "-m", "ensurepip", "--version"]):
        run([str(PYTHON), "-m", "ensurepip"])
        return [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    if succeeds([sys.executable, "-m", "pip", *target, "--version"]):
        return [sys.executable, "-m", "pip", *target]
    if os.environ.get("PIP_INDEX_URL"):
        return [str(PYTHON), str(fetch_pip(folder) / "pip"), "--disable-pip-version-check"]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("installing Debian's python3-venv")
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", "-y", "-qq", "python3-venv"])
        return find_pip(folder)
    sys.exit(
        "got no pip, expected one of: Debian's package python3-venv (or python3-pip), "
        "a Python built with ensurepip, or PIP_INDEX_URL naming the package index to fetch it from"
    )


def fetch_pip(folder: Path) -> Path:
    """Fetch the pinned pip wheel and check its hash; the wheel can be run as it is."""
    index = os.environ["PIP_INDEX_URL"].rstrip("/") + "/pip/"
    say("fetching pip")
    try:
        with urllib.request.urlopen(index, timeout=60) as page:
            links = re.findall(r'href="([^"]+)"', page.read().decode("utf-8"))
        link = next(each for each in links if PIP_WHEEL in each)
        with urllib.request.urlopen(urllib.parse.urljoin(index, link), timeout=60) as answer:
            wheel = answer.read()
    except (urllib.error.URLError, StopIteration) as error:
        sys.exit(f"got no {PIP_WHEEL} from PIP_INDEX_URL ({error!r}), expected it there")
    found = hashlib.sha256(wheel).hexdigest()
    if found != PIP_SHA256:
        sys.exit(f"{PIP_WHEEL}: got SHA-256 {found}, expected {PIP_SHA256}")
    path = folder / PIP_WHEEL
    path.write_bytes(wheel)
    return path


def quiet() -> list[str]:
    """Progress for a person, silence for a log."""
    return ["--quiet"] if not sys.stderr.isatty() else []


def succeeds(command: list[str]) -> bool:
    """Whether a command ends well; what it prints does not matter."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def run(command: list[str]) -> None:
    """Run a command and end with its code if it fails."""
    code = subprocess.run(command, check=False, stdout=sys.stderr).returncode
    if code:
        sys.exit(f"got exit code {code} from: {' '.join(command)}")


def say(line: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"setup: {line}\n")


if __name__ == "__main__":
    main()

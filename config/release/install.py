"""Install glaytos-signer from this folder onto a machine without network, or check it again.

    python3 -I install.py --release-key KEY --into FOLDER
    python3 -I install.py --release-key KEY --check FOLDER

KEY is the public release key, 64 hex digits, which must have come to you by another way than this
folder. Only Python's standard library is used, and the modules of `signer/` beside this file.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Neither a compiled file on the stick nor a module from anywhere else.
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from signer.errors import SignerError  # noqa: E402
from signer.release import (  # noqa: E402
    INSTALLED,
    MANIFEST,
    Release,
    check_installed,
    check_launcher,
    check_media,
    fingerprint,
    launcher,
    open_release,
    parse_key,
    this_python,
)


def main() -> None:
    """Check the folder, then install or check; every failure is one line and exit code 1."""
    asked = arguments()
    try:
        release = open_release(HERE, parse_key(asked.release_key))
        files = check_media(release)
        words = HERE.joinpath("words.txt").read_text(encoding="ascii").split()
        say(f"{files} files here are as the release key signed them")
        say(f"release    {release.sha256}")
        say(f"signed by  {fingerprint(release.key, words)}")
        if not asked.yes:
            compared()
        if asked.into is not None:
            install(release, asked.into.absolute())
        target = (asked.into or asked.check).absolute()
        count = check_installed(release, packages_of(target))
        check_launcher(target)
    except SignerError as error:
        sys.exit(f"{error.code}: {error}")
    say(f"{count} installed files in {target} are the released ones")


def arguments() -> argparse.Namespace:
    """What was typed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--release-key", required=True, help="64 hex digits")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--into", type=Path, help="a new folder to install into")
    place.add_argument("--check", type=Path, help="an installation to compare with this folder")
    parser.add_argument("--yes", action="store_true", help="the six words were compared before")
    return parser.parse_args()


def compared() -> None:
    """Go on only if a person has compared the words; anything but a clear yes is no."""
    sys.stdout.write("Are these exactly the six words that you were told? [y/N]: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        sys.exit("stopped: the release key was not confirmed")


def install(release: Release, target: Path) -> None:
    """Make a virtual environment that holds exactly the released files."""
    wanted = HERE.joinpath("PYTHON").read_text(encoding="ascii").strip()
    if wanted != this_python():
        sys.exit(f"got Python {this_python()}, expected {wanted}: the packages are made for it")
    if target.exists():
        sys.exit(f"got {target}, which exists already: name a new folder, or remove it first")
    try:
        fill(release, target)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def fill(release: Release, target: Path) -> None:
    """The steps of `install`; what they leave half done is removed by it."""
    python = target / "bin" / "python"
    say(f"installing into {target}")
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(target)])
    ours = set(python.parent.iterdir())
    (pip,) = HERE.joinpath("pip").glob("*.whl")
    command = [str(python), "-IB", str(pip / "pip"), "--isolated", "--disable-pip-version-check"]
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir"]
    hashed = ["--require-hashes", "--requirement", str(HERE / "requirements.txt")]
    run([*command, "install", *options, "--find-links", str(HERE / "wheels"), *hashed])
    # Other packages bring commands of their own; nobody should run those on this machine.
    for path in set(python.parent.iterdir()) - ours:
        path.unlink()
    started = python.with_name("glaytos-signer")
    started.write_text(launcher(python), encoding="utf-8")
    started.chmod(0o755)
    target.joinpath(INSTALLED).mkdir()
    for name in MANIFEST:
        shutil.copyfile(release.folder / name, target / INSTALLED / name)


def packages_of(target: Path) -> Path:
    """Where a virtual environment keeps its packages."""
    return target / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def run(command: list[str]) -> None:
    """Run a command with nothing of this user's configuration, or end with what it was."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "PIP_CONFIG_FILE": os.devnull}
    code = subprocess.run(command, check=False, env=environment).returncode
    if code:
        sys.exit(f"got exit code {code} from: {' '.join(command)}")


def say(line: str) -> None:
    """One line for the person at the machine."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

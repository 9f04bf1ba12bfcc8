"""Make the folder that goes onto a USB stick for a machine without network.

    python -m config.release.bundle [--out dist/airgap] [--key FILE] [--evidence FILE]

The packages are those of the base lock file, checked against its hashes. `--key` is a file, for its
owner's eyes only, with the release key's 64 hex digits; without it a throw-away key signs, and the
folder is good for trying things out and for nothing else. The same commit and evidence give the
same files.
"""

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from embit.wordlists.bip39 import WORDLIST

from config.release.sbom import Pin, Wheel, pins_of, read_wheel, sbom
from config.requirements.install import (
    PIP_SHA256,
    PIP_WHEEL,
    SOURCES,
    find_pip,
    lock_path,
    quiet,
    succeeds,
)
from signer.protocol import identity_sign, public_key_of
from signer.release import (
    FILES,
    SIGNATURE,
    SUMS,
    check_media,
    fingerprint,
    open_release,
    parse_key,
    this_python,
)

ROOT = Path(__file__).resolve().parents[2]
VERIFIER = ("__init__.py", "ed25519.py", "errors.py", "release.py", "storage.py")
"""Modules of `signer` that the stick carries beside its packages: what checks them."""


def main() -> None:
    """Build beside, check what was built, and rename into place."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "airgap")
    parser.add_argument("--key", type=Path, help="the release key, a file of 64 hex digits")
    parser.add_argument("--evidence", type=Path, default=ROOT / ".cache" / "evidence.json")
    asked = parser.parse_args()
    seed = release_seed(asked.key)
    key = public_key_of(seed)
    part = asked.out.with_name(asked.out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        fill(part, Path(folder), asked.evidence)
    sign(part, seed)
    release = open_release(part, key)
    count = check_media(release)
    shutil.rmtree(asked.out, ignore_errors=True)
    part.replace(asked.out)
    say(f"{count} files in {asked.out}")
    say(f"release     {release.sha256}")
    say(f"release key {key.hex()}")
    say(f"in words    {fingerprint(key, WORDLIST)}")
    if asked.key is None:
        say("WARNING: signed by a throw-away DEVELOPMENT key. Nobody may trust this folder with")
        say("WARNING: money: make it with RELEASE_KEY=FILE.")


def release_seed(path: Path | None) -> bytes:
    """The release key's seed; a new one if there is no file. Ends on a file that others can read.

    Also ends if the checkout holds changes: a release is made of what was reviewed and committed.
    """
    if path is None:
        return os.urandom(32)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        sys.exit(f"got {path} readable by others, expected mode 0600")
    if git("status", "--porcelain", "--untracked-files=no"):
        sys.exit("got a checkout with changes, expected them committed before a release")
    return parse_key(path.read_text(encoding="ascii").strip())


def fill(out: Path, work: Path, evidence: Path) -> None:
    """Everything but the list of hashes and its signature."""
    pins = shipped_pins()
    parts = fetched(pins, out / "wheels", work)
    product = our_wheel(out / "wheels", work)
    fetch_pip_wheel(out / "pip", work)
    out.joinpath("signer").mkdir()
    for name in VERIFIER:
        shutil.copyfile(ROOT / "signer" / name, out / "signer" / name)
    here = Path(__file__).parent
    shutil.copyfile(here / "install.py", out / "install.py")
    told = (here / "INSTALL.txt").read_text(encoding="utf-8")
    write(out / "INSTALL.txt", told.replace("@PYTHON@", this_python()))
    write(out / "PYTHON", this_python() + "\n")
    write(out / "words.txt", "\n".join(WORDLIST) + "\n")
    wheels = sorted([product, *parts], key=lambda wheel: wheel.name)
    write(out / "requirements.txt", "".join(map(requirement, wheels)))
    write(out / FILES, listing(installed_files(wheels)))
    document = sbom(product, parts, pins, committed_at().strftime("%Y-%m-%dT%H:%M:%SZ"))
    write(out / "sbom.cdx.json", json.dumps(document, indent=1, sort_keys=True) + "\n")
    if evidence.is_file():
        shutil.copyfile(evidence, out / "evidence.json")


def shipped_pins() -> dict[str, Pin]:
    """The base lock without what only builds packages."""
    tools = pins_of(lock_path("build").read_text(encoding="utf-8"))
    base = pins_of(lock_path("base").read_text(encoding="utf-8"))
    return {name: pin for name, pin in base.items() if name not in tools}


def fetched(pins: Mapping[str, Pin], folder: Path, work: Path) -> list[Wheel]:
    """The locked packages as wheels; each one's hash is compared with the lock once more."""
    say("fetching the locked packages")
    wanted = work / "shipped.lock"
    write(wanted, "\n".join(pin.text for pin in pins.values()) + "\n")
    locked = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    build = ["--no-binary", ",".join(SOURCES), "--no-build-isolation", "--use-pep517"]
    pip(work, "wheel", *locked, *build, "--wheel-dir", str(folder), "-r", str(wanted))
    wheels = [read_wheel(path) for path in sorted(folder.iterdir())]
    for wheel in wheels:
        pin = pins.get(wheel.name)
        if pin is None or pin.version != wheel.version:
            sys.exit(f"got {wheel.path.name}, expected only what the lock file names")
        if wheel.sha256 not in pin.hashes and wheel.name not in SOURCES:
            sys.exit(f"got {wheel.path.name} of another hash than the lock file's")
    return wheels


def our_wheel(folder: Path, work: Path) -> Wheel:
    """Our own wheel, of the files that git knows."""
    source = work / "source"
    for name in git("ls-files", "-z").split("\0"):
        if name and ROOT.joinpath(name).is_file():
            source.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--use-pep517"]
    pip(work, "wheel", *options, "--wheel-dir", str(work / "ours"), str(source))
    (built,) = work.joinpath("ours").iterdir()
    return read_wheel(Path(shutil.copy(built, folder)))


def fetch_pip_wheel(folder: Path, work: Path) -> None:
    """The pinned pip, so that the machine needs none."""
    version = PIP_WHEEL.split("-")[1]
    wanted = work / "pip.lock"
    write(wanted, f"pip=={version} --hash=sha256:{PIP_SHA256}\n")
    pip(work, "download", "--no-deps", "--require-hashes", "-d", str(folder), "-r", str(wanted))


def installed_files(wheels: Sequence[Wheel]) -> dict[str, str]:
    """SHA-256 of every file that the wheels put beside each other, by its path there."""
    hashes = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            for name in archive.namelist():
                place = installed_name(name)
                if place:
                    hashes[place] = hashlib.sha256(archive.read(name)).hexdigest()
    return hashes


def installed_name(name: str) -> str:
    """Where a wheel's file is installed, or nothing: man pages, commands, and what pip rewrites."""
    head, _, rest = name.partition("/")
    if name.endswith((".dist-info/RECORD", "/")):
        return ""
    if not head.endswith(".data"):
        return name
    scheme, _, inner = rest.partition("/")
    return inner if scheme in ("purelib", "platlib") else ""


def sign(out: Path, seed: bytes) -> None:
    """Write the list of hashes and the signature over it."""
    names = [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()]
    sums = {name: hashlib.sha256(out.joinpath(name).read_bytes()).hexdigest() for name in names}
    text = listing(sums).encode()
    out.joinpath(SUMS).write_bytes(text)
    out.joinpath(SIGNATURE).write_bytes(identity_sign(seed, text))


def listing(hashes: Mapping[str, str]) -> str:
    """Lines as `sha256sum` writes and checks them."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))


def requirement(wheel: Wheel) -> str:
    """A line that installs exactly this wheel."""
    return f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n"


def committed_at() -> datetime:
    """When the present commit was made."""
    return datetime.fromtimestamp(int(git("log", "-1", "--format=%ct")), tz=UTC)


def git(*arguments: str) -> str:
    """What git says about this checkout."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def pip(work: Path, *arguments: str) -> None:
    """Run pip, or end with its code."""
    own = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = own if succeeds([*own, "--version"]) else find_pip(work)
    dated = {**os.environ, "SOURCE_DATE_EPOCH": str(int(committed_at().timestamp()))}
    command = [*command, *arguments, *quiet()]
    done = subprocess.run(command, check=False, stdout=sys.stderr, env=dated)
    if done.returncode:
        sys.exit(f"got exit code {done.returncode} from pip {arguments[0]}")


def write(path: Path, text: str) -> None:
    """A text file of the bundle."""
    path.write_text(text, encoding="utf-8")


def say(line: str) -> None:
    """One line of progress."""
    sys.stderr.write(f"bundle: {line}\n")


if __name__ == "__main__":
    main()

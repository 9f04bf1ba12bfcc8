"""The folder for a USB stick: its instructions are followed word by word without any network."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, skip_or_fail

pytestmark = pytest.mark.xdist_group("airgap")
"""One worker makes the bundle, for all of these."""

MADE = re.compile(r"release key ([0-9a-f]{64})\nbundle: in words +(.*)\n")


@dataclass(frozen=True)
class Stick:
    """A bundle, the key that signed it, and the key's words."""

    folder: Path
    key: str
    words: str

    def steps(self) -> list[str]:
        """The commands of INSTALL.txt."""
        told = (self.folder / "INSTALL.txt").read_text()
        return [line.strip()[2:] for line in told.splitlines() if line.startswith("    $ ")]


@pytest.fixture(scope="module")
def stick(tmp_path_factory: pytest.TempPathFactory) -> Stick:
    folder = tmp_path_factory.mktemp("usb") / "airgap"
    command = [sys.executable, "-m", "config.release.bundle", "--out", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if "pip wheel" in done.stderr:
        skip_or_fail(f"the locked packages cannot be fetched: {done.stderr[-500:]}")
    assert 0 == done.returncode, done.stderr[-3000:]
    assert "DEVELOPMENT key" in done.stderr
    made = MADE.search(done.stderr)
    assert made is not None, done.stderr
    return Stick(folder, made[1], made[2])


@dataclass(frozen=True)
class Machine:
    """A person's home on a machine without network: nothing but the operating system."""

    home: Path
    stick: Stick

    @property
    def command(self) -> str:
        return str(self.home / "signer" / "bin" / "glaytos-signer")

    def follow(self, step: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run one line of a shell in a network namespace without interfaces."""
        env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:" + str(Path(sys.base_prefix) / "bin"),
            "HOME": str(self.home),
            "STICK": str(self.stick.folder),
            "KEY": self.stick.key,
            "DIR": str(self.home / "signer"),
        }
        # A session of its own has no terminal, so that passphrases are read from `typed`.
        return subprocess.run(
            ["unshare", "-rn", "sh", "-euc", step], capture_output=True, text=True, check=False,
            cwd=self.stick.folder, env=env, input=typed, timeout=200, start_new_session=True,
        )  # fmt: skip


@pytest.fixture
def machine(stick: Stick, tmp_path: Path) -> Machine:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False).returncode:
        skip_or_fail("this machine makes no network namespaces")
    if shutil.which("openssl") is None:
        skip_or_fail("this machine has no openssl")
    return Machine(tmp_path, stick)


def test_the_instructions_lead_to_a_working_signer(machine: Machine, stick: Stick) -> None:
    checked, keyed, verified, installed, selfchecked, made, compared = stick.steps()
    for step in (checked, keyed):
        done = machine.follow(step)
        assert 0 == done.returncode, done.stderr
    assert "Signature Verified Successfully" in machine.follow(verified).stdout

    told = machine.follow(installed, typed="y\n")
    assert 0 == told.returncode, told.stdout + told.stderr
    assert stick.words in told.stdout

    answer = machine.follow(selfchecked)
    assert 0 == answer.returncode, answer.stdout + answer.stderr
    assert "FAIL" not in answer.stdout
    assert f"signed by {stick.words}" in answer.stdout

    rolls = "".join(str(1 + byte % 6) for byte in os.urandom(120))
    (machine.home / "dice.txt").write_text(rolls)
    home = machine.follow(made, typed="a long passphrase\na long passphrase\n")
    assert 0 == home.returncode, home.stdout + home.stderr
    assert "fingerprint: " in home.stdout
    assert "are the released ones" in machine.follow(compared, typed="y\n").stdout
    assert {"glaytos-signer", "python", "python3"} == {
        path.name
        for path in (machine.home / "signer" / "bin").iterdir()
        if not path.name.lower().startswith(("activate", "python3."))
    }
    assert not list(machine.home.rglob("*.pyc"))

    packages = next((machine.home / "signer" / "lib").glob("python*")) / "site-packages"
    engine = packages / "signer" / "engine.py"
    engine.write_bytes(engine.read_bytes() + b"\n# changed\n")
    for step in (selfchecked, compared):
        noticed = machine.follow(step, typed="y\n")
        assert 1 == noticed.returncode
        assert "release.file_changed: got another signer/engine.py" in noticed.stderr


def test_words_that_were_not_confirmed_install_nothing(machine: Machine, stick: Stick) -> None:
    done = machine.follow(stick.steps()[3], typed="\n")

    assert 1 == done.returncode
    assert "not confirmed" in done.stderr
    assert not (machine.home / "signer").exists()


def test_a_changed_stick_is_noticed_by_both_checks(
    machine: Machine, stick: Stick, tmp_path: Path
) -> None:
    copy = Stick(tmp_path / "copy", stick.key, stick.words)
    shutil.copytree(stick.folder, copy.folder)
    wheel = next((copy.folder / "wheels").glob("coincurve*"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    changed = Machine(tmp_path, copy)
    checked, _, _, installed, *_ = copy.steps()

    assert 0 != changed.follow(checked).returncode
    done = changed.follow(installed, typed="y\n")
    assert 1 == done.returncode
    assert "release.file_changed: got another wheels/coincurve" in done.stderr
    assert not (tmp_path / "signer").exists()


def test_the_bill_of_materials_names_every_wheel(stick: Stick) -> None:
    document = json.loads((stick.folder / "sbom.cdx.json").read_text())
    wheels = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (stick.folder / "wheels").iterdir()
    }
    components = [document["metadata"]["component"], *document["components"]]

    assert ("CycloneDX", "1.6", 1) == (
        document["bomFormat"],
        document["specVersion"],
        document["version"],
    )
    assert wheels == {one["hashes"][0]["content"] for one in components}
    for one in components:
        assert one["purl"] == f"pkg:pypi/{one['name']}@{one['version']}" == one["bom-ref"]
        assert one["licenses"], one["name"]
    edges = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert set(edges) == {one["bom-ref"] for one in components}
    (ours,) = [ref for ref in edges if "glaytos-wallet" in ref]
    assert {"coincurve", "embit", "typer"} <= {
        ref.partition("@")[0].removeprefix("pkg:pypi/") for ref in edges[ours]
    }


def test_everything_fetched_is_what_the_lock_file_names(stick: Stick) -> None:
    lock = (ROOT / "config" / "requirements" / "base.lock").read_text()
    for line in (stick.folder / "requirements.txt").read_text().splitlines():
        pin, _, sha256 = line.partition(" --hash=sha256:")
        if not pin.startswith(("glaytos-wallet==", "embit==")):
            assert pin in lock
            assert sha256 in lock


def test_only_what_runs_is_shipped(stick: Stick) -> None:
    files = (stick.folder / "FILES").read_text()

    assert "  signer/engine.py\n" in files
    for builds_only in ("  setuptools/", "  pip/", ".pth\n", ".pyc\n"):
        assert builds_only not in files
    assert not any(os.sep + ".git" in line for line in files.splitlines())

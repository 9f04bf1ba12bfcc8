"""What each package may load, asked of fresh processes; import-linter asks the source."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT, skip_or_fail

ONLINE_MODULES = (
    "aiohttp",
    "bitcoinlib",
    "http.client",
    "httpx",
    "requests",
    "sqlalchemy",
    "sqlite3",
    "ssl",
    "urllib.request",
    "urllib3",
    "web3",
)

PROBE = """
import json, runpy, sys
sys.argv = ["glaytos-signer", *sys.argv[1:]]
try:
    runpy.run_module("signer", run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
else:
    code = 0
sys.stderr.write(json.dumps({"code": code, "modules": sorted(sys.modules)}))
"""


def run(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run from a folder that holds no code, so that only what is installed can be found."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=home, env=env, timeout=120
    )


@pytest.mark.parametrize("arguments", [("selfcheck",), ("--help",), ("sign", "--help")])
def test_signer_loads_no_network_or_database(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run([sys.executable, "-c", PROBE, *arguments], tmp_path)
    seen = json.loads(done.stderr.splitlines()[-1])
    assert seen["code"] in (0, None), done.stdout + done.stderr
    assert not set(ONLINE_MODULES) & set(seen["modules"])


def test_probe_sees_what_is_loaded(tmp_path: Path) -> None:
    planted = PROBE.replace("import json", "import http.client, json", 1)
    done = run([sys.executable, "-c", planted, "selfcheck"], tmp_path)
    assert "http.client" in json.loads(done.stderr.splitlines()[-1])["modules"]


def test_signer_works_without_any_interface(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"], check=False).returncode:
        skip_or_fail("this machine makes no network namespaces")
    done = run([unshare, "-rn", sys.executable, "-m", "signer", "selfcheck"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_policies_load_nothing_of_ours(tmp_path: Path) -> None:
    names = "json.dumps(sorted(sys.modules))"
    done = run([sys.executable, "-c", f"import json, sys, policies; print({names})"], tmp_path)
    loaded = set(json.loads(done.stdout))
    assert not {"chains", "signer", "wallet", "socket", "sqlalchemy", "random"} & loaded


def test_every_signer_module_is_protected() -> None:
    """A new signer module must be named in the contract that hides it from the wallet."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = config["tool"]["importlinter"]["contracts"]
    walls = [each for each in contracts if each["id"] in ("signer-face", "hosted-face")]
    listed = [module for wall in walls for module in wall["protected_modules"]]
    found = {
        f"signer.{path.stem}"
        for path in (ROOT / "signer").iterdir()
        if path.suffix == ".py" or path.joinpath("__init__.py").is_file()
    }
    open_to_wallet = {"signer.__init__", "signer.__main__", "signer.errors", "signer.protocol"}
    assert sorted(listed) == sorted(found - open_to_wallet)


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-3000:]

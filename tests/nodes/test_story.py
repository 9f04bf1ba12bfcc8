"""The whole life of money on real nodes, as `make demo` plays it, judged by its report."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, skip_or_fail
from wallet.devnet.errors import DevnetMissing
from wallet.devnet.install import find_node_js

ASSETS = {"BTC", "LTC", "ETH", "DUSD", "DGLD"}
REFUSALS = {
    "wrong-network address",
    "export short of quorum",
    "approval short of quorum",
    "tampered PSBT change",
    "fee over cap",
    "replayed request",
}
TIMEOUT_S = 900


@pytest.mark.timeout(TIMEOUT_S + 60)
@pytest.mark.xdist_group("story")
def test_the_whole_life_of_money_holds(tmp_path: Path) -> None:
    try:
        find_node_js()
    except DevnetMissing as error:
        skip_or_fail(str(error))
    folder = tmp_path / "demo"
    log = tmp_path / "demo.log"
    # Into a file: a pipe would be held open by nodes and signers that outlive a killed demo.
    with log.open("wb") as output:
        played = subprocess.run(
            [sys.executable, "-m", "wallet", "demo", "--dir", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=TIMEOUT_S,
            check=False,
        )

    assert played.returncode == 0, log.read_text()[-3000:]
    report = json.loads((folder / "report.json").read_text())
    assert report["ok"] is True
    assert {row["asset"]: row["difference"] for row in report["reconciliation"]} == dict.fromkeys(
        ASSETS, "0"
    )
    assert {row["what"] for row in report["refused"]} >= REFUSALS
    done = {(row["step"], row["asset"]) for row in report["steps"] if row["txid"]}
    assert done >= {("deposit", asset) for asset in ASSETS}
    assert done >= {("withdrawal", asset) for asset in ASSETS}
    assert done >= {("canary", asset) for asset in ASSETS}
    assert any("addresses emptied by 1 transaction" in row["status"] for row in report["steps"])
    assert done >= {("sweep to cold", asset) for asset in ASSETS}
    assert done >= {("refill from cold", asset) for asset in ("BTC", "DUSD")}
    assert ("crash", "BTC") in done

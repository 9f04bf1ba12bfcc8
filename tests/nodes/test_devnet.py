"""The development chains themselves: faucet, miner, reorganisations, contracts, clean end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embit import bech32

from wallet.devnet.contracts.build import NAMES, artifact_path, compile_contract
from wallet.devnet.devnet import Devnet
from wallet.devnet.errors import DevnetError, DevnetRunning, DevnetStopped, NodeRefused
from wallet.devnet.install import silent
from wallet.devnet.nodes import BITCOIN, ETHEREUM, LITECOIN, LITECOIN_CORE
from wallet.devnet.processes import is_running, start_mark
from wallet.devnet.state import read_state
from wallet.settings import cache_dir

UTXO_NETWORKS = (BITCOIN, LITECOIN, LITECOIN_CORE)
PAYEE = "0x1212121212121212121212121212121212121212"
WAIT_S = 240


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, and fail when it never comes."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "the condition never came"
        os.sched_yield()


def running(chains: Devnet, network: str) -> str:
    """Skip where this machine has no such node."""
    if network not in chains.networks:
        pytest.skip("litecoind is not installed")
    return network


def address(number: int) -> str:
    return str(bech32.encode("bcrt", 0, number.to_bytes(20, "big")))


@pytest.mark.parametrize("network", UTXO_NETWORKS)
def test_faucet_pays_several_outputs(devnet: Devnet, network: str) -> None:
    running(devnet, network)
    txid = devnet.fund_many(network, [(address(1), 70_000), (address(2), 80_000)])
    block = devnet.mine(network)[0]
    found: Any = devnet.rpc(network, "getrawtransaction", txid, True)
    assert found["blockhash"] == block
    scripts = [output["scriptPubKey"]["hex"] for output in found["vout"]]
    assert scripts[0] == "0014" + (1).to_bytes(20, "big").hex()


@pytest.mark.parametrize("network", UTXO_NETWORKS)
def test_reorg_loses_only_what_is_dropped(devnet: Devnet, network: str) -> None:
    running(devnet, network)
    lost = devnet.fund(network, "", address(3), 90_000)
    kept = devnet.fund(network, "", address(4), 90_000)
    old = devnet.mine(network, 2)
    new = devnet.reorg(network, 2, [lost])
    assert len(new) == 3 and not set(old) & set(new)
    assert devnet.rpc(network, "getbestblockhash") == new[-1]
    devnet.mine(network)
    assert devnet.rpc(network, "gettxout", kept, 0, True) is not None
    assert devnet.rpc(network, "gettxout", lost, 0, True) is None


def test_litecoind_has_mweb_blocks(devnet: Devnet) -> None:
    running(devnet, LITECOIN_CORE)
    tip = devnet.rpc(LITECOIN_CORE, "getbestblockhash")
    block: Any = devnet.rpc(LITECOIN_CORE, "getblock", tip, 2)
    # Flag 8 of the extended serialisation marks the HogEx transaction.
    assert block["tx"][-1]["hex"][8:12] == "0008"


def test_drop_of_a_foreign_payment_is_refused(devnet: Devnet) -> None:
    with pytest.raises(DevnetError, match="expected a payment of the faucet"):
        devnet.reorg(BITCOIN, 1, ["00" * 32])


@pytest.mark.parametrize("text", ["", "bcrt1qxyz", "ltc1qxyz", PAYEE, address(1).upper() + "q"])
def test_faucet_refuses_what_is_no_test_address(devnet: Devnet, text: str) -> None:
    with pytest.raises(DevnetError, match="expected one of a test network"):
        devnet.fund(BITCOIN, "BTC", text, 1)


def test_evm_reorg_loses_only_what_is_dropped(devnet: Devnet) -> None:
    lost = devnet.fund(ETHEREUM, "ETH", PAYEE, 10)
    kept = devnet.fund(ETHEREUM, "DUSD", PAYEE, 11)
    devnet.mine(ETHEREUM)
    devnet.reorg(ETHEREUM, 1, [lost])
    assert devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", lost) is None
    receipt: Any = devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", kept)
    assert receipt["status"] == "0x1" and len(receipt["logs"]) == 1


def test_splitter_pays_from_inside_a_contract(devnet: Devnet) -> None:
    payees = ["0x" + "a1" * 20, "0x" + "a2" * 20]
    devnet.fund_from_contract(payees, 77)
    devnet.fund_in_vain(payees[0], 99)
    devnet.mine(ETHEREUM)
    for payee in payees:
        assert devnet.rpc(ETHEREUM, "eth_getBalance", payee, "latest") == hex(77)


def test_deployed_safe_has_its_owners(devnet: Devnet) -> None:
    owners = ["0x" + digit * 40 for digit in "345"]
    safe = devnet.deploy_safe(owners, 2)
    get_owners, get_threshold = "0xa0e67e2b", "0xe75235b8"
    answer = devnet.rpc(ETHEREUM, "eth_call", {"to": safe, "data": get_owners}, "latest")
    assert all(owner[2:] in str(answer) for owner in owners)
    answer = devnet.rpc(ETHEREUM, "eth_call", {"to": safe, "data": get_threshold}, "latest")
    assert int(str(answer), 16) == 2


def test_unknown_names_are_refused(devnet: Devnet) -> None:
    with pytest.raises(DevnetError, match="expected one of bitcoin-regtest"):
        devnet.mine("bitcoin")
    with pytest.raises(DevnetError, match="expected one of ETH, DUSD, DGLD"):
        devnet.fund(ETHEREUM, "USDX", PAYEE, 1)
    with pytest.raises(DevnetError, match="40 hex digits"):
        devnet.fund(ETHEREUM, "ETH", "0x12", 1)
    with pytest.raises(DevnetError, match="at least 1"):
        devnet.mine(BITCOIN, 0)
    with pytest.raises(NodeRefused):
        devnet.rpc(BITCOIN, "no_such_question")


def test_second_start_in_one_folder_is_refused(devnet: Devnet) -> None:
    with pytest.raises(DevnetRunning):
        Devnet.up(devnet.root, silent, cache_dir=cache_dir())
    assert Devnet.attach(devnet.root).url(BITCOIN) == devnet.url(BITCOIN)


@pytest.mark.parametrize("name", NAMES)
def test_committed_contracts_are_what_the_compiler_makes(name: str) -> None:
    pytest.importorskip("vyper")
    assert json.loads(artifact_path(name).read_text(encoding="utf-8")) == compile_contract(name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(devnet: Devnet, tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends `devnet up`, its nodes end too; an orderly end also removes their data."""
    del devnet  # Only so that programs are installed by now, or this is skipped.
    only = ["--network", BITCOIN, "--network", ETHEREUM]
    command = [sys.executable, "-m", "wallet", "devnet", "up", "--dir", str(tmp_path), *only]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_as_in_a_terminal,  # noqa: PLW1509
    ) as keeper:
        until(lambda: tmp_path.joinpath("devnet.json").is_file())
        nodes = read_state(tmp_path).networks.values()
        assert all(is_running(node.pid, node.started) for node in nodes)
        keeper.send_signal(number)
        keeper.communicate(timeout=WAIT_S)
    until(lambda: not any(start_mark(node.pid) == node.started for node in nodes))
    with pytest.raises(DevnetStopped):
        Devnet.attach(tmp_path)
    if number is not signal.SIGKILL:
        assert list(tmp_path.iterdir()) == []


def _as_in_a_terminal() -> None:
    """What runs in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

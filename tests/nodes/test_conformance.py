"""What the pinned node versions answer, held against what we read: an upgrade shows itself here."""

from typing import Any

import pytest

from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import BITCOIN, ETHEREUM, LITECOIN, LITECOIN_CORE

EVM_BLOCK = {"number", "hash", "parentHash", "timestamp", "logsBloom", "baseFeePerGas"}
EVM_TRANSACTION = {"hash", "transactionIndex", "from", "to", "value", "input"}
EVM_RECEIPT = {
    "transactionHash",
    "blockHash",
    "status",
    "gasUsed",
    "effectiveGasPrice",
    "logs",
}
UTXO_INFO = {"chain", "blocks", "headers", "bestblockhash"}


def asked(devnet: Devnet, network: str, method: str, *params: object) -> Any:
    return devnet.rpc(network, method, *params)


def test_the_pinned_evm_node_answers_what_we_read(devnet: Devnet) -> None:
    devnet.fund(ETHEREUM, "DUSD", "0x" + "0a" * 20, 5)
    (name,) = devnet.mine(ETHEREUM)
    block = asked(devnet, ETHEREUM, "eth_getBlockByHash", name, True)
    (receipt,) = asked(devnet, ETHEREUM, "eth_getBlockReceipts", name)

    assert asked(devnet, ETHEREUM, "web3_clientVersion").startswith("anvil/")
    assert set(block) >= EVM_BLOCK
    assert set(block["transactions"][0]) >= EVM_TRANSACTION
    assert set(receipt) >= EVM_RECEIPT
    assert set(receipt["logs"][0]) >= {"address", "topics", "data"}
    assert (receipt["status"], block["hash"]) == ("0x1", name)


@pytest.mark.parametrize(
    ("network", "version"),
    [
        (BITCOIN, "bcoin:v1.0.2"),
        (LITECOIN, "bcoin:v1.0.0-beta.15"),
        (LITECOIN_CORE, "LitecoinCore:0.21"),
    ],
)
def test_the_pinned_utxo_nodes_answer_what_we_read(
    devnet: Devnet, network: str, version: str
) -> None:
    if network not in devnet.networks:
        pytest.skip(f"{network} does not run on this machine")
    info = asked(devnet, network, "getblockchaininfo")
    name = info["bestblockhash"]

    assert version in asked(devnet, network, "getnetworkinfo")["subversion"]
    assert set(info) >= UTXO_INFO
    header = asked(devnet, network, "getblockheader", name, False)
    assert isinstance(header, str) and len(bytes.fromhex(header)) == 80
    raw = asked(devnet, network, "getblock", name, False)
    assert isinstance(raw, str) and raw.startswith(header)
    assert asked(devnet, network, "getblockhash", info["blocks"]) == name
    assert asked(devnet, network, "getblockheader", name, True)["height"] == info["blocks"]

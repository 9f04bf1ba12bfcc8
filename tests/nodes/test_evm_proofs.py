"""Blocks of a real node prove themselves, and a node that lies about one is found out."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from eth_account import Account

from chains.errors import UnexpectedAnswer
from chains.evm import proofs
from chains.evm.addresses import checksum
from chains.evm.chain import EvmChain
from chains.evm.erc20 import transfer_calldata
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from tests.nodes.test_evm_chain import Watching
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM

PAYEE = b"\x77" * 20
ETHER = 10**18
GWEI = 10**9

Lie = Callable[[dict[str, Any], list[dict[str, Any]]], None]


class LyingNode(EvmNode):
    """Changes blocks and receipts on their way from the real node."""

    def __init__(self, url: str, lie: Lie) -> None:
        super().__init__(url)
        self._lie = lie
        self._block: dict[str, Any] = {}

    def call(self, method: str, *params: object) -> Any:
        """The node's answer, changed."""
        answer = deepcopy(super().call(method, *params))
        if method == "eth_getBlockByHash" and params[1] is True:
            self._lie(answer, [])
        elif method == "eth_getBlockReceipts":
            self._lie({"transactions": [{}], "withdrawals": []}, answer)
        return answer


def _block(change: Callable[[dict[str, Any]], object]) -> Lie:
    def lie(block: dict[str, Any], receipts: list[dict[str, Any]]) -> None:
        if not receipts:
            change(block)

    return lie


def _receipts(change: Callable[[dict[str, Any]], object]) -> Lie:
    def lie(_: dict[str, Any], receipts: list[dict[str, Any]]) -> None:
        for receipt in receipts:
            change(receipt)

    return lie


def _more_tokens(receipt: dict[str, Any]) -> None:
    for log in receipt["logs"]:
        log["data"] = "0x" + "01" * 32


def _withdraw(block: dict[str, Any]) -> None:
    entry = {"index": "0x1", "validatorIndex": "0x1", "address": "0x" + PAYEE.hex()}
    block["withdrawals"] = [{**entry, "amount": hex(32 * GWEI)}]


LIES: dict[str, Lie] = {
    "more ether": _block(lambda block: block["transactions"][0].update(value=hex(900 * ETHER))),
    "another payee": _block(lambda block: block["transactions"][0].update(to="0x" + "78" * 20)),
    "another txid": _block(lambda block: block["transactions"][0].update(hash="0x" + "79" * 32)),
    "a transaction less": _block(lambda block: block["transactions"].pop()),
    "a validator's withdrawal": _block(_withdraw),
    "another state": _block(lambda block: block.update(stateRoot="0x" + "02" * 32)),
    "another root of receipts": _block(lambda block: block.update(receiptsRoot="0x" + "01" * 32)),
    "a failure that succeeded": _receipts(lambda receipt: receipt.update(status="0x0")),
    "more gas": _receipts(lambda receipt: receipt.update(cumulativeGasUsed="0x1")),
    "more tokens": _receipts(_more_tokens),
    "an unknown kind": _receipts(lambda receipt: receipt.update(type="0x7e")),
}


@pytest.fixture(scope="module")
def block_hash(devnet: Devnet) -> str:
    """A block with a legacy, an EIP-2930, an EIP-1559 and a token transaction."""
    person = Account.create()
    devnet.fund(ETHEREUM, "ETH", person.address, 10 * ETHER)
    devnet.fund(ETHEREUM, "DUSD", person.address, 5_000_000)
    devnet.mine(ETHEREUM)
    fees = {"gas": 100_000, "chainId": 31337}
    price, dynamic = (
        {"gasPrice": 50 * GWEI},
        {
            "maxFeePerGas": 50 * GWEI,
            "maxPriorityFeePerGas": GWEI,
        },
    )
    listed = [{"address": checksum(PAYEE), "storageKeys": ["0x" + "00" * 32]}]
    token = devnet.contracts.tokens["DUSD"]
    made: list[dict[str, Any]] = [
        {"to": checksum(PAYEE), "value": ETHER, **price},
        {"to": checksum(PAYEE), "value": 1, "type": 1, "accessList": listed, **price},
        {"to": checksum(PAYEE), "value": 0, "type": 2, "accessList": listed, **dynamic},
        {"to": token, "value": 0, "data": transfer_calldata(PAYEE, 7), **dynamic},
    ]
    for nonce, fields in enumerate(made):
        signed = person.sign_transaction({"nonce": nonce, **fees, **fields})
        devnet.rpc(ETHEREUM, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    devnet.mine(ETHEREUM)
    top: Any = devnet.rpc(ETHEREUM, "eth_getBlockByNumber", "latest", True)
    assert len(top["transactions"]) == len(made)
    return str(top["hash"])


def test_an_honest_block_is_scanned(devnet: Devnet, block_hash: str) -> None:
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)))
    answer: Any = devnet.rpc(ETHEREUM, "eth_getBlockByHash", block_hash, False)
    found = chain.scan(chain.block_at(int(answer["number"], 16)), Watching(frozenset({PAYEE})))
    chain.close()

    assert sorted(inflow.units for inflow in found.inflows) == [1, ETHER]


@pytest.mark.parametrize("name", LIES)
def test_a_lie_about_a_block_is_found(devnet: Devnet, block_hash: str, name: str) -> None:
    chain = EvmChain(BUILTIN[ETHEREUM], LyingNode(devnet.url(ETHEREUM), LIES[name]))
    answer: Any = devnet.rpc(ETHEREUM, "eth_getBlockByHash", block_hash, False)
    block = chain.block_at(int(answer["number"], 16))
    with pytest.raises(UnexpectedAnswer):
        chain.scan(block, Watching(frozenset({PAYEE})))
    chain.close()


def test_every_block_of_the_node_proves_itself(devnet: Devnet) -> None:
    top = int(str(devnet.rpc(ETHEREUM, "eth_blockNumber")), 16)
    for height in range(max(0, top - 50), top + 1):
        block: Any = devnet.rpc(ETHEREUM, "eth_getBlockByNumber", hex(height), True)
        receipts = devnet.rpc(ETHEREUM, "eth_getBlockReceipts", block["hash"])
        proofs.check_header(block, block["hash"][2:])
        proofs.check_contents(block)
        proofs.check_receipts(block, receipts)

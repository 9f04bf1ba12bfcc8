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
from chains.evm.lies import (
    WrongBalance,
    WrongContents,
    WrongCosts,
    WrongHeader,
    WrongProof,
    WrongReceipts,
)
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.ports import FinalityTags
from chains.types import FinalityTag
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


def _no_log(receipt: dict[str, Any]) -> None:
    receipt["logs"] = receipt["logs"][:-1]


def _no_log_and_bloom(receipt: dict[str, Any]) -> None:
    """A node that forgets an event would also have to forget it in the header."""
    _no_log(receipt)
    receipt["logsBloom"] = "0x" + "00" * 256


LIES: dict[str, tuple[Lie, type[UnexpectedAnswer]]] = {
    "more ether": (
        _block(lambda block: block["transactions"][0].update(value=hex(900 * ETHER))),
        WrongContents,
    ),
    "another payee": (
        _block(lambda block: block["transactions"][0].update(to="0x" + "78" * 20)),
        WrongContents,
    ),
    "another txid": (
        _block(lambda block: block["transactions"][0].update(hash="0x" + "79" * 32)),
        WrongReceipts,
    ),
    "a transaction less": (_block(lambda block: block["transactions"].pop()), WrongReceipts),
    "a validator's withdrawal": (_block(_withdraw), WrongContents),
    "another state": (_block(lambda block: block.update(stateRoot="0x" + "02" * 32)), WrongHeader),
    "another root of receipts": (
        _block(lambda block: block.update(receiptsRoot="0x" + "01" * 32)),
        WrongHeader,
    ),
    "another time": (_block(lambda block: block.update(extraData="0x01")), WrongHeader),
    "a failure that succeeded": (
        _receipts(lambda receipt: receipt.update(status="0x0")),
        WrongReceipts,
    ),
    "more gas so far": (
        _receipts(lambda receipt: receipt.update(cumulativeGasUsed="0x1")),
        WrongReceipts,
    ),
    "more gas": (_receipts(lambda receipt: receipt.update(gasUsed="0x1")), WrongCosts),
    "a higher price": (
        _receipts(lambda receipt: receipt.update(effectiveGasPrice=hex(900 * GWEI))),
        WrongCosts,
    ),
    "more tokens": (_receipts(_more_tokens), WrongReceipts),
    "a log less": (_receipts(_no_log), WrongReceipts),
    "a log less, and no bloom": (_receipts(_no_log_and_bloom), WrongReceipts),
    "a receipt of another block": (
        _receipts(lambda receipt: receipt.update(blockHash="0x" + "01" * 32)),
        WrongReceipts,
    ),
    "an unknown kind": (_receipts(lambda receipt: receipt.update(type="0x7e")), UnexpectedAnswer),
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
    lie, error = LIES[name]
    chain = EvmChain(BUILTIN[ETHEREUM], LyingNode(devnet.url(ETHEREUM), lie))
    answer: Any = devnet.rpc(ETHEREUM, "eth_getBlockByHash", block_hash, False)
    block = chain.block_at(int(answer["number"], 16))
    with pytest.raises(UnexpectedAnswer) as caught:
        chain.scan(block, Watching(frozenset({PAYEE})))
    chain.close()

    assert caught.value.code == error.code


def test_each_kind_of_lie_has_its_own_code() -> None:
    kinds = (WrongHeader, WrongContents, WrongReceipts, WrongCosts, WrongProof, WrongBalance)

    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("a failure that succeeded", WrongReceipts),
        ("more gas", WrongCosts),
        ("a transaction less", WrongReceipts),
    ],
)
def test_what_became_of_our_own_transaction_is_proven_too(
    devnet: Devnet, block_hash: str, name: str, error: type[UnexpectedAnswer]
) -> None:
    whole: Any = devnet.rpc(ETHEREUM, "eth_getBlockByHash", block_hash, False)
    chain = EvmChain(BUILTIN[ETHEREUM], LyingNode(devnet.url(ETHEREUM), LIES[name][0]))
    with pytest.raises(error):
        chain.sighting(whole["transactions"][-1])
    chain.close()


def test_a_transaction_is_not_in_the_block_that_a_node_names(
    devnet: Devnet, block_hash: str
) -> None:
    class Misplacing(EvmNode):
        def call(self, method: str, *params: Any) -> Any:
            answer = super().call(method, *params)
            if method == "eth_getTransactionByHash":
                return {**answer, "blockHash": block_hash}
            return answer

    txid = devnet.fund(ETHEREUM, "ETH", checksum(PAYEE), 5)
    devnet.mine(ETHEREUM)
    chain = EvmChain(BUILTIN[ETHEREUM], Misplacing(devnet.url(ETHEREUM)))
    with pytest.raises(WrongContents):
        chain.sighting(txid)
    chain.close()


class Inventing(EvmNode):
    """A node whose traces or account proofs are altered on the way."""

    def __init__(self, url: str, method: str, change: Callable[[Any], Any]) -> None:
        super().__init__(url)
        self._method, self._change = method, change

    def call(self, method: str, *params: Any) -> Any:
        answer = super().call(method, *params)
        return self._change(deepcopy(answer)) if method == self._method else answer


INSIDE = b"\x79" * 20


def _paid_inside(devnet: Devnet, node: EvmNode) -> int:
    """The wei that a scan finds for an address that a contract pays."""
    devnet.fund_from_contract([checksum(INSIDE)], 2 * ETHER)
    devnet.mine(ETHEREUM)
    chain = EvmChain(BUILTIN[ETHEREUM], node, balance_proof_from=ETHER)
    try:
        found = chain.scan(chain.tip(), Watching(frozenset({INSIDE})))
    finally:
        chain.close()
    return sum(inflow.units for inflow in found.inflows)


def test_ether_from_a_contract_is_proven_by_the_state(devnet: Devnet) -> None:
    asked: list[str] = []

    def note(answer: Any) -> Any:
        asked.append(answer["balance"])
        return answer

    node = Inventing(devnet.url(ETHEREUM), "eth_getProof", note)

    assert _paid_inside(devnet, node) == 2 * ETHER
    assert len(asked) == 2


def _more_inside(answer: Any) -> Any:
    for call in answer[0]["result"]["calls"]:
        call["value"] = hex(900 * ETHER)
    return answer


def test_more_ether_in_a_trace_than_in_the_state_is_found(devnet: Devnet) -> None:
    with pytest.raises(WrongBalance):
        _paid_inside(
            devnet, Inventing(devnet.url(ETHEREUM), "debug_traceBlockByHash", _more_inside)
        )


def test_a_proof_that_does_not_lead_to_the_state_is_found(devnet: Devnet) -> None:
    def cut(answer: Any) -> Any:
        return {**answer, "accountProof": answer["accountProof"][:-1]}

    with pytest.raises(WrongProof):
        _paid_inside(devnet, Inventing(devnet.url(ETHEREUM), "eth_getProof", cut))


def test_safe_and_finalized_follow_the_tip(devnet: Devnet) -> None:
    # anvil calls safe what is an epoch of 32 slots deep, and finalized what is two.
    devnet.mine(ETHEREUM, 70)
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)))
    tip = chain.tip()
    safe, finalized = chain.tagged(FinalityTag.SAFE), chain.tagged(FinalityTag.FINALIZED)

    assert [tip.height - 32, tip.height - 64] == [safe.height, finalized.height]
    assert [safe, finalized] == [chain.block_at(safe.height), chain.block_at(finalized.height)]
    assert isinstance(chain, FinalityTags)
    chain.close()


def test_every_block_of_the_node_proves_itself(devnet: Devnet) -> None:
    top = int(str(devnet.rpc(ETHEREUM, "eth_blockNumber")), 16)
    for height in range(max(0, top - 50), top + 1):
        block: Any = devnet.rpc(ETHEREUM, "eth_getBlockByNumber", hex(height), True)
        receipts = devnet.rpc(ETHEREUM, "eth_getBlockReceipts", block["hash"])
        proofs.check_header(block, block["hash"][2:])
        proofs.check_contents(block)
        proofs.check_receipts(block, receipts)
        proofs.check_costs(block, receipts)

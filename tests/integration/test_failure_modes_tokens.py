"""Failure modes of evidence and addresses, each by its number in `tests/failure_modes.py`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.errors import UnexpectedAnswer
from chains.evm import blocks
from chains.simulated.evm import SimulatedEvmChain
from tests.payments_world import ETH, World
from wallet.addresses.issuing import Purpose
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus as W

ETHER = 10**18


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    yield World(database)
    database.close()


def test_mode_3_a_node_that_leaves_logs_out_is_found_by_the_bloom_filter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.account("alice")
    address = world.address(user, ETH)
    world.scan()
    world.keep.eth.fund(address.target, "DUSD", 5_000_000)
    world.keep.eth.mine(3)
    node = world.keep.eth._node
    honest = node.call

    def forgetful(method: str, *params: Any) -> Any:
        answer = honest(method, *params)
        if method == "eth_getBlockReceipts":
            return [{**receipt, "logs": []} for receipt in answer]
        return answer

    monkeypatch.setattr(node, "call", forgetful)
    with pytest.raises(UnexpectedAnswer, match="bloom"):
        world.scan()
    assert world.available(user, "DUSD") == 0

    monkeypatch.undo()
    world.scan()
    assert world.available(user, "DUSD") == 5_000_000


def an_answer(chain: SimulatedEvmChain) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block with a token transfer and its receipts, as the node tells them."""
    chain.fund(b"\x0a" * 20, "DUSD", 5)
    name = "0x" + chain.mine().hash
    return (
        chain._node.call("eth_getBlockByHash", name, True),
        chain._node.call("eth_getBlockReceipts", name),
    )


@pytest.mark.parametrize(
    "name", ["number", "hash", "parentHash", "timestamp", "logsBloom", "transactions"]
)
def test_mode_10_an_evm_answer_without_a_field_is_loud(world: World, name: str) -> None:
    answer, receipts = an_answer(world.keep.eth)
    whole = blocks.block(answer)
    assert blocks.receipts_of(receipts, whole)

    with pytest.raises(UnexpectedAnswer, match=name):
        blocks.block({key: value for key, value in answer.items() if key != name})


@pytest.mark.parametrize("name", ["hash", "from", "to", "value", "input", "transactionIndex"])
def test_mode_10_a_transaction_without_a_field_is_loud(world: World, name: str) -> None:
    answer, _ = an_answer(world.keep.eth)
    (sent,) = answer["transactions"]

    with pytest.raises(UnexpectedAnswer, match=name):
        blocks.block({**answer, "transactions": [{k: v for k, v in sent.items() if k != name}]})


@pytest.mark.parametrize(
    "name",
    ["transactionHash", "blockHash", "status", "gasUsed", "effectiveGasPrice", "logs"],
)
def test_mode_10_a_receipt_without_a_field_is_loud(world: World, name: str) -> None:
    _, receipts = an_answer(world.keep.eth)

    with pytest.raises(UnexpectedAnswer, match=name):
        blocks.receipt({k: v for k, v in receipts[0].items() if k != name})


@pytest.mark.parametrize("purpose", [Purpose.HOT, Purpose.COLD])
def test_mode_23_own_hot_and_cold_addresses_are_no_payees(world: World, purpose: Purpose) -> None:
    user = world.account("alice")
    own = world.own_address(ETH, f"ethereum-{purpose}", purpose)
    world.deposit(user, "ETH", ETHER)
    asked = world.withdraw(user, "ETH", own.address, ETHER // 10, "w-1")

    assert asked.status is W.REJECTED
    assert world.available(user, "ETH") == ETHER

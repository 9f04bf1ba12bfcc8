"""What waits in a node's pool, as the adapters read it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from chains.errors import UnexpectedAnswer
from chains.evm import pool as evm_pool
from chains.evm.erc20 import transfer_calldata
from chains.evm.node import MethodMissing
from chains.types import OutPoint
from chains.utxo import pool as utxo_pool
from chains.utxo.pool import PoolView
from chains.utxo.transactions import Transaction, TxInput, TxOutput

OURS = bytes([7]) * 20
TOKEN = bytes([9]) * 20
SENDER = bytes([3]) * 20


def waiting(number: int, to: bytes | None, value: int, data: bytes = b"") -> dict[str, Any]:
    return {
        "hash": "0x" + f"{number:064x}",
        "from": "0x" + SENDER.hex(),
        "to": None if to is None else "0x" + to.hex(),
        "nonce": hex(number),
        "value": hex(value),
        "input": "0x" + data.hex(),
    }


def answering(*transactions: dict[str, Any], offers_pool: bool = True) -> Callable[..., Any]:
    def ask(method: str, *params: object) -> Any:
        if method == "txpool_content":
            if not offers_pool:
                raise MethodMissing(method, -32601, "no such method")
            by_nonce = {str(n): tx for n, tx in enumerate(transactions)}
            return {"pending": {"0x" + SENDER.hex(): by_nonce}, "queued": {}}
        assert (method, *params) == ("eth_getBlockByNumber", "pending", True)
        return {"transactions": list(transactions)}

    return ask


@pytest.mark.parametrize("offers_pool", [True, False])
def test_ether_and_plain_token_transfers_are_found_and_nothing_else(offers_pool: bool) -> None:
    ask = answering(
        waiting(1, OURS, 5),
        waiting(2, TOKEN, 0, transfer_calldata(OURS, 6)),
        waiting(3, TOKEN, 0, transfer_calldata(SENDER, 6)),
        waiting(4, TOKEN, 0, transfer_calldata(OURS, 6) + b"\0"),
        waiting(5, OURS, 0),
        waiting(6, None, 9),
        waiting(7, bytes(20), 0, transfer_calldata(OURS, 6)),
        offers_pool=offers_pool,
    )
    pool = evm_pool.look(ask, {OURS}, "ETH", {TOKEN: "DUSD"})

    found = [(i.asset, i.position, i.units, i.evidence) for tx in pool.found for i in tx.inflows]
    assert found == [("ETH", "tx", 5, "mempool"), ("DUSD", "log:0", 6, "mempool")]
    assert len(pool.txids) == 7
    assert pool.found[0].conflicts == (f"0x{SENDER.hex()}:1",)


def test_a_pool_too_large_or_of_another_shape_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UnexpectedAnswer):
        evm_pool.look(lambda method: {"pending": [], "queued": {}}, {OURS}, "ETH", {})
    monkeypatch.setattr(evm_pool, "TRANSACTIONS_MAX", 1)
    with pytest.raises(UnexpectedAnswer):
        evm_pool.look(answering(waiting(1, OURS, 5), waiting(2, OURS, 5)), {OURS}, "ETH", {})


@dataclass
class Node:
    """A UTXO node's pool by txid; counts what is fetched."""

    raws: dict[str, bytes | None] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def mempool(self) -> list[str]:
        return list(self.raws)

    def transaction(self, txid: str) -> bytes | None:
        self.fetched.append(txid)
        return self.raws[txid]


@dataclass
class Watching:
    """One script."""

    targets: frozenset[bytes] = frozenset({b"\x51"})
    outpoints: frozenset[OutPoint] = frozenset()


def paying(script: bytes, number: int) -> Transaction:
    return Transaction(
        inputs=(TxInput(txid="aa" * 32, vout=number),), outputs=(TxOutput(sats=7, script=script),)
    )


def test_each_transaction_is_fetched_once_and_forgotten_with_the_pool() -> None:
    ours, other = paying(b"\x51", 1), paying(b"\x52", 2)
    node = Node({tx.txid: tx.serialize() for tx in (ours, other)})
    view = PoolView(node, "BTC")  # type: ignore[arg-type]
    for _ in range(2):
        pool = view.look(Watching())
        assert [tx.txid for tx in pool.found] == [ours.txid]
    assert sorted(node.fetched) == sorted([ours.txid, other.txid])
    assert pool.found[0].conflicts == ("aa" * 32 + ":1",)
    node.raws = {}

    assert view.look(Watching()).found == ()


def test_what_is_no_plain_transaction_is_left_to_its_block() -> None:
    good = paying(b"\x51", 1)
    raws = {"11" * 32: b"no transaction", "22" * 32: good.serialize(), "33" * 32: None}
    view = PoolView(Node(raws), "LTC")  # type: ignore[arg-type]
    pool = view.look(Watching())

    assert (pool.found, len(pool.txids)) == ((), 3)


def test_a_large_pool_is_looked_through_over_several_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utxo_pool, "LOOKS_MAX", 2)
    node = Node({tx.txid: tx.serialize() for tx in (paying(b"\x51", n) for n in range(5))})
    view = PoolView(node, "BTC")  # type: ignore[arg-type]

    assert [len(view.look(Watching()).found) for _ in range(4)] == [2, 4, 5, 5]

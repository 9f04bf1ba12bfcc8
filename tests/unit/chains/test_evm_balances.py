"""Balances proven by a state root, and movements that must add up to them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm import rlp, trie
from chains.evm.balances import NO_CODE, Account, check_movements, proven_account
from chains.evm.blocks import Block, Receipt, Transaction, Withdrawal
from chains.evm.hashing import keccak256
from chains.evm.lies import WrongBalance, WrongProof
from chains.evm.traces import InternalTransfer
from chains.types import BlockRef

OURS, OTHER = b"\x0a" * 20, b"\x0b" * 20
REF = BlockRef(height=7, hash="77" * 32, parent="66" * 32, time_s=1)


class Grove:
    """A trie whose nodes a test can show: the proof for a key, as nodes make it."""

    def __init__(self, items: Mapping[bytes, bytes]) -> None:
        self.root = trie.root(items)
        self._pairs = sorted((trie._nibbles(key), value) for key, value in items.items())

    def proof(self, key: bytes) -> list[bytes]:
        nodes: list[bytes] = []
        node: Any = trie._node(self._pairs, 0)
        nodes.append(rlp.encode(node))
        path, pairs, depth = trie._nibbles(key), self._pairs, 0
        while len(pairs) > 1 and depth < len(path):
            same = depth
            while all(len(p[0]) > same and p[0][same] == pairs[0][0][same] for p in pairs):
                same += 1
            if same > depth:
                if path[depth:same] != pairs[0][0][depth:same]:
                    return nodes
                depth = same
            else:
                pairs = [p for p in pairs if len(p[0]) > depth and p[0][depth] == path[depth]]
                depth += 1
                if not pairs:
                    return nodes
            encoded = rlp.encode(trie._node(pairs, depth))
            if len(encoded) >= 32:
                nodes.append(encoded)
        return nodes


KEYS = st.binary(min_size=4, max_size=4)


@given(st.dictionaries(KEYS, st.binary(min_size=1, max_size=60), min_size=1, max_size=40), KEYS)
def test_a_proof_gives_every_value_and_the_absence_of_others(
    items: dict[bytes, bytes], absent: bytes
) -> None:
    grove = Grove(items)
    for key, value in items.items():
        assert value == trie.look_up(grove.root, key, grove.proof(key))
    if absent not in items:
        assert trie.look_up(grove.root, absent, grove.proof(absent)) is None


@given(
    st.dictionaries(KEYS, st.binary(min_size=33, max_size=60), min_size=2, max_size=20), st.data()
)
def test_a_changed_cut_or_longer_proof_is_refused(
    items: dict[bytes, bytes], data: st.DataObject
) -> None:
    grove = Grove(items)
    key = data.draw(st.sampled_from(sorted(items)))
    nodes = grove.proof(key)
    at = data.draw(st.integers(0, len(nodes) - 1))
    changed = [*nodes[:at], nodes[at][:-1] + bytes([nodes[at][-1] ^ 1]), *nodes[at + 1 :]]
    for lie in (changed, nodes[:-1], [*nodes, nodes[-1]], []):
        with pytest.raises(CodecError):
            trie.look_up(grove.root, key, lie)


def test_an_empty_trie_holds_nothing() -> None:
    assert trie.look_up(trie.EMPTY_ROOT, b"key", []) is None


def _account(balance: int, nonce: int = 0, code_hash: bytes = NO_CODE) -> bytes:
    return rlp.encode([rlp.encode_int(nonce), rlp.encode_int(balance), bytes(32), code_hash])


def _answer(grove: Grove, target: bytes) -> dict[str, object]:
    return {"accountProof": ["0x" + node.hex() for node in grove.proof(keccak256(target))]}


def test_an_account_is_read_from_its_proof() -> None:
    grove = Grove({keccak256(OURS): _account(5, 3), keccak256(OTHER): _account(9)})

    assert Account(nonce=3, balance_wei=5) == proven_account(grove.root, OURS, _answer(grove, OURS))
    assert Account() == proven_account(grove.root, b"\x0c" * 20, _answer(grove, b"\x0c" * 20))


def test_a_proof_for_another_root_account_or_shape_is_refused() -> None:
    grove = Grove({keccak256(OURS): _account(5), keccak256(OTHER): _account(9)})
    odd = Grove({keccak256(OURS): rlp.encode([b"\x01"])})
    for root, answer in (
        (bytes(32), _answer(grove, OURS)),
        (grove.root, _answer(grove, OTHER)),
        (odd.root, _answer(odd, OURS)),
    ):
        with pytest.raises(WrongProof):
            proven_account(root, OURS, answer)


def test_a_proof_longer_than_any_path_is_not_read() -> None:
    with pytest.raises(WrongProof, match="at most 64"):
        proven_account(bytes(32), OURS, {"accountProof": ["0x00"] * 65})


def _tid(number: int) -> str:
    return f"0x{number:064x}"


def _tx(number: int, sender: bytes, to: bytes | None, value: int) -> Transaction:
    return Transaction(txid=_tid(number), sender=sender, to=to, value_wei=value, data=b"")


def _receipt(number: int, *, succeeded: bool = True, fee: int = 10) -> Receipt:
    return Receipt(
        txid=_tid(number), block_hash=REF.hash, succeeded=succeeded, fee_wei=fee, logs=()
    )


BLOCK = Block(
    ref=REF,
    logs_bloom=bytes(256),
    base_fee_wei=1,
    transactions=(_tx(0, OTHER, OURS, 100), _tx(1, OURS, OTHER, 30), _tx(2, OTHER, OURS, 7)),
    withdrawals=(Withdrawal(index=1, to=OURS, units=50),),
)
RECEIPTS = (_receipt(0), _receipt(1), _receipt(2, succeeded=False))
INSIDE = InternalTransfer(txid=_tid(0), path=(0,), sender=OTHER, to=OURS, units=1_000)
UNDONE = replace(INSIDE, txid=_tid(2))
BEFORE = Account(nonce=4, balance_wei=500)
AFTER = Account(nonce=5, balance_wei=500 + 100 - 30 - 10 + 50 + 1_000)


def _check(*moves: InternalTransfer, after: Account = AFTER, before: Account = BEFORE) -> None:
    check_movements(BLOCK, RECEIPTS, moves, OURS, before, after)


def test_all_that_moved_makes_the_difference() -> None:
    _check(INSIDE, UNDONE)


@pytest.mark.parametrize(
    "moves",
    [
        (),
        (replace(INSIDE, units=1_001),),
        (INSIDE, INSIDE),
        (replace(INSIDE, to=OTHER),),
    ],
)
def test_more_or_less_than_the_balance_shows_is_refused(
    moves: tuple[InternalTransfer, ...],
) -> None:
    with pytest.raises(WrongBalance, match="gained"):
        _check(*moves)


def test_what_an_account_without_code_sends_inside_is_invented() -> None:
    back = InternalTransfer(txid=_tid(0), path=(1,), sender=OURS, to=OTHER, units=9)
    more = replace(INSIDE, units=1_009)

    with pytest.raises(WrongBalance, match="no code"):
        _check(more, back)
    _check(more, back, after=replace(AFTER, code_hash=bytes(32)))


def test_transactions_that_its_nonce_does_not_count_are_invented() -> None:
    with pytest.raises(WrongBalance, match="transactions"):
        _check(INSIDE, after=replace(AFTER, nonce=4))

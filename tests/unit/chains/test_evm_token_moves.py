"""Token logs against balances: whom a block touches, what it sums to, whose code it was."""

from chains.evm import blocks
from chains.evm.abi import address_word, word
from chains.evm.blocks import Block, Log, Receipt, Transaction
from chains.evm.erc20 import TRANSFER_TOPIC, TokenTransfer, transfer_calldata
from chains.evm.hashing import keccak256
from chains.evm.node import RpcRefused
from chains.evm.token_moves import (
    PROXY_SLOTS,
    Logged,
    fingerprint,
    is_logged,
    touched,
    transfers,
    unreadable,
    without,
)
from chains.evm.token_witness import TokenWitness
from chains.types import Asset, BlockRef, OutPoint, TokenMove

OURS, OTHER, TOKEN, FOREIGN = (bytes([number]) * 20 for number in (10, 11, 12, 13))
WATCHED = frozenset({OURS})
REF = BlockRef(height=7, hash="b1" * 32, parent="b0" * 32, time_s=100)


def a_log(sender: bytes, to: bytes, units: int, contract: bytes = TOKEN) -> Log:
    topics = (TRANSFER_TOPIC, address_word(sender), address_word(to))
    return Log(contract=contract, topics=topics, data=word(units))


def a_receipt(number: int, *logs: Log, succeeded: bool = True) -> Receipt:
    return Receipt(
        txid=f"0x{number:064x}", block_hash=REF.hash, succeeded=succeeded, fee_wei=1, logs=logs
    )


def a_block(*calls: tuple[bytes, bytes]) -> Block:
    """A block of calls (contract, calldata) from somebody else."""
    return Block(
        ref=REF,
        logs_bloom=bytes(256),
        base_fee_wei=1,
        transactions=tuple(
            Transaction(txid=f"0x{number:064x}", sender=OTHER, to=to, value_wei=0, data=data)
            for number, (to, data) in enumerate(calls)
        ),
        withdrawals=(),
    )


CALL = (TOKEN, transfer_calldata(FOREIGN, 1))


def test_logs_in_and_out_are_summed_by_address() -> None:
    receipts = [
        a_receipt(0, a_log(OTHER, OURS, 5), a_log(OTHER, OURS, 5), a_log(OURS, OTHER, 3)),
        a_receipt(1, a_log(OTHER, OURS, 7), a_log(OTHER, OURS, 100, contract=FOREIGN)),
    ]
    block = a_block(CALL, CALL)

    assert touched(block, receipts, TOKEN, WATCHED) == {OURS: Logged(into=17, out_of=3)}
    assert without(receipts[0], TOKEN, OURS, Logged(into=17, out_of=3)) == Logged(into=7, out_of=0)


def test_a_failed_transaction_touches_nothing() -> None:
    receipts = [a_receipt(0, a_log(OTHER, OURS, 5), succeeded=False)]
    block = a_block((TOKEN, transfer_calldata(OURS, 5)))

    assert touched(block, receipts, TOKEN, WATCHED) == {}
    assert list(transfers(receipts[0], TOKEN)) == []


def test_a_call_that_tells_nothing_still_names_who_it_pays() -> None:
    call = (TOKEN, transfer_calldata(OURS, 5))
    elsewhere = (FOREIGN, transfer_calldata(OURS, 5))

    assert touched(a_block(call), [a_receipt(0)], TOKEN, WATCHED) == {OURS: Logged()}
    assert touched(a_block(elsewhere), [a_receipt(0)], TOKEN, WATCHED) == {}


def test_the_caller_of_a_silent_token_is_touched_too() -> None:
    assert touched(a_block(CALL), [a_receipt(0)], TOKEN, frozenset({OTHER})) == {OTHER: Logged()}


def test_only_exactly_the_expected_log_is_evidence() -> None:
    expected = TokenTransfer(sender=OURS, to=OTHER, units=5)
    good = a_log(OURS, OTHER, 5)

    assert is_logged(a_receipt(0, good, a_log(FOREIGN, OTHER, 9)), TOKEN, expected)
    assert not is_logged(a_receipt(0), TOKEN, expected)
    assert not is_logged(a_receipt(0, good, good), TOKEN, expected)
    assert not is_logged(a_receipt(0, good, a_log(OURS, FOREIGN, 1)), TOKEN, expected)
    assert not is_logged(a_receipt(0, a_log(OURS, OTHER, 4)), TOKEN, expected)
    assert not is_logged(a_receipt(0, a_log(FOREIGN, OTHER, 5)), TOKEN, expected)
    assert not is_logged(a_receipt(0, a_log(OURS, OTHER, 5, FOREIGN)), TOKEN, expected)
    assert not is_logged(a_receipt(0, good, succeeded=False), TOKEN, expected)


def test_an_unreadable_transfer_touches_whomever_it_may_name_and_proves_nothing() -> None:
    expected = TokenTransfer(sender=OURS, to=OTHER, units=5)
    unnamed = Log(
        contract=TOKEN,
        topics=(TRANSFER_TOPIC,),
        data=address_word(OTHER) + b"\xff" * 12 + OURS + word(9),
    )
    receipt = a_receipt(0, a_log(OURS, OTHER, 5), unnamed)

    assert list(transfers(receipt, TOKEN)) == [expected]
    assert list(unreadable(receipt, TOKEN)) == [unnamed]
    assert list(unreadable(receipt, FOREIGN)) == []
    assert not is_logged(receipt, TOKEN, expected)
    only = a_receipt(0, unnamed)
    assert touched(a_block((FOREIGN, b"")), [only], TOKEN, WATCHED) == {OURS: Logged()}


def test_the_fingerprint_changes_with_code_and_with_what_stands_behind() -> None:
    plain = fingerprint(b"\x60", [])
    proxied = fingerprint(b"\x60", [(OTHER, b"\x61")])

    assert (
        len({plain, proxied, fingerprint(b"\x61", []), fingerprint(b"\x60", [(OURS, b"\x61")])})
        == 4
    )
    assert proxied != fingerprint(b"\x60", [(OTHER, b"\x62")])


def test_what_did_not_arrive_is_negative_and_what_nobody_told_positive() -> None:
    def move(before: int | None, after: int | None, into: int, out_of: int) -> int | None:
        return TokenMove(
            asset="T", target=OURS, before=before, after=after, logged_in=into, logged_out=out_of
        ).unlogged

    assert move(10, 15, 5, 0) == 0
    assert move(10, 11, 5, 4) == 0
    assert move(10, 14, 5, 0) == -1
    assert move(10, 17, 5, 0) == 2
    assert move(None, 15, 5, 0) is None
    assert move(10, None, 5, 0) is None


class Node:
    """A node with one token, whose balances are known at the two blocks."""

    def __init__(self, balances: dict[tuple[str, bytes], int]) -> None:
        self.balances = balances
        self.slots: dict[tuple[bytes, int], bytes] = {}
        self.code = {TOKEN: b"\x60\x01"}

    def __call__(self, method: str, *params: object) -> object:
        if method == "eth_getCode":
            return "0x" + self.code.get(bytes.fromhex(str(params[0])[2:]), b"").hex()
        if method == "eth_getStorageAt":
            key = (bytes.fromhex(str(params[0])[2:]), int(str(params[1]), 16))
            return "0x" + self.slots.get(key, b"").rjust(32, b"\0").hex()
        call, where = params
        assert isinstance(call, dict) and isinstance(where, dict)
        holder = bytes.fromhex(call["data"][-40:])
        units = self.balances.get((where["blockHash"][2:], holder))
        if units is None:
            raise RpcRefused(method, -32000, "missing trie node")
        return "0x" + word(units).hex()


class Watching:
    targets = WATCHED
    outpoints: frozenset[OutPoint] = frozenset()


def witness(node: Node, *, balance_check: bool = True) -> TokenWitness:
    asset = Asset(code="TOK", network="n", decimals=6, contract="0x", balance_check=balance_check)
    return TokenWitness(node, {TOKEN: asset})


def test_balances_are_asked_at_the_block_and_at_its_parent() -> None:
    node = Node({(REF.parent, OURS): 10, (REF.hash, OURS): 14})
    moves, codes = witness(node).look(
        a_block(CALL), [a_receipt(0, a_log(OTHER, OURS, 5))], Watching()
    )

    assert [(m.asset, m.target, m.before, m.after, m.unlogged) for m in moves] == [
        ("TOK", OURS, 10, 14, -1)
    ]
    assert [code.asset for code in codes] == ["TOK"]


def test_a_balance_that_nobody_tells_is_unknown_and_stops_nothing() -> None:
    node = Node({(REF.hash, OURS): 14})
    moves, _ = witness(node).look(a_block(CALL), [a_receipt(0, a_log(OTHER, OURS, 5))], Watching())

    assert [(m.before, m.after, m.unlogged) for m in moves] == [(None, 14, None)]


def test_no_balances_are_asked_where_the_check_is_off_or_nothing_touches_us() -> None:
    log = a_log(OTHER, OURS, 5)
    off = witness(Node({}), balance_check=False).look(
        a_block(CALL), [a_receipt(0, log)], Watching()
    )

    assert off[0] == () and [code.asset for code in off[1]] == ["TOK"]
    assert witness(Node({})).look(a_block(CALL), [a_receipt(0)], Watching()) == ((), ())


def test_a_new_implementation_behind_the_proxy_is_another_code() -> None:
    node = Node({})
    seen = {witness(node).code(TOKEN, REF)}
    node.slots = {(TOKEN, PROXY_SLOTS[0]): OTHER}
    seen.add(witness(node).code(TOKEN, REF))
    node.slots = {(TOKEN, PROXY_SLOTS[0]): FOREIGN}
    seen.add(witness(node).code(TOKEN, REF))
    node.code[FOREIGN] = b"\x60\x02"
    seen.add(witness(node).code(TOKEN, REF))

    assert len(seen) == 4
    assert len(set(PROXY_SLOTS)) == 3


def test_the_slots_are_those_of_their_standards() -> None:
    eip1967 = int.from_bytes(keccak256(b"eip1967.proxy.implementation"), "big") - 1
    zeppelin = int.from_bytes(keccak256(b"org.zeppelinos.proxy.implementation"), "big")
    uups = int.from_bytes(keccak256(b"PROXIABLE"), "big")

    assert PROXY_SLOTS == (eip1967, zeppelin, uups)


def test_an_outcome_leaves_out_what_other_transactions_told() -> None:
    mine, foreign = a_receipt(0, a_log(OURS, OTHER, 5)), a_receipt(1, a_log(OURS, FOREIGN, 2))
    balances = {
        (REF.parent, OURS): 20,
        (REF.hash, OURS): 13,
        (REF.parent, OTHER): 0,
        (REF.hash, OTHER): 4,
    }
    expected = TokenTransfer(sender=OURS, to=OTHER, units=5)
    outcome = witness(Node(balances)).outcome(
        a_block(CALL, CALL), [mine, foreign], mine.txid, TOKEN, expected
    )

    assert (outcome.is_logged, outcome.left, outcome.arrived) == (True, 5, 4)


def test_calldata_is_read_from_the_field_that_nodes_call_input() -> None:
    answer = {
        "hash": "0x" + "01" * 32,
        "transactionIndex": "0x0",
        "from": "0x" + OTHER.hex(),
        "to": "0x" + TOKEN.hex(),
        "value": "0x0",
        "input": "0x" + CALL[1].hex(),
    }
    assert blocks._transaction(answer, 0).data == CALL[1]

"""Every side of what a block did to watched accounts: in, out, what it cost, and nothing else."""

from chains.evm.blocks import Block, Log, Receipt, Transaction, Withdrawal
from chains.evm.erc20 import TRANSFER_TOPIC
from chains.evm.movements import Names, of_block
from chains.evm.traces import InternalTransfer
from chains.types import BlockRef

OURS, MINE, OTHER = b"\x0a" * 20, b"\x0e" * 20, b"\x0b" * 20
TOKEN, FOREIGN = b"\x0c" * 20, b"\x0d" * 20
NAMES = Names(native="ETH", tokens={TOKEN: "DUSD"})
REF = BlockRef(height=7, hash="b1" * 32, parent="b0" * 32, time_s=1)
TXID = "0x" + "01" * 32


def log(sender: bytes, to: bytes, units: int, contract: bytes = TOKEN) -> Log:
    topics = (TRANSFER_TOPIC, sender.rjust(32, b"\0"), to.rjust(32, b"\0"))
    return Log(contract=contract, topics=topics, data=units.to_bytes(32, "big"))


def moved(
    *logs: Log,
    sender: bytes = OTHER,
    to: bytes | None = OTHER,
    value: int = 0,
    succeeded: bool = True,
    inside: tuple[InternalTransfer, ...] = (),
    withdrawals: tuple[Withdrawal, ...] = (),
) -> list[tuple[str, str, bytes, int, bytes | None]]:
    transaction = Transaction(txid=TXID, sender=sender, to=to, value_wei=value, data=b"")
    receipt = Receipt(
        txid=TXID, block_hash=REF.hash, succeeded=succeeded, fee_wei=42_000, logs=logs
    )
    block = Block(
        ref=REF,
        logs_bloom=b"",
        base_fee_wei=1,
        transactions=(transaction,),
        withdrawals=withdrawals,
    )
    watched = frozenset({OURS, MINE})
    return [
        (one.asset, one.position, one.target, one.units, one.other)
        for one in of_block(block, [receipt], inside, watched, NAMES)
    ]


def trace(sender: bytes, to: bytes, units: int, *path: int) -> InternalTransfer:
    return InternalTransfer(txid=TXID, path=path, sender=sender, to=to, units=units)


def test_what_we_send_leaves_us_and_costs_us() -> None:
    assert moved(sender=OURS, to=OTHER, value=5) == [
        ("ETH", "fee", OURS, -42_000, None),
        ("ETH", "tx", OURS, -5, OTHER),
    ]


def test_between_two_of_ours_both_sides_show() -> None:
    assert moved(sender=OURS, to=MINE, value=5)[1:] == [
        ("ETH", "tx", OURS, -5, MINE),
        ("ETH", "tx", MINE, 5, OURS),
    ]


def test_to_oneself_only_the_fee_moves() -> None:
    assert moved(sender=OURS, to=OURS, value=5) == [("ETH", "fee", OURS, -42_000, None)]


def test_a_failed_transaction_costs_and_moves_nothing() -> None:
    found = moved(
        log(OURS, OTHER, 9),
        sender=OURS,
        value=5,
        succeeded=False,
        inside=(trace(OURS, OTHER, 3, 0),),
    )
    assert found == [("ETH", "fee", OURS, -42_000, None)]


def test_a_strangers_transaction_costs_us_nothing() -> None:
    assert moved(value=5) == []
    assert moved(to=OURS, value=5) == [("ETH", "tx", OURS, 5, OTHER)]


def test_tokens_move_by_the_logs_of_listed_contracts_alone() -> None:
    found = moved(
        log(OTHER, OURS, 9), log(OURS, OTHER, 4), log(OURS, OTHER, 8, FOREIGN), log(OTHER, OURS, 0)
    )
    assert found == [
        ("DUSD", "log:0", OURS, 9, OTHER),
        ("DUSD", "log:1", OURS, -4, OTHER),
    ]


def test_a_malformed_transfer_of_a_listed_token_moves_nothing_and_hides_nothing() -> None:
    bad = Log(contract=TOKEN, topics=(TRANSFER_TOPIC,), data=b"")
    assert moved(bad, log(OTHER, OURS, 9)) == [("DUSD", "log:1", OURS, 9, OTHER)]


def test_ether_moves_inside_transactions_in_the_order_of_their_frames() -> None:
    found = moved(inside=(trace(OTHER, OURS, 7, 1), trace(OURS, OTHER, 3, 0, 2)))
    assert found == [
        ("ETH", "trace:0.2", OURS, -3, OTHER),
        ("ETH", "trace:1", OURS, 7, OTHER),
    ]


def test_validators_withdrawals_come_from_nobody() -> None:
    given = (Withdrawal(index=3, to=OURS, units=11), Withdrawal(index=4, to=OTHER, units=1))
    assert moved(withdrawals=given) == [("ETH", "withdrawal:3", OURS, 11, None)]


def test_a_creation_shows_its_cost() -> None:
    assert moved(sender=OURS, to=None) == [("ETH", "fee", OURS, -42_000, None)]

"""Transactions: the same bytes out as in, and nothing else accepted."""

import pytest
from embit.transaction import Transaction as EmbitTransaction
from hypothesis import given
from hypothesis import strategies as st

from chains.types import OutPoint
from chains.utxo import transactions
from chains.utxo.transactions import (
    Reader,
    Transaction,
    TransactionError,
    TxInput,
    TxOutput,
    compact_size,
)

INPUTS = st.builds(
    TxInput,
    txid=st.binary(min_size=32, max_size=32).map(bytes.hex),
    vout=st.integers(0, 2**32 - 1),
    script_sig=st.binary(max_size=300),
    sequence=st.integers(0, 2**32 - 1),
    witness=st.lists(st.binary(max_size=300), max_size=4).map(tuple),
)
OUTPUTS = st.builds(TxOutput, sats=st.integers(0, 2**63 - 1), script=st.binary(max_size=300))
TRANSACTIONS = st.builds(
    Transaction,
    version=st.integers(-(2**31), 2**31 - 1),
    inputs=st.lists(INPUTS, min_size=1, max_size=4).map(tuple),
    outputs=st.lists(OUTPUTS, min_size=1, max_size=4).map(tuple),
    locktime=st.integers(0, 2**32 - 1),
)
SIMPLE = Transaction(
    inputs=(TxInput(txid="11" * 32, vout=1, witness=(b"\x01",)),),
    outputs=(TxOutput(sats=5, script=b"\x51"),),
)


@given(TRANSACTIONS)
def test_round_trip(tx: Transaction) -> None:
    raw = tx.serialize()

    assert tx == Transaction.parse(raw)
    assert raw == Transaction.parse(raw).serialize()
    assert tx.txid == Transaction.parse(tx.serialize(witness=False)).txid
    assert tuple(OutPoint(one.txid, one.vout) for one in tx.inputs) == tx.outpoints()


@given(TRANSACTIONS, st.integers(0, 5))
def test_one_output_is_found_without_the_rest(tx: Transaction, vout: int) -> None:
    expected = tx.outputs[vout] if vout < len(tx.outputs) else None

    assert (tx.txid, expected) == transactions.output_of(tx.serialize(), vout)


@given(st.one_of(st.binary(max_size=200), TRANSACTIONS.map(Transaction.serialize)), st.data())
def test_both_readers_accept_the_same_bytes(raw: bytes, data: st.DataObject) -> None:
    changed = bytearray(raw)
    if changed:
        changed[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for one in (raw, bytes(changed), raw[: len(raw) // 2]):
        try:
            txid: str | None = Transaction.parse(one).txid
        except TransactionError:
            txid = None
        try:
            found: str | None = transactions.output_of(one, 0)[0]
        except TransactionError:
            found = None

        assert txid == found


@given(TRANSACTIONS.filter(lambda tx: tx.version >= 0))
def test_txid_is_embits(tx: Transaction) -> None:
    assert EmbitTransaction.parse(tx.serialize()).txid().hex() == tx.txid


@given(TRANSACTIONS, st.integers(0, 10**6))
def test_cut_transactions_are_refused(tx: Transaction, at: int) -> None:
    raw = tx.serialize()
    with pytest.raises(TransactionError):
        Transaction.parse(raw[: at % len(raw)])


@given(st.binary(max_size=400))
def test_any_bytes_are_a_transaction_or_a_transaction_error(raw: bytes) -> None:
    try:
        tx = Transaction.parse(raw)
    except TransactionError:
        return

    assert tx.hogex or raw == tx.serialize()


@pytest.mark.parametrize(
    "raw",
    [
        SIMPLE.serialize() + b"\x00",
        # A witness flag without witnesses.
        SIMPLE.serialize()[:-7] + b"\x00" + SIMPLE.serialize()[-4:],
        # Unknown flag.
        SIMPLE.serialize()[:5] + b"\x02" + SIMPLE.serialize()[6:],
        # Two billion inputs in 60 bytes.
        b"\x02\x00\x00\x00\xfe\x00\x00\x00\x70" + bytes(60),
        # One input, counted in three bytes.
        b"\x02\x00\x00\x00\xfd\x01\x00" + SIMPLE.serialize(witness=False)[5:],
        bytes(transactions.TX_BYTES_MAX + 1),
    ],
)
def test_malformed_transactions_are_refused(raw: bytes) -> None:
    with pytest.raises(TransactionError):
        Transaction.parse(raw)
    with pytest.raises(TransactionError):
        transactions.output_of(raw, 0)


def test_hogex_is_read_without_its_mweb_field() -> None:
    bare = SIMPLE.serialize(witness=False)
    raw = bare[:4] + b"\x00\x08" + bare[4:-4] + b"\x00" + bare[-4:]
    tx = Transaction.parse(raw)

    assert tx.hogex
    assert SIMPLE.txid == tx.txid
    assert (SIMPLE.txid, SIMPLE.outputs[0]) == transactions.output_of(raw, 0)
    with pytest.raises(TransactionError, match="MWEB"):
        Transaction.parse(raw[:-5] + b"\x01" + raw[-4:])
    with pytest.raises(TransactionError, match="MWEB"):
        transactions.output_of(raw[:-5] + b"\x01" + raw[-4:], 0)


def test_unsigned_form_knows_no_witness() -> None:
    with pytest.raises(TransactionError):
        transactions.parse(SIMPLE.serialize(), witness=False)


@given(st.integers(0, 2**64 - 1))
def test_counts_round_trip(number: int) -> None:
    reader = Reader(compact_size(number))

    assert number == reader.compact()
    reader.done()


def test_vsize_counts_witness_a_quarter() -> None:
    bare, whole = len(SIMPLE.serialize(witness=False)), len(SIMPLE.serialize())

    assert -(-(3 * bare + whole) // 4) == SIMPLE.vsize

"""EIP-1559 transactions: the same bytes and hashes as eth-account, and nothing but those."""

import pytest
import rlp as second_rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.addresses import checksum
from chains.evm.transactions import (
    TX_BYTES_MAX,
    SignedTx,
    UnsignedTx,
    recover,
    split_signature,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = "0x" + "42" * 32
PAYEE = bytes.fromhex("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")


def a_tx(**changes: object) -> UnsignedTx:
    fields: dict[str, object] = {
        "chain_id": 31337,
        "nonce": 7,
        "priority_fee_wei": 10**9,
        "max_fee_wei": 30 * 10**9,
        "gas_limit": 21000,
        "to": PAYEE,
        "value_wei": 10**18,
    }
    return UnsignedTx(**{**fields, **changes})  # type: ignore[arg-type]


def as_eth_account(tx: UnsignedTx) -> dict[str, object]:
    return {
        "type": 2,
        "chainId": tx.chain_id,
        "nonce": tx.nonce,
        "maxPriorityFeePerGas": tx.priority_fee_wei,
        "maxFeePerGas": tx.max_fee_wei,
        "gas": tx.gas_limit,
        "to": checksum(tx.to),
        "value": tx.value_wei,
        "data": "0x" + tx.data.hex(),
        "accessList": [],
    }


transactions = st.builds(
    a_tx,
    chain_id=st.integers(1, 2**32),
    nonce=st.integers(0, 2**32),
    priority_fee_wei=st.integers(0, 10**12),
    max_fee_wei=st.integers(10**12, 2**100),
    gas_limit=st.integers(1, 2**40),
    to=st.binary(min_size=20, max_size=20),
    value_wei=st.integers(0, 2**200),
    data=st.binary(max_size=300),
)


@settings(max_examples=50)
@given(transactions)
def test_hash_and_signed_bytes_are_those_of_eth_account(tx: UnsignedTx) -> None:
    fields = as_eth_account(tx)
    signed = Account.sign_transaction(fields, KEY)
    signature = signed.r.to_bytes(32, "big") + signed.s.to_bytes(32, "big") + bytes([27 + signed.v])

    ours = tx.with_signature(signature)

    assert TypedTransaction.from_dict(fields).hash() == tx.signing_hash
    assert bytes(signed.raw_transaction) == ours.raw
    assert "0x" + bytes(signed.hash).hex() == ours.txid
    assert Account.from_key(KEY).address == checksum(ours.sender)
    assert ours == SignedTx.decode(ours.raw)


@given(transactions)
def test_unsigned_bytes_come_back(tx: UnsignedTx) -> None:
    assert tx == UnsignedTx.decode(tx.encode())


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xc9\x80\x80\x80\x80\x80\x80\x80\x80\x80", "evm.legacy"),
        (b"\x01" + a_tx().encode()[1:], "evm.unknown_type"),
        (b"\x03" + a_tx().encode()[1:], "evm.blob"),
        (b"\x04" + a_tx().encode()[1:], "evm.set_code"),
        (b"\x05" + a_tx().encode()[1:], "evm.unknown_type"),
        (a_tx().encode() + b"\x00", "chain.codec"),
        (a_tx().encode()[:-1], "chain.codec"),
        (b"", "chain.codec"),
        (b"\x02" * (TX_BYTES_MAX + 1), "chain.codec"),
    ],
)
def test_other_bytes_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(CodecError) as caught:
        UnsignedTx.decode(raw)

    assert code == caught.value.code


def changed(index: int, item: object) -> bytes:
    items = second_rlp.decode(a_tx().encode()[1:])
    items[index] = item
    return b"\x02" + bytes(second_rlp.encode(items))


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (changed(5, b""), "evm.creation"),
        (changed(5, b"\x01" * 19), "chain.codec"),
        (changed(5, [PAYEE]), "chain.codec"),
        (changed(8, [[PAYEE, []]]), "evm.access_list"),
        (changed(8, b""), "evm.access_list"),
        (changed(1, b"\x00\x07"), "chain.codec"),
        (changed(1, b"\xff" * 8), "chain.codec"),
        (changed(0, b""), "chain.codec"),
        (changed(4, b""), "chain.codec"),
        (changed(2, b"\x01" * 33), "chain.codec"),
        (changed(2, (31 * 10**9).to_bytes(5, "big")), "chain.codec"),
    ],
)
def test_every_field_is_checked(raw: bytes, code: str) -> None:
    with pytest.raises(CodecError) as caught:
        UnsignedTx.decode(raw)

    assert code == caught.value.code


def test_a_signed_transaction_is_not_an_unsigned_one() -> None:
    signed = bytes(Account.sign_transaction(as_eth_account(a_tx()), KEY).raw_transaction)

    with pytest.raises(CodecError):
        UnsignedTx.decode(signed)
    with pytest.raises(CodecError):
        SignedTx.decode(a_tx().encode())


def test_high_s_is_refused() -> None:
    signed = Account.sign_transaction(as_eth_account(a_tx()), KEY)
    high = signed.r.to_bytes(32, "big") + (ORDER - signed.s).to_bytes(32, "big")

    with pytest.raises(CodecError):
        a_tx().with_signature(high + bytes([1 - signed.v]))


@pytest.mark.parametrize("v", [2, 26, 29, 31, 255])
def test_other_recovery_values_are_refused(v: int) -> None:
    with pytest.raises(CodecError):
        split_signature(b"\x01" * 64 + bytes([v]))


def test_a_signature_of_no_key_is_refused() -> None:
    off_curve = (5).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\x00"

    with pytest.raises(CodecError):
        recover(b"\x01" * 32, off_curve)


@given(st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=4))
def test_rlp_agrees_with_the_reference(item: list[list[bytes]]) -> None:
    data = rlp.encode(item)

    assert bytes(second_rlp.encode(item)) == data
    assert item == rlp.decode(data)


@given(st.binary(max_size=80))
def test_rlp_reads_only_what_it_would_write(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except CodecError:
        return

    assert data == rlp.encode(item)


@pytest.mark.parametrize(
    "data", ["8100", "817f", "b800", "b838" + "00" * 3, "b90001" + "00", "f800", "c180ff", "c2", ""]
)
def test_rlp_refuses_other_forms(data: str) -> None:
    with pytest.raises(CodecError):
        rlp.decode(bytes.fromhex(data))


def test_rlp_depth_is_bounded() -> None:
    with pytest.raises(CodecError):
        rlp.decode(rlp.encode([[[[[[b"x"]]]]]]))

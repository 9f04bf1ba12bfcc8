"""ERC-20 calldata and logs."""

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm import erc20
from chains.evm.hashing import keccak256

addresses = st.binary(min_size=20, max_size=20)
units = st.integers(0, 2**256 - 1)
PAYEE = b"\x11" * 20
SENDER = b"\x22" * 20


@given(addresses, units)
def test_transfer_is_what_the_abi_says(to: bytes, amount: int) -> None:
    data = erc20.transfer_calldata(to, amount)

    assert (
        keccak256(b"transfer(address,uint256)")[:4] + encode(["address", "uint256"], [to, amount])
        == data
    )
    assert (to, amount) == erc20.decode_transfer(data)


@pytest.mark.parametrize(
    "data",
    [
        erc20.transfer_calldata(PAYEE, 5) + b"\x00",
        erc20.transfer_calldata(PAYEE, 5)[:-1],
        b"\x09\x5e\xa7\xb3" + erc20.transfer_calldata(PAYEE, 5)[4:],
        erc20.TRANSFER + b"\x01" + erc20.transfer_calldata(PAYEE, 5)[5:],
        b"",
    ],
)
def test_anything_but_68_clean_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        erc20.decode_transfer(data)


def topics(*parts: bytes) -> list[bytes]:
    return [erc20.TRANSFER_TOPIC, *(part.rjust(32, b"\x00") for part in parts)]


def test_the_topic_is_the_events_hash() -> None:
    assert keccak256(b"Transfer(address,address,uint256)") == erc20.TRANSFER_TOPIC


def test_a_transfer_log_is_read() -> None:
    transfer = erc20.decode_transfer_log(topics(SENDER, PAYEE), (77).to_bytes(32, "big"))

    assert erc20.TokenTransfer(sender=SENDER, to=PAYEE, units=77) == transfer


def test_other_events_are_passed_over() -> None:
    approval = keccak256(b"Approval(address,address,uint256)")

    assert erc20.decode_transfer_log([approval, bytes(32), bytes(32)], bytes(32)) is None
    assert erc20.decode_transfer_log([], bytes(32)) is None


@pytest.mark.parametrize(
    ("parts", "data"),
    [
        ((SENDER, PAYEE, b"\x01"), b""),  # ERC-721 has the same topic
        ((SENDER,), bytes(64)),
        ((SENDER, PAYEE), bytes(64)),
        ((SENDER, b"\x01" * 32), bytes(32)),
    ],
)
def test_a_transfer_of_another_shape_is_loud(parts: tuple[bytes, ...], data: bytes) -> None:
    with pytest.raises(CodecError):
        erc20.decode_transfer_log(topics(*parts), data)


def test_symbols_of_both_kinds() -> None:
    assert "MKR" == erc20.decode_symbol(b"MKR".ljust(32, b"\x00"))
    assert "DUSD" == erc20.decode_symbol(encode(["string"], ["DUSD"]))
    with pytest.raises(CodecError):
        erc20.decode_symbol(b"\xff" * 32)


def test_a_number_is_one_word() -> None:
    assert 6 == erc20.decode_number((6).to_bytes(32, "big"))
    with pytest.raises(CodecError):
        erc20.decode_number(b"")

"""The sweeper's call and address: eth-abi's bytes, EIP-1014's address, and one reading only."""

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chains.evm import sweeper
from chains.evm.sweeper import ACCOUNTS_MAX, ETHER, SweepCall, SweepCalldata, sweeper_address

TOKEN = b"\x70" * 20
TREASURY = b"\x11" * 20


def account(number: int) -> bytes:
    return number.to_bytes(20, "big")


def calldata(token: bytes, accounts: list[bytes]) -> bytes:
    selector = keccak(text="sweep_many(address,address[])")[:4]
    return bytes(selector + encode(["address", "address[]"], [token, accounts]))


@pytest.mark.parametrize("count", [1, 2, ACCOUNTS_MAX])
@pytest.mark.parametrize("token", [TOKEN, ETHER])
def test_the_call_is_what_eth_abi_writes(token: bytes, count: int) -> None:
    call = SweepCall(token=token, accounts=tuple(account(n) for n in range(1, count + 1)))

    assert calldata(token, list(call.accounts)) == call.encode()
    assert call == SweepCall.decode(call.encode())


GOOD = calldata(TOKEN, [account(1), account(2)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\x00",
        GOOD + bytes(32),
        b"\xa9\x05\x9c\xbb" + GOOD[4:],
        GOOD[:4] + b"\x01" + GOOD[5:],  # dirty padding of the token
        GOOD[:36] + (0x60).to_bytes(32, "big") + GOOD[68:],  # another offset
        GOOD[:68] + (2**255).to_bytes(32, "big") + GOOD[100:],
        calldata(TOKEN, []),
        calldata(TOKEN, [account(1), account(1)]),
        calldata(TOKEN, [account(n) for n in range(1, ACCOUNTS_MAX + 2)]),
        GOOD[:100] + b"\x01" + GOOD[101:],  # dirty padding of an address
    ],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SweepCalldata):
        SweepCall.decode(data)


def test_a_call_has_whole_addresses() -> None:
    with pytest.raises(SweepCalldata):
        SweepCall(token=TOKEN[1:], accounts=(account(1),))


@given(st.binary(max_size=400))
def test_whatever_is_read_is_what_would_be_written(tail: bytes) -> None:
    data = sweeper.SWEEP_MANY + tail
    try:
        call = SweepCall.decode(data)
    except SweepCalldata:
        return
    assert data == call.encode()


def test_the_address_follows_from_code_and_treasury() -> None:
    proxy = to_canonical_address("0x4e59b44847b379578588920cA78FbF26c0B4956C")
    code = sweeper.creation_code(TREASURY)
    made = keccak(b"\xff" + proxy + bytes(32) + keccak(code))[12:]

    assert made == sweeper_address(TREASURY)
    assert code.endswith(encode(["address"], ["0x" + TREASURY.hex()]))
    assert sweeper_address(TREASURY) != sweeper_address(b"\x12" * 20)

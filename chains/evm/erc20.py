"""ERC-20: the one call that we make, and the one log that we believe."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import abi

TRANSFER = bytes.fromhex("a9059cbb")
"""transfer(address,uint256): the only token call that we build."""

BALANCE_OF = bytes.fromhex("70a08231")
DECIMALS = bytes.fromhex("313ce567")
SYMBOL = bytes.fromhex("95d89b41")

TRANSFER_TOPIC = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak-256 of Transfer(address,address,uint256)."""

TRANSFER_BYTES = 4 + 2 * abi.WORD
"""A transfer call is exactly this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTransfer:
    """Tokens moved, as a log says: base units of the token."""

    sender: bytes
    to: bytes
    units: int


def transfer_calldata(to: bytes, units: int) -> bytes:
    """transfer(to, units) as calldata."""
    return TRANSFER + abi.address_word(to) + abi.word(units)


def decode_transfer(data: bytes) -> tuple[bytes, int]:
    """(payee, units) of a transfer call. Raises CodecError on any other or longer data."""
    if abi.selector(data) != TRANSFER or len(data) != TRANSFER_BYTES:
        raise CodecError(f"got {len(data)} bytes of calldata, expected a transfer of 68 bytes")
    return abi.read_address(data[4:], 0), abi.read_int(data[4:], 1)


def read_transfer_log(topics: Sequence[bytes], data: bytes) -> TokenTransfer | None:
    """The transfer that a log tells, or None for another event and for one of another shape."""
    try:
        return decode_transfer_log(topics, data)
    except CodecError:
        return None


def addresses_in(topics: Sequence[bytes], data: bytes) -> Iterator[bytes]:
    """Every address that a log may mean: the ends of its words, the event's own name left out."""
    for words in (*topics[1:], data):
        for start in range(0, len(words), abi.WORD):
            yield words[start : start + abi.WORD][12:]


def decode_transfer_log(topics: Sequence[bytes], data: bytes) -> TokenTransfer | None:
    """The transfer that a log of a listed token tells, or None for another event.

    Raises CodecError when the log claims to be a Transfer and has another shape: a token that does
    that cannot be accounted for.
    """
    if not topics or topics[0] != TRANSFER_TOPIC:
        return None
    if len(topics) != 3 or len(data) != abi.WORD:
        raise CodecError("got a Transfer log of another shape, expected two indexed addresses")
    indexed = b"".join(topics[1:])
    return TokenTransfer(
        sender=abi.read_address(indexed, 0),
        to=abi.read_address(indexed, 1),
        units=abi.read_int(data, 0),
    )


def balance_calldata(holder: bytes) -> bytes:
    """balanceOf(holder) as calldata."""
    return BALANCE_OF + abi.address_word(holder)


def decode_number(data: bytes) -> int:
    """A call's single number. Raises CodecError unless it is exactly one word."""
    if len(data) != abi.WORD:
        raise CodecError(f"got {len(data)} bytes, expected one word (is there a contract?)")
    return abi.read_int(data, 0)


def decode_symbol(data: bytes) -> str:
    """A token's symbol, also of tokens that answer with bytes32. Raises CodecError."""
    raw = data.rstrip(b"\x00") if len(data) == abi.WORD else abi.read_tail(data, 0)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CodecError("got a token symbol that is not text") from error

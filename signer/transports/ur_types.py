"""The UR types that this signer knows, and the CBOR in them.

A PSBT is a byte string in `psbt` (tag 40310) and in its old name `crypto-psbt` (310); a UR's
outermost item stands without its tag. ERC-4527 is written as Keystone writes it, whose published
URs are the reference: the request id under tag 37, the path under 304 (or 40304 in new ones).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from cbor2 import CBORTag

from chains.hd import HARDENED
from signer.protocol import dump
from signer.protocol.cbor import Reader
from signer.transports.errors import (
    CborMalformed,
    EthChainMissing,
    EthRequestInvalid,
    EthSignatureInvalid,
    MessageSize,
    UrTypeUnknown,
)
from signer.transports.limits import MESSAGE_BYTES_MAX
from signer.transports.message import Kind, Message, require_psbt

_UUID_TAG = 37
_KEYPATH_TAG, _KEYPATH_TAG_2022 = 304, 40304
_UUID_BYTES = 16
_ADDRESS_BYTES = 20
_SIGNATURE_BYTES = 65
_PATH_STEPS_MAX = 10
_ORIGIN_BYTES_MAX = 100
_CHAIN_ID_MAX = (1 << 53) - 1


class UrType(StrEnum):
    """The name after `ur:`."""

    BYTES = "bytes"
    PSBT = "psbt"
    CRYPTO_PSBT = "crypto-psbt"
    ETH_SIGN_REQUEST = "eth-sign-request"
    ETH_SIGNATURE = "eth-signature"

    @classmethod
    def of(cls, name: str) -> "UrType":
        """The type of this name. Raises UrTypeUnknown."""
        try:
            return cls(name)
        except ValueError as error:
            raise UrTypeUnknown(f"got ur:{name[:40]}, expected one of {', '.join(cls)}") from error


class DataType(IntEnum):
    """What an eth-sign-request asks to sign.

    ERC-4527 calls 3 "raw bytes"; wallets write it for `personal_sign` (EIP-191), and so is it read.
    """

    LEGACY_TRANSACTION = 1
    TYPED_DATA = 2
    PERSONAL_MESSAGE = 3
    TYPED_TRANSACTION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypath:
    """A path from the key of this 4-byte fingerprint; hardened steps have bit 31."""

    steps: tuple[int, ...]
    fingerprint: bytes | None = None

    def item(self) -> CBORTag:
        """The tagged CBOR item."""
        parts: list[int | bool] = []
        for step in self.steps:
            parts += [step & ~HARDENED, step >= HARDENED]
        fields: dict[int, Any] = {1: parts}
        if self.fingerprint is not None:
            fields[2] = int.from_bytes(self.fingerprint, "big")
        return CBORTag(_KEYPATH_TAG, fields)

    @classmethod
    def read(cls, reader: Reader) -> "Keypath":
        """Read a tagged item; ranges and wildcards are refused. Raises CborMalformed."""
        reader.tag(_KEYPATH_TAG, _KEYPATH_TAG_2022)
        steps: tuple[int, ...] = ()
        fingerprint = None
        for key in _keys(reader, 3):
            if key == 1:
                length = reader.array(2 * _PATH_STEPS_MAX)
                if length % 2:
                    raise CborMalformed(f"got a path of {length} items, expected pairs")
                steps = tuple(_step(reader) for _ in range(length // 2))
            elif key == 2:
                fingerprint = reader.uint(0xFFFFFFFF).to_bytes(4, "big")
            elif reader.uint(255) != len(steps):
                raise CborMalformed("got a path of another depth than its steps")
        return cls(steps=steps, fingerprint=fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class EthSignRequest:
    """ERC-4527 `eth-sign-request`. What it says of path, address and origin is only a claim."""

    sign_data: bytes
    data_type: DataType
    chain_id: int
    path: Keypath
    request_id: bytes | None = None
    address: bytes | None = None
    origin: str | None = None

    def encode(self) -> bytes:
        """The UR's CBOR."""
        fields: dict[int, Any] = {
            1: CBORTag(_UUID_TAG, self.request_id) if self.request_id else None,
            2: self.sign_data,
            3: int(self.data_type),
            4: self.chain_id,
            5: self.path.item(),
            6: self.address,
            7: self.origin,
        }
        return dump({key: value for key, value in fields.items() if value is not None})

    @classmethod
    def decode(cls, data: bytes) -> "EthSignRequest":
        """Parse. Raises EthRequestInvalid, EthChainMissing."""
        got: dict[int, Any] = {}
        try:
            reader = Reader(data, CborMalformed)
            for key in _keys(reader, 7):
                got[key] = _request_field(reader, key)
            reader.done()
        except CborMalformed as error:
            raise EthRequestInvalid(str(error)) from error
        if 4 not in got:
            raise EthChainMissing("got no chain id, expected the request to name its chain")
        if not {2, 3, 5} <= set(got) or got[3] not in tuple(DataType):
            raise EthRequestInvalid("got a request without data, a known type, or a path")
        return cls(
            request_id=got.get(1),
            sign_data=got[2],
            data_type=DataType(got[3]),
            chain_id=got[4],
            path=got[5],
            address=got.get(6),
            origin=got.get(7),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EthSignature:
    """ERC-4527 `eth-signature`: r, s and v in 65 bytes."""

    signature: bytes
    request_id: bytes | None = None
    origin: str | None = None

    def encode(self) -> bytes:
        """The UR's CBOR."""
        fields: dict[int, Any] = {
            1: CBORTag(_UUID_TAG, self.request_id) if self.request_id else None,
            2: self.signature,
            3: self.origin,
        }
        return dump({key: value for key, value in fields.items() if value is not None})

    @classmethod
    def decode(cls, data: bytes) -> "EthSignature":
        """Parse. Raises EthSignatureInvalid."""
        got: dict[int, Any] = {}
        try:
            reader = Reader(data, CborMalformed)
            for key in _keys(reader, 3):
                if key == 1:
                    got[key] = _uuid(reader)
                elif key == 2:
                    got[key] = _exactly(reader, _SIGNATURE_BYTES)
                else:
                    got[key] = reader.text(_ORIGIN_BYTES_MAX)
            reader.done()
        except CborMalformed as error:
            raise EthSignatureInvalid(str(error)) from error
        if 2 not in got:
            raise EthSignatureInvalid("got no signature")
        return cls(request_id=got.get(1), signature=got[2], origin=got.get(3))


def pack(ur_type: UrType, content: bytes) -> bytes:
    """The CBOR that carries the content. Raises a TransportError for content of another type."""
    if not content:
        raise MessageSize("got a message without content")
    match ur_type:
        case UrType.BYTES:
            return dump(content)
        case UrType.PSBT | UrType.CRYPTO_PSBT:
            require_psbt(content)
            return dump(content)
        case UrType.ETH_SIGN_REQUEST:
            return EthSignRequest.decode(content).encode()
        case UrType.ETH_SIGNATURE:
            return EthSignature.decode(content).encode()


def unpack(ur_type: UrType, data: bytes) -> Message:
    """The message in a UR's CBOR. Raises a TransportError."""
    match ur_type:
        case UrType.BYTES:
            return Message(kind=Kind.BYTES, content=_only_bytes(data))
        case UrType.PSBT | UrType.CRYPTO_PSBT:
            return Message(kind=Kind.PSBT, content=_only_bytes(data))
        case UrType.ETH_SIGN_REQUEST:
            EthSignRequest.decode(data)
            return Message(kind=Kind.ETH_SIGN_REQUEST, content=data)
        case UrType.ETH_SIGNATURE:
            EthSignature.decode(data)
            return Message(kind=Kind.ETH_SIGNATURE, content=data)


def _only_bytes(data: bytes) -> bytes:
    reader = Reader(data, CborMalformed)
    content = reader.blob(MESSAGE_BYTES_MAX)
    reader.done()
    return content


def _keys(reader: Reader, most: int) -> Iterator[int]:
    """The keys of a map, from 1 to `most`, each once and in order."""
    before = 0
    for _ in range(reader.map(most)):
        key = reader.uint(most)
        if key <= before:
            raise CborMalformed(f"got key {key} after {before}, expected keys in order")
        before = key
        yield key


def _request_field(reader: Reader, key: int) -> Any:
    match key:
        case 1:
            return _uuid(reader)
        case 2:
            return reader.blob(MESSAGE_BYTES_MAX)
        case 3:
            return reader.uint(255)
        case 4:
            return reader.uint(_CHAIN_ID_MAX)
        case 5:
            return Keypath.read(reader)
        case 6:
            return _exactly(reader, _ADDRESS_BYTES)
        case _:
            return reader.text(_ORIGIN_BYTES_MAX)


def _step(reader: Reader) -> int:
    index = reader.uint(HARDENED - 1)
    return index | HARDENED if reader.boolean() else index


def _uuid(reader: Reader) -> bytes:
    reader.tag(_UUID_TAG)
    return _exactly(reader, _UUID_BYTES)


def _exactly(reader: Reader, size: int) -> bytes:
    got = reader.blob(size)
    if len(got) != size:
        raise CborMalformed(f"got {len(got)} bytes, expected {size}")
    return got

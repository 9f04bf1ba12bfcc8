"""Reading what others ask to be signed: EIP-712 documents and ERC-4527 `eth-sign-request`s.

Such a thing has no intent, no approvals and no sender that proved itself. It can be read; signing
takes a sealed request (SR1), which carries all three.
"""

from dataclasses import dataclass
from typing import TypeAlias

from chains.evm.hashing import keccak256
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.transactions import UnsignedTx
from chains.evm.typed_data import TypedData
from signer.errors import Refused
from signer.transports.ur_types import DataType, EthSignRequest

PERSONAL_BYTES_MAX = 8 * 1024
"""No message that a person reads to its end is longer."""

_JSON_FROM = b"{"
_CBOR_MAPS = range(0xA1, 0xA8)
_KEYS = range(1, 8)


@dataclass(frozen=True, slots=True)
class PersonalMessage:
    """Bytes that `personal_sign` (EIP-191, version 0x45) would put its prefix before."""

    content: bytes

    @property
    def signing_hash(self) -> bytes:
        """What wallets hash: prefix, length in decimal, content."""
        head = f"\x19Ethereum Signed Message:\n{len(self.content)}".encode()
        return keccak256(head + self.content)


Content: TypeAlias = TypedData | UnsignedTx | UnsignedLegacyTx | PersonalMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Something to sign, decoded; `request` is set where it came as an eth-sign-request."""

    content: Content
    request: EthSignRequest | None = None


def is_foreign(data: bytes) -> bool:
    """Whether bytes begin as a JSON document or as an eth-sign-request's CBOR.

    A sealed envelope is a map too, but its keys are texts.
    """
    if data.lstrip()[:1] == _JSON_FROM:
        return True
    return len(data) > 1 and data[0] in _CBOR_MAPS and data[1] in _KEYS


def read_foreign(data: bytes) -> Foreign:
    """Decode every byte. Raises ChainError, TransportError or Refused."""
    if data.lstrip()[:1] == _JSON_FROM:
        return Foreign(content=TypedData.decode(data))
    request = EthSignRequest.decode(data)
    content = content_of(request)
    if not isinstance(content, PersonalMessage) and content.chain_id != request.chain_id:
        raise Refused(
            "foreign.chain", f"got chain {request.chain_id}, the bytes name {content.chain_id}"
        )
    return Foreign(content=content, request=request)


def content_of(request: EthSignRequest) -> Content:
    """What a request's bytes are. Raises ChainError or Refused."""
    match request.data_type:
        case DataType.TYPED_DATA:
            return TypedData.decode(request.sign_data)
        case DataType.TYPED_TRANSACTION:
            return UnsignedTx.decode(request.sign_data)
        case DataType.LEGACY_TRANSACTION:
            return UnsignedLegacyTx.decode(request.sign_data)
        case DataType.PERSONAL_MESSAGE:
            if len(request.sign_data) > PERSONAL_BYTES_MAX:
                raise Refused(
                    "foreign.message",
                    f"got {len(request.sign_data)} bytes, expected at most {PERSONAL_BYTES_MAX}",
                )
            return PersonalMessage(request.sign_data)


def require_sealed(data: bytes) -> None:
    """Raise Refused for what can be shown and not signed."""
    if is_foreign(data):
        raise Refused(
            "request.foreign",
            "this is typed data or an eth-sign-request: `inspect` shows it; signing takes a sealed"
            " request (SR1) with its intent and approvals, which the service makes",
        )

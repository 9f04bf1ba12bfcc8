"""EIP-1559 transactions: the only type that we build, sign or send."""

from dataclasses import dataclass

import coincurve

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.addresses import ADDRESS_BYTES, of_public_key
from chains.evm.hashing import keccak256

TX_BYTES_MAX = 128 * 1024
"""Nodes take no larger transaction into their pools; checked before parsing."""

TYPE_BYTE = 0x02
"""The EIP-2718 type of an EIP-1559 transaction."""

NONCE_MAX = 2**64 - 2
"""EIP-2681: an account's last nonce."""

_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the secp256k1 group order: EIP-2 refuses a larger `s`."""

_UNSIGNED_FIELDS = 9
_SIGNED_FIELDS = 12


class LegacyTx(CodecError):
    """A transaction from before EIP-2718, which we never build."""

    code = "evm.legacy"


class BlobTx(CodecError):
    """An EIP-4844 blob transaction."""

    code = "evm.blob"


class SetCodeTx(CodecError):
    """An EIP-7702 transaction, which hands an account over to code."""

    code = "evm.set_code"


class UnknownTxType(CodecError):
    """A transaction type that we do not know."""

    code = "evm.unknown_type"


class ContractCreation(CodecError):
    """A transaction without a payee creates a contract."""

    code = "evm.creation"


class AccessListTx(CodecError):
    """A transaction with an EIP-2930 access list, which a payment does not need."""

    code = "evm.access_list"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTx:
    """An EIP-1559 transaction before its signature. Fees are wei for each unit of gas."""

    chain_id: int
    nonce: int
    priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int
    to: bytes
    value_wei: int
    data: bytes = b""

    def __post_init__(self) -> None:
        _check_ranges(self)

    def encode(self) -> bytes:
        """0x02 || rlp: what is stored, sent to a signer and hashed."""
        return bytes([TYPE_BYTE]) + rlp.encode(self.items)

    @classmethod
    def decode(cls, raw: bytes) -> "UnsignedTx":
        """Parse exactly what `encode` writes. Raises CodecError, each type with its own code."""
        return cls.of_items(_fields(raw, _UNSIGNED_FIELDS))

    @property
    def signing_hash(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak256(self.encode())

    @property
    def fee_wei_max(self) -> int:
        """What the network can take at most."""
        return self.gas_limit * self.max_fee_wei

    def with_signature(self, signature: bytes) -> "SignedTx":
        """The transaction ready to send, from 65 bytes r || s || v. Raises CodecError."""
        r, s, parity = split_signature(signature)
        items = [*self.items, rlp.encode_int(parity), rlp.encode_int(r), rlp.encode_int(s)]
        raw = bytes([TYPE_BYTE]) + rlp.encode(items)
        sender = recover(self.signing_hash, signature)
        return SignedTx(tx=self, sender=sender, raw=raw, txid=txid_of(raw))

    @property
    def items(self) -> list[object]:
        """The nine RLP fields that both forms, and an EIP-7702 transaction, begin with."""
        numbers = (
            self.chain_id,
            self.nonce,
            self.priority_fee_wei,
            self.max_fee_wei,
            self.gas_limit,
        )
        return [
            *(rlp.encode_int(number) for number in numbers),
            self.to,
            rlp.encode_int(self.value_wei),
            self.data,
            [],
        ]

    @classmethod
    def of_items(cls, items: list[rlp.Item]) -> "UnsignedTx":
        """From the nine RLP fields of `items`. Raises CodecError."""
        to, data, access_list = items[5], items[7], items[8]
        if not isinstance(to, bytes) or not isinstance(data, bytes):
            raise CodecError("got a list as payee or data, expected bytes")
        if to == b"":
            raise ContractCreation("got a transaction that creates a contract, expected a payee")
        if access_list != []:
            raise AccessListTx("got an access list, expected none")
        return cls(
            chain_id=rlp.decode_int(items[0], 64),
            nonce=rlp.decode_int(items[1], 64),
            priority_fee_wei=rlp.decode_int(items[2], 256),
            max_fee_wei=rlp.decode_int(items[3], 256),
            gas_limit=rlp.decode_int(items[4], 64),
            to=to,
            value_wei=rlp.decode_int(items[6], 256),
            data=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTx:
    """A transaction as it is sent; `txid` is 0x and 64 hex digits."""

    tx: UnsignedTx
    sender: bytes
    raw: bytes
    txid: str

    @classmethod
    def decode(cls, raw: bytes) -> "SignedTx":
        """Parse signed bytes and recover who signed them. Raises CodecError."""
        items = _fields(raw, _SIGNED_FIELDS)
        tx = UnsignedTx.of_items(items[:_UNSIGNED_FIELDS])
        parity = rlp.decode_int(items[9], 1)
        r, s = rlp.decode_int(items[10], 256), rlp.decode_int(items[11], 256)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        return tx.with_signature(signature)


def txid_of(raw: bytes) -> str:
    """The id of signed bytes, as nodes print it."""
    return "0x" + keccak256(raw).hex()


def split_signature(signature: bytes) -> tuple[int, int, int]:
    """(r, s, parity) of 65 bytes r || s || v with v in 0, 1, 27, 28. Raises CodecError.

    Only the lower of the two possible `s` values is taken (EIP-2).
    """
    if len(signature) != 65 or signature[64] not in (0, 1, 27, 28):
        raise CodecError("got a signature of another form, expected 65 bytes r || s || v")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not 0 < r or not 0 < s <= _HALF_ORDER:
        raise CodecError("got a signature with r or s out of range, expected low s")
    return r, s, (signature[64] & 1) ^ (signature[64] >= 27)


def recover(digest: bytes, signature: bytes) -> bytes:
    """The 20 address bytes of whoever signed `digest`. Raises CodecError."""
    _, _, parity = split_signature(signature)
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([parity]), digest, hasher=None
        )
    except ValueError as error:
        raise CodecError("got a signature that no key can have made") from error
    return of_public_key(key.format(compressed=False))


def _fields(raw: bytes, count: int) -> list[rlp.Item]:
    """The RLP fields behind the type byte."""
    if not 0 < len(raw) <= TX_BYTES_MAX:
        raise CodecError(f"got {len(raw)} bytes, expected 1 to {TX_BYTES_MAX}")
    _check_type(raw[0])
    items = rlp.decode(raw[1:])
    if not isinstance(items, list) or len(items) != count:
        raise CodecError(f"got another number of fields, expected a list of {count}")
    return items


def _check_type(type_byte: int) -> None:
    if type_byte == TYPE_BYTE:
        return
    if type_byte >= 0xC0:
        raise LegacyTx("got a legacy transaction, expected type 0x02")
    if type_byte == 0x03:
        raise BlobTx("got a blob transaction, expected type 0x02")
    if type_byte == 0x04:
        raise SetCodeTx("got an EIP-7702 transaction, expected type 0x02")
    raise UnknownTxType(f"got transaction type {type_byte:#04x}, expected 0x02")


def _check_ranges(tx: UnsignedTx) -> None:
    if len(tx.to) != ADDRESS_BYTES:
        raise CodecError(f"got a payee of {len(tx.to)} bytes, expected {ADDRESS_BYTES}")
    if not 0 < tx.chain_id < 2**63:
        raise CodecError(f"got chain id {tx.chain_id}, expected a positive number")
    if not 0 <= tx.nonce <= NONCE_MAX:
        raise CodecError(f"got nonce {tx.nonce}, expected 0 to 2^64-2")
    if not 0 < tx.gas_limit < 2**64:
        raise CodecError(f"got gas limit {tx.gas_limit}, expected 1 to 2^64-1")
    if not 0 <= tx.priority_fee_wei <= tx.max_fee_wei < 2**256:
        raise CodecError("got a priority fee above the maximum fee, or one out of range")
    if not 0 <= tx.value_wei < 2**256:
        raise CodecError("got a value out of range")

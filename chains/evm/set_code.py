"""EIP-7702 set-code transactions (type 4): a call that carries accounts' leave for a delegate."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.authorizations import SignedAuthorization
from chains.evm.hashing import keccak256
from chains.evm.transactions import (
    TX_BYTES_MAX,
    UnsignedTx,
    recover,
    split_signature,
    txid_of,
)

SET_CODE_TYPE = 0x04
"""The EIP-2718 type of a set-code transaction."""

_TYPE = bytes([SET_CODE_TYPE])

AUTHORIZATIONS_MAX = 100
"""More than one batch sweeps; checked while parsing."""

_CALL_FIELDS = 9
_UNSIGNED_FIELDS = 10
_SIGNED_FIELDS = 13


class NotSetCode(CodecError):
    """A transaction of another type, or of none."""

    code = "set_code.type"


class AuthorizationCount(CodecError):
    """No authorisation (the chain refuses that) or more than a batch has."""

    code = "set_code.count"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedSetCodeTx:
    """A call as EIP-1559 has it, with signed authorisations, before the sender's signature."""

    call: UnsignedTx
    authorizations: tuple[SignedAuthorization, ...]

    def __post_init__(self) -> None:
        count = len(self.authorizations)
        if not 1 <= count <= AUTHORIZATIONS_MAX:
            raise AuthorizationCount(
                f"got {count} authorisations, expected 1 to {AUTHORIZATIONS_MAX}"
            )

    def encode(self) -> bytes:
        """0x04 || rlp: what is stored, sent to a signer and hashed."""
        return bytes([SET_CODE_TYPE]) + rlp.encode(self._items())

    @classmethod
    def decode(cls, raw: bytes) -> "UnsignedSetCodeTx":
        """Parse exactly what `encode` writes. Raises CodecError."""
        return cls.of_items(_fields(raw, _UNSIGNED_FIELDS))

    @property
    def signing_hash(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak256(self.encode())

    def with_signature(self, signature: bytes) -> "SignedSetCodeTx":
        """The transaction ready to send, from 65 bytes r || s || v. Raises CodecError."""
        r, s, parity = split_signature(signature)
        items = [*self._items(), *(rlp.encode_int(number) for number in (parity, r, s))]
        raw = bytes([SET_CODE_TYPE]) + rlp.encode(items)
        return SignedSetCodeTx(
            tx=self, sender=recover(self.signing_hash, signature), raw=raw, txid=txid_of(raw)
        )

    def _items(self) -> list[object]:
        return [*self.call.items, [one.items for one in self.authorizations]]

    @classmethod
    def of_items(cls, items: list[rlp.Item]) -> "UnsignedSetCodeTx":
        """From the ten RLP fields that both forms begin with. Raises CodecError."""
        listed = items[_CALL_FIELDS]
        if not isinstance(listed, list):
            raise CodecError("got no list of authorisations")
        if len(listed) > AUTHORIZATIONS_MAX:
            raise AuthorizationCount(f"got more than {AUTHORIZATIONS_MAX} authorisations")
        return cls(
            call=UnsignedTx.of_items(items[:_CALL_FIELDS]),
            authorizations=tuple(SignedAuthorization.of_items(one) for one in listed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedSetCodeTx:
    """A set-code transaction as it is sent; `txid` is 0x and 64 hex digits."""

    tx: UnsignedSetCodeTx
    sender: bytes
    raw: bytes = field(repr=False)
    txid: str

    @classmethod
    def decode(cls, raw: bytes) -> "SignedSetCodeTx":
        """Parse signed bytes and recover who signed them. Raises CodecError."""
        items = _fields(raw, _SIGNED_FIELDS)
        tx = UnsignedSetCodeTx.of_items(items[:_UNSIGNED_FIELDS])
        parity = rlp.decode_int(items[10], 1)
        r, s = rlp.decode_int(items[11], 256), rlp.decode_int(items[12], 256)
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        return tx.with_signature(signature)


SweepTx: TypeAlias = UnsignedTx | UnsignedSetCodeTx
"""A batch before its signature: with accounts' leave, or without where all have given it."""


def decode_sweep(raw: bytes) -> SweepTx:
    """Parse either type of a batch. Raises CodecError."""
    return UnsignedSetCodeTx.decode(raw) if raw[:1] == _TYPE else UnsignedTx.decode(raw)


def call_of(tx: SweepTx) -> UnsignedTx:
    """The call that either type makes."""
    return tx.call if isinstance(tx, UnsignedSetCodeTx) else tx


def with_fees(tx: SweepTx, max_fee_wei: int, priority_fee_wei: int) -> SweepTx:
    """The same transaction at other fees, in wei for each unit of gas."""
    call = replace(call_of(tx), max_fee_wei=max_fee_wei, priority_fee_wei=priority_fee_wei)
    return replace(tx, call=call) if isinstance(tx, UnsignedSetCodeTx) else call


def deed_digest(tx: SweepTx) -> bytes:
    """SHA-256 of all that a batch does, whatever its nonce and fees: gas, payee, data, leave."""
    call = call_of(tx)
    free = replace(call, nonce=0, max_fee_wei=0, priority_fee_wei=0)
    return hashlib.sha256(
        (replace(tx, call=free) if isinstance(tx, UnsignedSetCodeTx) else free).encode()
    ).digest()


def _fields(raw: bytes, count: int) -> list[rlp.Item]:
    """The RLP fields behind the type byte."""
    if not 0 < len(raw) <= TX_BYTES_MAX:
        raise CodecError(f"got {len(raw)} bytes, expected 1 to {TX_BYTES_MAX}")
    if raw[0] != SET_CODE_TYPE:
        raise NotSetCode(f"got transaction type {raw[0]:#04x}, expected 0x04")
    items = rlp.decode(raw[1:])
    if not isinstance(items, list) or len(items) != count:
        raise CodecError(f"got another number of fields, expected a list of {count}")
    return items

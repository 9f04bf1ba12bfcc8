"""Legacy transactions with the chain id of EIP-155, for chains that take nothing newer."""

from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.addresses import ADDRESS_BYTES
from chains.evm.hashing import keccak256
from chains.evm.transactions import (
    NONCE_MAX,
    TX_BYTES_MAX,
    ContractCreation,
    recover,
    split_signature,
    txid_of,
)

_SIGNATURE_BASE = 35
"""EIP-155: v is this, twice the chain id, and the parity."""


class UnprotectedTx(CodecError):
    """A transaction from before EIP-155: good on every chain."""

    code = "evm.unprotected"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedLegacyTx:
    """A legacy transaction before its signature. `max_fee_wei` is its gas price."""

    chain_id: int
    nonce: int
    max_fee_wei: int
    gas_limit: int
    to: bytes
    value_wei: int
    data: bytes = b""

    def __post_init__(self) -> None:
        if len(self.to) != ADDRESS_BYTES:
            raise CodecError(f"got a payee of {len(self.to)} bytes, expected {ADDRESS_BYTES}")
        if not 0 < self.chain_id < 2**63:
            raise CodecError(f"got chain id {self.chain_id}, expected a positive number")
        if not 0 <= self.nonce <= NONCE_MAX or not 0 < self.gas_limit < 2**64:
            raise CodecError("got a nonce or gas limit out of range")
        if not 0 <= self.max_fee_wei < 2**256 or not 0 <= self.value_wei < 2**256:
            raise CodecError("got a gas price or value out of range")

    def encode(self) -> bytes:
        """rlp([nonce, gasPrice, gas, to, value, data, chainId, 0, 0]): what is hashed."""
        return rlp.encode([*self._items(), rlp.encode_int(self.chain_id), b"", b""])

    @classmethod
    def decode(cls, raw: bytes) -> "UnsignedLegacyTx":
        """Parse exactly what `encode` writes. Raises CodecError."""
        if len(raw) > TX_BYTES_MAX:
            raise CodecError(f"got {len(raw)} bytes, expected at most {TX_BYTES_MAX}")
        items = rlp.decode(raw)
        if isinstance(items, list) and len(items) == 6:
            raise UnprotectedTx("got a transaction without chain id, good on every chain")
        if not isinstance(items, list) or len(items) != 9 or items[7:] != [b"", b""]:
            raise CodecError("got a legacy transaction of another shape, expected EIP-155")
        to, data = items[3], items[5]
        if not isinstance(to, bytes) or not isinstance(data, bytes):
            raise CodecError("got a list as payee or data, expected bytes")
        if to == b"":
            raise ContractCreation("got a transaction that creates a contract, expected a payee")
        return cls(
            nonce=rlp.decode_int(items[0], 64),
            max_fee_wei=rlp.decode_int(items[1], 256),
            gas_limit=rlp.decode_int(items[2], 64),
            to=to,
            value_wei=rlp.decode_int(items[4], 256),
            data=data,
            chain_id=rlp.decode_int(items[6], 64),
        )

    @property
    def signing_hash(self) -> bytes:
        """The 32 bytes that the sender signs."""
        return keccak256(self.encode())

    @property
    def fee_wei_max(self) -> int:
        """What the network can take at most."""
        return self.gas_limit * self.max_fee_wei

    def with_signature(self, signature: bytes) -> tuple[bytes, bytes, str]:
        """(raw, sender, txid) ready to send, from 65 bytes r || s || v. Raises CodecError."""
        r, s, parity = split_signature(signature)
        v = _SIGNATURE_BASE + 2 * self.chain_id + parity
        raw = rlp.encode([*self._items(), *(rlp.encode_int(part) for part in (v, r, s))])
        return raw, recover(self.signing_hash, signature), txid_of(raw)

    def _items(self) -> list[object]:
        numbers = (self.nonce, self.max_fee_wei, self.gas_limit)
        return [
            *(rlp.encode_int(number) for number in numbers),
            self.to,
            rlp.encode_int(self.value_wei),
            self.data,
        ]

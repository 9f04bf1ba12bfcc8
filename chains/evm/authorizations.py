"""EIP-7702 authorisations: an account's signed leave to run a contract's code as its own."""

from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import rlp
from chains.evm.addresses import ADDRESS_BYTES
from chains.evm.hashing import keccak256
from chains.evm.transactions import NONCE_MAX, recover, split_signature

MAGIC = 0x05
"""The byte that keeps an authorisation's hash apart from every transaction's."""

AUTHORIZATION_BYTES_MAX = 64
"""0x05, a list prefix and three short items; checked before parsing."""

SIGNED_BYTES_MAX = 160
"""Six short items and their prefix; checked before parsing."""


class AnyChain(CodecError):
    """Chain id 0: the authorisation would hold on every chain."""

    code = "delegation.any_chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """Leave to run `delegate`'s code, good for one nonce of the signing account on one chain."""

    chain_id: int
    delegate: bytes
    nonce: int

    def __post_init__(self) -> None:
        if self.chain_id == 0:
            raise AnyChain("got chain id 0, which is every chain")
        if not 0 < self.chain_id < 2**63:
            raise CodecError(f"got chain id {self.chain_id}, expected a positive number")
        if len(self.delegate) != ADDRESS_BYTES:
            raise CodecError(f"got a delegate of {len(self.delegate)} bytes, expected 20")
        if not 0 <= self.nonce <= NONCE_MAX:
            raise CodecError(f"got nonce {self.nonce}, expected 0 to 2^64-2")

    def encode(self) -> bytes:
        """0x05 || rlp([chain_id, address, nonce]): what is hashed and signed."""
        items = [rlp.encode_int(self.chain_id), self.delegate, rlp.encode_int(self.nonce)]
        return bytes([MAGIC]) + rlp.encode(items)

    @classmethod
    def decode(cls, raw: bytes) -> "Authorization":
        """Parse exactly what `encode` writes. Raises CodecError."""
        if not 0 < len(raw) <= AUTHORIZATION_BYTES_MAX or raw[0] != MAGIC:
            raise CodecError("got bytes that are not an EIP-7702 authorisation")
        items = rlp.decode(raw[1:])
        if not isinstance(items, list) or len(items) != 3 or not isinstance(items[1], bytes):
            raise CodecError("got an authorisation of another shape, expected three fields")
        return cls(
            chain_id=rlp.decode_int(items[0], 256),
            delegate=items[1],
            nonce=rlp.decode_int(items[2], 64),
        )

    @property
    def signing_hash(self) -> bytes:
        """The 32 bytes that the account signs."""
        return keccak256(self.encode())

    def with_signature(self, signature: bytes) -> "SignedAuthorization":
        """The signed form, from 65 bytes r || s || v. Raises CodecError."""
        return SignedAuthorization.of(self, *split_signature(signature))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAuthorization:
    """An authorisation with its signature; `authority` is the account that gave it."""

    authorization: Authorization
    parity: int
    r: int
    s: int
    authority: bytes

    @classmethod
    def of(cls, authorization: Authorization, r: int, s: int, parity: int) -> "SignedAuthorization":
        """Recover who signed. Raises CodecError for a signature that no account made."""
        signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([parity])
        return cls(
            authorization=authorization,
            parity=parity,
            r=r,
            s=s,
            authority=recover(authorization.signing_hash, signature),
        )

    @property
    def items(self) -> list[object]:
        """The six RLP fields, as a transaction's authorisation list holds them."""
        one = self.authorization
        numbers = (self.parity, self.r, self.s)
        return [
            rlp.encode_int(one.chain_id),
            one.delegate,
            rlp.encode_int(one.nonce),
            *(rlp.encode_int(number) for number in numbers),
        ]

    @classmethod
    def of_items(cls, items: rlp.Item) -> "SignedAuthorization":
        """From six RLP fields. Raises CodecError."""
        if not isinstance(items, list) or len(items) != 6 or not isinstance(items[1], bytes):
            raise CodecError("got a signed authorisation of another shape, expected six fields")
        return cls.of(
            Authorization(
                chain_id=rlp.decode_int(items[0], 256),
                delegate=items[1],
                nonce=rlp.decode_int(items[2], 64),
            ),
            rlp.decode_int(items[4], 256),
            rlp.decode_int(items[5], 256),
            rlp.decode_int(items[3], 1),
        )

    def encode(self) -> bytes:
        """The six fields as bytes of their own: how a signed authorisation is kept."""
        return rlp.encode(self.items)

    @classmethod
    def decode(cls, raw: bytes) -> "SignedAuthorization":
        """Parse exactly what `encode` writes. Raises CodecError."""
        if len(raw) > SIGNED_BYTES_MAX:
            raise CodecError(f"got {len(raw)} bytes, expected at most {SIGNED_BYTES_MAX}")
        return cls.of_items(rlp.decode(raw))

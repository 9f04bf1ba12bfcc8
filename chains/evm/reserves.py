"""What shows that an EVM account is ours: typed data about itself, which moves nothing (EIP-712).

A plain account signs `Reserves` in a domain that names it. A Safe's owners sign a `SafeMessage`
over that digest, so that the Safe itself says yes when asked (EIP-1271, `isValidSignature`).
"""

from dataclasses import dataclass

from chains.evm import abi
from chains.evm.addresses import checksum
from chains.evm.hashing import keccak256
from chains.evm.safe import DOMAIN_TYPEHASH
from chains.evm.typed_data import DOMAIN, TypedData, Types

NAME, VERSION = "Proof of reserves", "1"

TYPES: Types = {
    DOMAIN: (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    ),
    "Reserves": (("statement", "bytes32"), ("height", "uint256"), ("blockHash", "bytes32")),
}

SAFE_MESSAGE_TYPEHASH = bytes.fromhex(
    "60b3cbf8b4a223d68d641b3b6ddf9a298e7f33710cf3d3a9d1146b5a6150fbca"
)
"""keccak-256 of SafeMessage(bytes message)."""

IS_VALID_SIGNATURE = bytes.fromhex("1626ba7e")
"""isValidSignature(bytes32,bytes), and the answer to a good signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProof:
    """A statement's digest, the block at which the account held something, and the account."""

    chain_id: int
    account: bytes
    statement: bytes
    height: int
    block_hash: bytes

    @property
    def typed_data(self) -> TypedData:
        """The document, as any wallet shows it. Raises CodecError."""
        return TypedData(
            types=TYPES,
            primary_type="Reserves",
            domain={
                "name": NAME,
                "version": VERSION,
                "chainId": self.chain_id,
                "verifyingContract": checksum(self.account),
            },
            message={
                "statement": "0x" + self.statement.hex(),
                "height": self.height,
                "blockHash": "0x" + self.block_hash.hex(),
            },
        )

    @property
    def digest(self) -> bytes:
        """What a plain account signs."""
        return self.typed_data.signing_hash

    @property
    def safe_digest(self) -> bytes:
        """What the owners of a Safe sign, where the account is one."""
        domain = DOMAIN_TYPEHASH + abi.word(self.chain_id) + abi.address_word(self.account)
        message = keccak256(SAFE_MESSAGE_TYPEHASH + keccak256(self.digest))
        return keccak256(b"\x19\x01" + keccak256(domain) + message)

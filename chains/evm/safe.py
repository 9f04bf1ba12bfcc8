"""Safe: the vault, what its owners sign, and the call that carries their signatures.

Only the EIP-712 domain of Safe 1.3.0 and newer is known here. Older ones leave out the chain id, so
a signature for one chain is good on another.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm import abi
from chains.evm.accounts import address_of_key, first_public_key, text_fields
from chains.evm.addresses import ADDRESS_BYTES, checksum, from_text
from chains.evm.hashing import keccak256
from chains.evm.params import BUILTIN
from chains.evm.safe_contracts import RELEASES
from chains.hd import KeyOrigin

SAFE_TX_TYPEHASH = bytes.fromhex("bb8310d486368db6bd6f849402fdd73ad53d316b5a4b2644ad6efe0f941286d8")
"""keccak-256 of the SafeTx type as the contract spells it."""

DOMAIN_TYPEHASH = bytes.fromhex("47e79534a245952e8b16893a336b85a3d9ea9fa8c573f3d803afb92a79469218")
"""keccak-256 of EIP712Domain(uint256 chainId,address verifyingContract)."""

EXEC_TRANSACTION = bytes.fromhex("6a761202")
"""execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)."""

PAYLOAD_BYTES_MAX = 16 * 1024
"""A payment needs a few hundred bytes; checked before parsing."""

OWNERS_MAX = 50
"""More signatures than this are not parsed."""

THRESHOLD_MIN = 2
"""A Safe that one key can move is no vault."""

_NOBODY = bytes(ADDRESS_BYTES)
_PAYLOAD_WORDS = 12
_CALL_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeTx:
    """A transaction of a Safe, with the chain and the Safe that it is bound to.

    `operation` 0 is a call and 1 a delegatecall. The gas fields repay a relayer; ours are zero.
    """

    chain_id: int
    safe: bytes
    to: bytes
    value_wei: int
    nonce: int
    data: bytes = b""
    operation: int = 0
    safe_tx_gas: int = 0
    base_gas: int = 0
    gas_price_wei: int = 0
    gas_token: bytes = _NOBODY
    refund_receiver: bytes = _NOBODY

    def __post_init__(self) -> None:
        addresses = (self.safe, self.to, self.gas_token, self.refund_receiver)
        if any(len(address) != ADDRESS_BYTES for address in addresses):
            raise CodecError(f"got an address that is not {ADDRESS_BYTES} bytes")
        numbers = (
            self.chain_id,
            self.value_wei,
            self.nonce,
            self.safe_tx_gas,
            self.base_gas,
            self.gas_price_wei,
        )
        if any(not 0 <= number < 2**256 for number in numbers):
            raise CodecError("got a number that is not between 0 and 2^256")
        if not 0 <= self.operation <= 255:
            raise CodecError(f"got operation {self.operation}, expected one byte")

    def encode(self) -> bytes:
        """The payload of a signing request: abi.encode(chainId, safe, SafeTx fields, nonce)."""
        head = [
            abi.word(self.chain_id),
            abi.address_word(self.safe),
            abi.address_word(self.to),
            abi.word(self.value_wei),
            abi.word(_PAYLOAD_WORDS * abi.WORD),
            *self._gas_words(),
            abi.word(self.nonce),
        ]
        return b"".join(head) + abi.tail(self.data)

    @classmethod
    def decode(cls, payload: bytes) -> "SafeTx":
        """Parse exactly what `encode` writes. Raises CodecError."""
        _check_size(payload)
        tx = cls(
            chain_id=abi.read_int(payload, 0),
            safe=abi.read_address(payload, 1),
            to=abi.read_address(payload, 2),
            value_wei=abi.read_int(payload, 3),
            data=abi.read_tail(payload, 4),
            operation=abi.read_int(payload, 5),
            safe_tx_gas=abi.read_int(payload, 6),
            base_gas=abi.read_int(payload, 7),
            gas_price_wei=abi.read_int(payload, 8),
            gas_token=abi.read_address(payload, 9),
            refund_receiver=abi.read_address(payload, 10),
            nonce=abi.read_int(payload, 11),
        )
        if tx.encode() != payload:
            raise CodecError("got a SafeTx that is not in canonical form")
        return tx

    @property
    def domain_hash(self) -> bytes:
        """The EIP-712 domain separator: which chain and which Safe."""
        return keccak256(DOMAIN_TYPEHASH + abi.word(self.chain_id) + abi.address_word(self.safe))

    @property
    def message_hash(self) -> bytes:
        """The EIP-712 struct hash: what the Safe will do."""
        words = [
            SAFE_TX_TYPEHASH,
            abi.address_word(self.to),
            abi.word(self.value_wei),
            keccak256(self.data),
            *self._gas_words(),
            abi.word(self.nonce),
        ]
        return keccak256(b"".join(words))

    @property
    def safe_tx_hash(self) -> bytes:
        """The 32 bytes that owners sign; the contract's getTransactionHash."""
        return keccak256(b"\x19\x01" + self.domain_hash + self.message_hash)

    def _gas_words(self) -> list[bytes]:
        return [
            abi.word(self.operation),
            abi.word(self.safe_tx_gas),
            abi.word(self.base_gas),
            abi.word(self.gas_price_wei),
            abi.address_word(self.gas_token),
            abi.address_word(self.refund_receiver),
        ]

    def execution_calldata(self, signatures: bytes) -> bytes:
        """Calldata of execTransaction with the owners' packed signatures, for the Safe itself."""
        data = abi.tail(self.data)
        start = _CALL_WORDS * abi.WORD
        head = [
            abi.address_word(self.to),
            abi.word(self.value_wei),
            abi.word(start),
            *self._gas_words(),
            abi.word(start + len(data)),
        ]
        return EXEC_TRANSACTION + b"".join(head) + data + abi.tail(signatures)

    @classmethod
    def decode_execution(
        cls, calldata: bytes, *, chain_id: int, safe: bytes, nonce: int
    ) -> tuple["SafeTx", bytes]:
        """The SafeTx and the packed signatures of an execTransaction call. Raises CodecError.

        Calldata holds no nonce: the Safe takes its own next one, so the caller must name it, and
        then check that the signatures are over exactly that.
        """
        _check_size(calldata)
        if abi.selector(calldata) != EXEC_TRANSACTION:
            raise CodecError("got another function, expected execTransaction")
        body = calldata[4:]
        tx = cls(
            chain_id=chain_id,
            safe=safe,
            to=abi.read_address(body, 0),
            value_wei=abi.read_int(body, 1),
            data=abi.read_tail(body, 2),
            operation=abi.read_int(body, 3),
            safe_tx_gas=abi.read_int(body, 4),
            base_gas=abi.read_int(body, 5),
            gas_price_wei=abi.read_int(body, 6),
            gas_token=abi.read_address(body, 7),
            refund_receiver=abi.read_address(body, 8),
            nonce=nonce,
        )
        signatures = abi.read_tail(body, 9)
        if tx.execution_calldata(signatures) != calldata:
            raise CodecError("got an execTransaction call that is not in canonical form")
        return tx, signatures


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeVault:
    """A registered Safe: everything about it is pinned. `keys` are the owners' account keys."""

    name: str
    network: str
    chain_id: int
    address: bytes
    version: str
    singleton: bytes
    owners: tuple[bytes, ...]
    threshold: int
    keys: tuple[KeyOrigin, ...]

    @classmethod
    def load(cls, values: Mapping[str, object]) -> "SafeVault":
        """A vault file of kind "safe". Raises CodecError."""
        lists = {name: _texts(values.get(name), name) for name in ("owners", "keys")}
        numbers = {name: _number(values.get(name), name) for name in ("chain_id", "threshold")}
        rest = {k: v for k, v in values.items() if k not in lists and k not in numbers}
        names = ("name", "network", "kind", "address", "version", "singleton")
        fields = text_fields(rest, names)
        vault = cls(
            name=fields["name"],
            network=fields["network"],
            chain_id=numbers["chain_id"],
            address=from_text(fields["address"]),
            version=fields["version"],
            singleton=from_text(fields["singleton"]),
            owners=tuple(from_text(owner) for owner in lists["owners"]),
            threshold=numbers["threshold"],
            keys=tuple(KeyOrigin.parse(key) for key in lists["keys"]),
        )
        vault.check()
        return vault

    def check(self) -> None:
        """Raise CodecError unless version, singleton, owners, threshold and keys fit together."""
        release = RELEASES.get(self.version)
        if release is None:
            raise CodecError(f"got Safe version {self.version!r}, expected {sorted(RELEASES)}")
        builtin = BUILTIN.get(self.network)
        if builtin is not None and builtin.chain_id != self.chain_id:
            raise CodecError(f"got chain id {self.chain_id}, expected {builtin.chain_id}")
        canonical = (from_text(release.singleton), from_text(release.singleton_l2))
        may_differ = builtin is not None and not builtin.canonical_safes
        if self.singleton not in canonical and not may_differ:
            raise CodecError(f"got singleton {checksum(self.singleton)}, expected a published one")
        if len(set(self.owners)) != len(self.owners) or self.address in self.owners:
            raise CodecError("got an owner twice, or the Safe as its own owner")
        if not THRESHOLD_MIN <= self.threshold <= len(self.owners) <= OWNERS_MAX:
            raise CodecError(f"got {self.threshold} of {len(self.owners)}, expected at least 2")
        derived = [self.owner_of(key) for key in self.keys]
        if len(set(derived)) != len(derived):
            raise CodecError("got the same key twice, expected distinct keys")

    def owner_of(self, key: KeyOrigin) -> bytes:
        """The owner address at 0/0 of an account key. Raises CodecError when it is no owner."""
        address = address_of_key(first_public_key(key))
        if address not in self.owners:
            raise CodecError(f"got a key of {checksum(address)}, expected one of the Safe's owners")
        return address

    def address_at(self, index: int) -> bytes:
        """The Safe's address; `index` can only be 0."""
        if index != 0:
            raise CodecError(f"got address index {index}, expected 0: a Safe has one address")
        return self.address

    def address_text(self, index: int) -> str:
        """The EIP-55 text of the Safe's address; `index` can only be 0."""
        return checksum(self.address_at(index))


def _check_size(data: bytes) -> None:
    if len(data) > PAYLOAD_BYTES_MAX:
        raise CodecError(f"got {len(data)} bytes, expected at most {PAYLOAD_BYTES_MAX}")


def _texts(value: object, name: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise CodecError(f"got {name} of another shape, expected a list of text")
    return list(value)


def _number(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CodecError(f"got {name} of another shape, expected a number")
    return value

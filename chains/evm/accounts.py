"""EVM vaults that are plain accounts: addresses below an xpub, and one fixed address."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import coincurve

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text, of_public_key
from chains.hd import ExtendedKey, KeyOrigin

INDEX_MAX = 2**31 - 1
"""Indexes above are hardened and cannot be derived from an xpub."""

BRANCH = 0
"""The only branch that EVM accounts use (BIP-44 external)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccount:
    """An account whose address `i` is child 0/i of a public key: the deposit addresses."""

    name: str
    network: str
    key: KeyOrigin
    branch_key: ExtendedKey = field(repr=False)

    @classmethod
    def load(cls, values: Mapping[str, object]) -> "KeyAccount":
        """A vault file of kind "keys". Raises CodecError."""
        fields = text_fields(values, ("name", "network", "kind", "key"))
        origin = KeyOrigin.parse(fields["key"])
        return cls(
            name=fields["name"],
            network=fields["network"],
            key=origin,
            branch_key=origin.key.child(BRANCH),
        )

    def public_key_at(self, index: int) -> bytes:
        """The compressed public key of address `index`. Raises CodecError out of range."""
        if not 0 <= index <= INDEX_MAX:
            raise CodecError(f"got address index {index}, expected 0 to {INDEX_MAX}")
        return self.branch_key.child_key(index)

    def address_at(self, index: int) -> bytes:
        """The 20 bytes of address `index`."""
        return address_of_key(self.public_key_at(index))

    def address_text(self, index: int) -> str:
        """The EIP-55 text of address `index`."""
        return checksum(self.address_at(index))


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedAddress:
    """An account with one address, child 0/0 of a public key: the hot account."""

    name: str
    network: str
    key: KeyOrigin
    address: bytes

    @classmethod
    def load(cls, values: Mapping[str, object]) -> "FixedAddress":
        """A vault file of kind "address"; the address must be the key's. Raises CodecError."""
        fields = text_fields(values, ("name", "network", "kind", "key", "address"))
        origin = KeyOrigin.parse(fields["key"])
        address = from_text(fields["address"])
        derived = address_of_key(first_public_key(origin))
        if address != derived:
            raise CodecError(f"got {fields['address']}, expected the key's {checksum(derived)}")
        return cls(name=fields["name"], network=fields["network"], key=origin, address=address)

    def public_key_at(self, index: int) -> bytes:
        """The compressed public key; `index` can only be 0. Raises CodecError."""
        if index != 0:
            raise CodecError(f"got address index {index}, expected 0: this account has one address")
        return first_public_key(self.key)

    def address_at(self, index: int) -> bytes:
        """The 20 address bytes; `index` can only be 0."""
        return address_of_key(self.public_key_at(index))

    def address_text(self, index: int) -> str:
        """The EIP-55 text; `index` can only be 0."""
        return checksum(self.address_at(index))


def first_public_key(origin: KeyOrigin) -> bytes:
    """The compressed key at 0/0 of an account key: how a hot account and a Safe owner derive."""
    return origin.key.child(BRANCH).child_key(0)


def address_of_key(compressed: bytes) -> bytes:
    """The 20 address bytes of a compressed public key. Raises CodecError."""
    try:
        key = coincurve.PublicKey(compressed)
    except ValueError as error:
        raise CodecError("got bytes that are not a public key") from error
    return of_public_key(key.format(compressed=False))


def text_fields(values: Mapping[str, object], names: tuple[str, ...]) -> dict[str, str]:
    """Exactly the named fields, all of them text. Raises CodecError naming what is wrong."""
    if set(values) != set(names):
        raise CodecError(f"got vault fields {sorted(values)}, expected {sorted(names)}")
    wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
    if wrong:
        raise CodecError(f"got vault fields {wrong} that are not text")
    return {name: str(value) for name, value in values.items()}

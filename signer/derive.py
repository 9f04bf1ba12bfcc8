"""Private BIP-32 derivation from a seed to the key at a path; no key leaves as text."""

import hmac
from dataclasses import dataclass, field

from embit import base58

from chains.hd import HARDENED
from chains.utxo.scripts import hash160
from signer import secp
from signer.errors import SignerError


class DerivationError(SignerError):
    """A seed or path that gives no key."""

    code = "derive.invalid"


@dataclass(frozen=True, slots=True)
class PrivateNode:
    """An extended private key: secret and chain code are never shown."""

    secret: bytes = field(repr=False)
    chain_code: bytes = field(repr=False)
    public_key: bytes
    depth: int
    index: int
    parent_fingerprint: bytes

    @property
    def fingerprint(self) -> bytes:
        """First four bytes of HASH160 of the public key."""
        return hash160(self.public_key)[:4]

    def child_secret(self, index: int) -> bytes:
        """The child's private key alone: what the last step before a signature needs."""
        return self._tweaked(index)[0]

    def child(self, index: int) -> "PrivateNode":
        """CKDpriv. Raises DerivationError for the one in 2^127 index that has no key."""
        secret, chain_code = self._tweaked(index)
        return PrivateNode(
            secret=secret,
            chain_code=chain_code,
            public_key=secp.public_key(secret),
            depth=self.depth + 1,
            index=index,
            parent_fingerprint=self.fingerprint,
        )

    def _tweaked(self, index: int) -> tuple[bytes, bytes]:
        if not 0 <= index < 2 * HARDENED:
            raise DerivationError(f"got index {index}, expected 0 to 2^32 - 1")
        head = b"\x00" + self.secret if index >= HARDENED else self.public_key
        digest = hmac.digest(self.chain_code, head + index.to_bytes(4, "big"), "sha512")
        secret = secp.tweaked(self.secret, digest[:32])
        if secret is None:
            raise DerivationError(f"got index {index} that has no key, expected another index")
        return secret, digest[32:]

    def xpub(self, version: int) -> str:
        """Extended public key as text, with the network's BIP-32 version."""
        raw = (
            version.to_bytes(4, "big")
            + bytes([self.depth])
            + self.parent_fingerprint
            + self.index.to_bytes(4, "big")
            + self.chain_code
            + self.public_key
        )
        return str(base58.encode_check(raw))


def master(seed: bytes) -> PrivateNode:
    """The master key of a 16 to 64 byte seed."""
    if not 16 <= len(seed) <= 64:
        raise DerivationError(f"got a seed of {len(seed)} bytes, expected 16 to 64")
    digest = hmac.digest(b"Bitcoin seed", seed, "sha512")
    secret = digest[:32]
    if not 0 < int.from_bytes(secret, "big") < secp.ORDER:
        raise DerivationError("got a seed without a master key, expected another seed")
    return PrivateNode(
        secret=secret,
        chain_code=digest[32:],
        public_key=secp.public_key(secret),
        depth=0,
        index=0,
        parent_fingerprint=bytes(4),
    )


class KeyChain:
    """The keys of one seed while it is unlocked; remembers the branches it has walked."""

    def __init__(self, seed: bytes) -> None:
        self._root = master(seed)
        self._branches: dict[tuple[int, ...], PrivateNode] = {}

    @property
    def fingerprint(self) -> str:
        """Master fingerprint, 8 hex digits."""
        return self._root.fingerprint.hex()

    def node(self, path: tuple[int, ...]) -> PrivateNode:
        """The node at a full path."""
        return self._parent(path).child(path[-1]) if path else self._root

    def secret(self, path: tuple[int, ...]) -> bytes:
        """The private key at a full path of one step or more."""
        return self._parent(path).child_secret(path[-1])

    def _parent(self, path: tuple[int, ...]) -> PrivateNode:
        parent = self._branches.get(path[:-1])
        if parent is None:
            parent = self.node(path[:-1])
            self._branches[path[:-1]] = parent
        return parent

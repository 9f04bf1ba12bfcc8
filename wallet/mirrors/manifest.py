"""An image's manifest: what it is of, and the digest of each part. Signed by the service's key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from signer.protocol import ProtocolError, Sealed, dump
from signer.protocol.wire import Fields, as_blob, as_text, as_units
from wallet.mirrors.errors import ImageMalformed, SignatureWrong

DOMAIN = "ledger-image"
"""What a manifest's signature is over, beside its bytes."""

PARTS = ("accounts", "balances", "holds", "standing", "batches", "ids")
"""In their order in the file; the last two only where the ledger joined from it shall post."""

STATE_PARTS = PARTS[:4]
HASH_BYTES = 32

Attest = Callable[[str, bytes], Sealed]
"""Signs a domain and a body: wallet.signing.coordinator.Coordinator.attest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the file: where its compressed bytes lie, and what comes out of them.

    `digest` is SHA-256 of its `size` bytes uncompressed, which are `rows` rows.
    """

    name: str
    offset: int
    stored: int
    size: int
    rows: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image of the ledger after the batch `height`, whose own row is the four fields behind it.

    `fingerprint` is that of wallet.ledger.encoding over accounts, balances and open holds; what
    stands beside them (wallet.mirrors.standing) is covered by the digest of its part.
    """

    tag: str
    height: int
    cause: str
    content: bytes
    batch_created_s: int
    transfers: int
    state_hash: bytes
    fingerprint: bytes
    created_s: int
    parts: tuple[Part, ...]

    @property
    def has_ids(self) -> bool:
        """Whether who joins from it may post: it has the causes and ids posted before."""
        return len(self.parts) == len(PARTS)

    def part(self, name: str) -> Part:
        """A part by its name."""
        return next(part for part in self.parts if part.name == name)

    def encode(self) -> bytes:
        """The bytes that are signed: deterministic CBOR."""
        return dump(
            {
                "v": 1,
                "tag": self.tag,
                "height": self.height,
                "cause": self.cause,
                "content": self.content,
                "batch_created_s": self.batch_created_s,
                "transfers": self.transfers,
                "state_hash": self.state_hash,
                "fingerprint": self.fingerprint,
                "created_s": self.created_s,
                "parts": [
                    [p.name, p.offset, p.stored, p.size, p.rows, p.digest] for p in self.parts
                ],
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "Manifest":
        """Parse the signed bytes. Raises ImageMalformed."""
        try:
            fields = Fields(body, "an image's manifest")
            manifest = cls(
                tag=fields.text("tag"),
                height=fields.units("height"),
                cause=fields.text("cause"),
                content=_hash(fields.blob("content")),
                batch_created_s=fields.units("batch_created_s"),
                transfers=fields.units("transfers"),
                state_hash=_hash(fields.blob("state_hash")),
                fingerprint=_hash(fields.blob("fingerprint")),
                created_s=fields.units("created_s"),
                parts=tuple(_part(item) for item in fields.items("parts", len(PARTS))),
            )
            fields.done(version=1)
        except ProtocolError as error:
            raise ImageMalformed(f"got a manifest that does not parse: {error}") from error
        names = tuple(part.name for part in manifest.parts)
        if names not in (PARTS, STATE_PARTS):
            raise ImageMalformed(f"got parts {', '.join(names)[:80]}, expected {', '.join(PARTS)}")
        return manifest


def opened(data: bytes, domain: str, public_key: bytes) -> Sealed:
    """An envelope that was signed by this key. Raises ImageMalformed or SignatureWrong."""
    try:
        sealed = Sealed.decode(data, domain)
    except ProtocolError as error:
        raise ImageMalformed(f"got no signed statement: {error}") from error
    try:
        sealed.verify(public_key)
    except ProtocolError as error:
        raise SignatureWrong(
            f"got a signature that is not of key {public_key.hex()}, expected the service's "
            "coordinator key: was it changed, or is it another service's?"
        ) from error
    return sealed


def _part(item: Any) -> Part:
    fields: Sequence[Any] = item if isinstance(item, list) and len(item) == 6 else ()
    if not fields:
        raise ProtocolError("got a part of another shape, expected six fields")
    name, *numbers, digest = fields
    offset, stored, size, rows = (as_units(number) for number in numbers)
    return Part(
        name=as_text(name),
        offset=offset,
        stored=stored,
        size=size,
        rows=rows,
        digest=_hash(as_blob(digest)),
    )


def _hash(value: bytes) -> bytes:
    if len(value) != HASH_BYTES:
        raise ProtocolError(f"got a hash of {len(value)} bytes, expected {HASH_BYTES}")
    return value

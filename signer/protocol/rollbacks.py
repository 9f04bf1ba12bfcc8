"""What staff approve when the service's ledger is to go back, and how signers are told of it."""

from dataclasses import dataclass

from signer.errors import ProtocolError
from signer.protocol.intents import Approval
from signer.protocol.wire import Fields, as_blob, digest, dump

LEDGER_ROLLBACK = "ledger-rollback"
"""No approval of a rollback is one of a payment: their digests are of different domains."""

HASH_BYTES = 32
APPROVALS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRollback:
    """Exactly one rollback: the heights above `after` up to `to` are undone, to a tagged image.

    `after_hash` and `to_hash` are the state hashes there, `image` is the digest of its manifest.
    """

    id: str
    tag: str
    after: int
    after_hash: bytes
    to: int
    to_hash: bytes
    image: bytes
    requester: str
    created_s: int
    expires_s: int

    @property
    def digest(self) -> bytes:
        """What approvals name."""
        return digest(LEDGER_ROLLBACK, self.encode())

    def encode(self) -> bytes:
        """The canonical bytes that people approve."""
        return dump(
            {
                "v": 1,
                "id": self.id,
                "tag": self.tag,
                "after": self.after,
                "after_hash": self.after_hash,
                "to": self.to,
                "to_hash": self.to_hash,
                "image": self.image,
                "requester": self.requester,
                "created_s": self.created_s,
                "expires_s": self.expires_s,
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "LedgerRollback":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "rollback")
        rollback = cls(
            id=fields.text("id"),
            tag=fields.text("tag"),
            after=fields.units("after"),
            after_hash=fields.blob("after_hash"),
            to=fields.units("to"),
            to_hash=fields.blob("to_hash"),
            image=fields.blob("image"),
            requester=fields.text("requester"),
            created_s=fields.units("created_s"),
            expires_s=fields.units("expires_s"),
        )
        fields.done(version=1)
        hashes = (rollback.after_hash, rollback.to_hash, rollback.image)
        if any(len(value) != HASH_BYTES for value in hashes) or rollback.after >= rollback.to:
            raise ProtocolError("got a rollback that undoes nothing, or without hashes of 32 bytes")
        return rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedRollback:
    """A rollback that was carried out, with the approvals of the staff, for signers to check."""

    rollback: LedgerRollback
    approvals: tuple[Approval, ...]

    def encode(self) -> list[object]:
        """As it lies in a request."""
        return [self.rollback.encode(), [[one.body, one.sig] for one in self.approvals]]

    @classmethod
    def decode(cls, item: object) -> "ApprovedRollback":
        """Parse what lies in a request. Raises ProtocolError."""
        pair = item if isinstance(item, list) and len(item) == 2 else ()
        if not pair or not isinstance(pair[1], list) or len(pair[1]) > APPROVALS_MAX:
            raise ProtocolError("got a rollback of another shape, expected it and its approvals")
        approvals = tuple(_approval(one) for one in pair[1])
        return cls(rollback=LedgerRollback.decode(as_blob(pair[0])), approvals=approvals)


def _approval(item: object) -> Approval:
    if not isinstance(item, list) or len(item) != 2:
        raise ProtocolError("got an approval of another shape, expected its body and signature")
    approval = Approval(body=as_blob(item[0]), sig=as_blob(item[1]))
    approval.check()
    return approval

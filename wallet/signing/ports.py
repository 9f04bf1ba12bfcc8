"""What the payments part needs of a signer, however it is reached."""

from dataclasses import dataclass
from typing import Protocol

from signer.protocol import Sealed, SignAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAnswer:
    """A signer's answer whose seal was verified: the bytes to keep and what they say."""

    data: bytes
    answer: SignAnswer


class SignerDoor(Protocol):
    """One signer. Both questions raise SignerSilent when no answer came."""

    signer_id: str

    def sign(self, request: Sealed) -> CheckedAnswer:
        """Ask for signatures. A refusal is an answer too; SignerUnready is not."""
        ...

    def recall(self, request: Sealed) -> CheckedAnswer | None:
        """The answer already given to exactly this request; None if there never was one."""
        ...

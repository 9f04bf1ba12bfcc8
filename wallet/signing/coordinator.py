"""The coordinator: seals requests with its identity key and checks what signers answer.

Its Ed25519 key is an identity, never a wallet key: it proves to a signer that a request comes
from this service and moves nothing by itself.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from signer.protocol import (
    ANSWER,
    LEDGER_HEAD,
    REQUEST,
    IdentityKey,
    LedgerHead,
    ProtocolError,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    public_key_of,
)
from wallet.signing.errors import AnswerRefused, KeyFileError, SignerRolledBack
from wallet.signing.ports import CheckedAnswer

SEED_BYTES = 32
"""An Ed25519 seed."""


class Coordinator:
    """Holds the identity key that requests are sealed with."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise KeyFileError(f"got a seed of {len(seed)} bytes, expected {SEED_BYTES}")
        self._key = IdentityKey(seed)
        self.public_key = public_key_of(seed)

    def __repr__(self) -> str:
        return f"Coordinator({self.public_key.hex()})"

    def seal(self, request: SignRequest) -> Sealed:
        """The request as it travels, signed."""
        body = request.encode()
        return Sealed(REQUEST, body, self._key.sign(digest(REQUEST, body)))

    def attest(self, domain: str, body: bytes) -> Sealed:
        """A statement of the service about itself, signed; no signer takes it for a request."""
        if domain == REQUEST:
            raise ValueError("got the domain of requests, expected one of statements")
        return Sealed(domain, body, self._key.sign(digest(domain, body)))

    def sign_head(self, head: LedgerHead) -> bytes:
        """Signature over a head of the ledger, under a domain of its own."""
        return self._key.sign(digest(LEDGER_HEAD, head.encode()))


def check_answer(data: bytes, request: Sealed, signer_id: str, public_key: bytes) -> CheckedAnswer:
    """The answer of exactly this signer to exactly this request. Raises AnswerRefused.

    Raises SignerRolledBack if its log is no further than the request said it had been before.
    """
    try:
        sealed = Sealed.decode(data, ANSWER)
        sealed.verify(public_key)
        answer = SignAnswer.decode(sealed.body)
        asked = SignRequest.decode(request.body)
    except ProtocolError as error:
        raise AnswerRefused(f"got an answer of {signer_id} that fails: {error}") from error
    if answer.signer_id != signer_id:
        raise AnswerRefused(f"got an answer of {answer.signer_id}, expected {signer_id}")
    if answer.request_digest != request.digest or answer.request_id != asked.request_id:
        raise AnswerRefused(f"got an answer of {signer_id} to another request")
    for said in asked.prev_state:
        if said.signer_id == signer_id and answer.counter <= said.counter:
            raise SignerRolledBack(
                f"got counter {answer.counter} of {signer_id}, expected more than {said.counter}"
            )
    return CheckedAnswer(data=data, answer=answer)


def load_coordinator(path: Path) -> Coordinator:
    """Read the key file (64 hex digits, readable by its owner only). Raises KeyFileError."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"got no readable coordinator key at {path}") from error
    if mode & 0o077:
        raise KeyFileError(f"got mode {mode:o} on {path}, expected 600: run chmod 600 on it")
    try:
        seed = bytes.fromhex(text)
    except ValueError as error:
        raise KeyFileError(f"got a malformed key in {path}, expected 64 hex digits") from error
    return Coordinator(seed)


def create_coordinator(path: Path, random: Callable[[int], bytes]) -> Coordinator:
    """Make a new key file; an existing one is never overwritten. Raises KeyFileError."""
    seed = random(SEED_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise KeyFileError(f"got an existing file at {path}, expected none") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(seed.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Coordinator(seed)

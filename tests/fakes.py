"""Signers and clocks in memory, behind the same ports as the real ones, with faults on request.

Signers check what a real one would: seals, replays and expiry. The chains are `chains.simulated`.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from chains.evm.transactions import UnsignedTx
from chains.simulated.evm import SimulatedEvmChain
from chains.simulated.line import Fault
from chains.simulated.utxo import SimulatedUtxoChain
from chains.simulated.utxo_history import START_TIME_S
from signer.protocol import (
    ANSWER,
    REQUEST,
    IdentityKey,
    InputSignature,
    Kind,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    digest,
    public_key_of,
)
from wallet.payments.replacing.versions import consumed
from wallet.signing.coordinator import check_answer
from wallet.signing.errors import SignerSilent, SignerUnready
from wallet.signing.ports import CheckedAnswer

__all__ = [
    "START_TIME_S",
    "FakeClock",
    "FakeSigner",
    "Fault",
    "Ids",
    "SignerFault",
    "SimulatedEvmChain",
    "SimulatedUtxoChain",
]


@dataclass
class FakeClock:
    """A clock that a test sets."""

    time_s: int = START_TIME_S

    def now_s(self) -> int:
        return self.time_s


@dataclass
class Ids:
    """UUIDs in order, so that a failing run repeats exactly; a `prefix` has its own."""

    prefix: str = "id"
    count: int = 0

    def __call__(self) -> str:
        self.count += 1
        kind = hashlib.sha256(self.prefix.encode()).hexdigest()[:8]
        return f"{kind}-0000-4000-8000-{self.count:012d}"


SignWith = Callable[[SignRequest], Sequence[InputSignature]]
"""What a fake signer signs a request with, once its own checks are passed."""


class SignerFault(StrEnum):
    """What goes wrong with the next question to a signer."""

    SILENT_BEFORE = "silent_before"  # it never got the question
    SILENT_AFTER = "silent_after"  # it signed, but the answer was lost
    UNREADY = "unready"


@cache
def _identity(seed: bytes) -> tuple[bytes, IdentityKey]:
    """A signer's public and private key; the same few come again in every test."""
    return public_key_of(seed), IdentityKey(seed)


@dataclass
class FakeSigner:
    """A signer that remembers: each request once, each intent once, and never after expiry."""

    signer_id: str
    sign_with: SignWith
    coordinator: bytes
    clock: FakeClock
    seed: bytes
    refuse: str = ""
    faults: deque[SignerFault] = field(default_factory=deque)
    answers: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    signed_intents: dict[bytes, list[frozenset[str]]] = field(default_factory=dict)
    asked: int = 0

    @property
    def public_key(self) -> bytes:
        return _identity(self.seed)[0]

    def sign(self, request: Sealed) -> CheckedAnswer:
        fault = self.faults.popleft() if self.faults else None
        if fault is SignerFault.SILENT_BEFORE:
            raise SignerSilent("no answer")
        if fault is SignerFault.UNREADY:
            raise SignerUnready("not now", {"signer_code": "signer.locked"})
        data = self.answer(request.encode())
        if fault is SignerFault.SILENT_AFTER:
            raise SignerSilent("no answer")
        return check_answer(data, request, self.signer_id, self.public_key)

    def recall(self, request: Sealed) -> CheckedAnswer | None:
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            raise SignerSilent("no answer")
        known = self.answers.get(SignRequest.decode(request.body).request_id)
        if known is None or known[0] != request.digest:
            return None
        return check_answer(known[1], request, self.signer_id, self.public_key)

    def answer(self, data: bytes) -> bytes:
        """The sealed answer to a sealed request, as an offline signer writes it to a file."""
        self.asked += 1
        sealed = Sealed.decode(data, REQUEST)
        sealed.verify(self.coordinator)
        request = SignRequest.decode(sealed.body)
        code = self._refusal(request)
        signatures: Sequence[InputSignature] = ()
        if not code:
            signatures = self.sign_with(request)
            for intent in request.intents:
                self.signed_intents.setdefault(intent.digest, []).append(_consumed(request))
        body = SignAnswer(
            request_id=request.request_id,
            request_digest=sealed.digest,
            result=Result.REFUSED if code else Result.SIGNED,
            code=code,
            signatures=tuple(signatures),
            signer_id=self.signer_id,
            policy_hash="fake",
            counter=self.asked,
            log_head=bytes(32),
        ).encode()
        answer = Sealed(ANSWER, body, _identity(self.seed)[1].sign(digest(ANSWER, body))).encode()
        if code != "request.replayed":
            self.answers[request.request_id] = (sealed.digest, answer)
        return answer

    def _refusal(self, request: SignRequest) -> str:
        if request.request_id in self.answers:
            return "request.replayed"
        if self.clock.now_s() >= request.expires_s:
            return "request.expired"
        for intent in request.intents:
            if not all(
                _consumed(request) & one for one in self.signed_intents.get(intent.digest, ())
            ):
                return "replacement.no_conflict"
        return self.refuse


def _consumed(request: SignRequest) -> frozenset[str]:
    """What a chain lets only one transaction have."""
    nonce = None
    if request.kind is Kind.EVM_TX:
        nonce = UnsignedTx.decode(request.payload).nonce
    return consumed(request, request.sender.address if request.sender else None, nonce)

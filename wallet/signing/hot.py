"""A hot signer: `glaytos-signer serve-stdio` as a child process, so that it never listens."""

import threading
from collections.abc import Sequence

from signer.protocol import (
    ProtocolError,
    Sealed,
    SignRequest,
    dump,
    load,
)
from wallet.signing.coordinator import check_answer
from wallet.signing.errors import AnswerRefused, SignerUnready
from wallet.signing.pipe import Pipe
from wallet.signing.ports import CheckedAnswer

ANSWER_TIMEOUT_S = 60
"""A batch of hundreds of inputs is signed in seconds; a minute of silence means trouble."""

UNKNOWN_REQUEST = "request.unknown"
"""The signer's code for a recall of a request it never answered."""


class HotSigner:
    """One hot signer, restarted when it dies; answers are checked against its identity key."""

    def __init__(
        self,
        *,
        signer_id: str,
        command: Sequence[str],
        public_key: bytes,
        timeout_s: int = ANSWER_TIMEOUT_S,
    ) -> None:
        self.signer_id = signer_id
        self._public_key = public_key
        self._timeout_s = timeout_s
        self._pipe = Pipe(command)
        self._lock = threading.Lock()

    def sign(self, request: Sealed) -> CheckedAnswer:
        """Ask for signatures. Raises SignerSilent, SignerUnready or AnswerRefused."""
        return check_answer(
            self._ask("sign", request.encode()), request, self.signer_id, self._public_key
        )

    def recall(self, request: Sealed) -> CheckedAnswer | None:
        """The answer already given to exactly this request, or None."""
        body = {
            "request_id": SignRequest.decode(request.body).request_id,
            "request_digest": request.digest,
        }
        try:
            data = self._ask("recall", dump(body))
        except SignerUnready as error:
            if error.details.get("signer_code") == UNKNOWN_REQUEST:
                return None
            raise
        return check_answer(data, request, self.signer_id, self._public_key)

    def status(self) -> bytes:
        """The signer's own account of itself (CBOR); used to see that it is alive."""
        return self._ask("status", b"")

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._pipe.close()

    def _ask(self, op: str, body: bytes) -> bytes:
        with self._lock:
            frame = self._pipe.ask(dump({"op": op, "body": body}), self._timeout_s)
        try:
            answer = load(frame, "frame")
        except ProtocolError as error:
            raise AnswerRefused(f"got a malformed frame from {self.signer_id}") from error
        if not isinstance(answer, dict):
            raise AnswerRefused(f"got a frame from {self.signer_id} that is not a map")
        match answer:
            case {"ok": 1, "body": bytes(data)}:
                return data
            case {"ok": 0, "code": str(code)}:
                raise SignerUnready(
                    f"got {code} from {self.signer_id}, expected an answer",
                    {"signer_id": self.signer_id, "signer_code": code},
                )
        raise AnswerRefused(f"got a frame from {self.signer_id} of an unknown shape")

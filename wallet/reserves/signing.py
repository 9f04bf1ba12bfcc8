"""Ask the signers to show what is claimed, and put their answers together into proofs.

A request is on disk before anybody sees it, and an answer before it counts. A signer signs an
intent once: after a crash its answer is recalled, and only an ask that can no longer succeed (its
time is over, or too many refused) is asked anew, under another intent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from signer.protocol import (
    ANSWER,
    REQUEST,
    Approval,
    Intent,
    ProtocolError,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
)
from wallet.reserves.approving import ApprovalFiles
from wallet.reserves.asking import Ask, asks_of, new_intent, new_request
from wallet.reserves.combining import combined
from wallet.reserves.context import Progress, ReservesContext, ignore_progress
from wallet.reserves.errors import AnswerUnknown, ApprovalsMissing, SignersRefused, Unsigned
from wallet.reserves.publication import PACKAGE, Publication, write_whole
from wallet.reserves.verifier.package import STATEMENT
from wallet.settings import SignerSettings
from wallet.signing.coordinator import check_answer
from wallet.signing.errors import AnswerRefused, SignerSilent, SignerUnready


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An ask that lacks answers; `request` is the file for those who answer by files."""

    source: str
    signer: str
    is_offline: bool
    request: Path


class Signing:
    """The signing of one publication; it may be broken off and taken up at any point."""

    def __init__(self, context: ReservesContext, publication: Publication) -> None:
        self._context, self._publication = context, publication
        self._asks = asks_of(publication)
        self._approvals = ApprovalFiles(publication.folder)
        for name in ("requests", "answers"):
            publication.folder.joinpath(name).mkdir(mode=0o700, exist_ok=True)

    def approve(self, approve: Callable[[bytes], Approval]) -> int:
        """Keep a person's yes to every claim that is not signed yet; how many those are.

        `approve` signs an intent's digest. Requests that went out before carry no later approval.
        """
        done = 0
        for ask in self._asks:
            sealed = self._stored(ask)
            if sealed is None or not self._is_signed(ask, self._answers(ask, sealed)):
                self._approvals.keep(ask, approve(self._intent(ask).digest))
                done += 1
        return done

    def sign(self, progress: Progress = ignore_progress, approvals: int = 0) -> list[Waiting]:
        """Ask every hot signer, write the requests of the others; who still has to answer.

        Nobody is asked before `approvals` people approved every claim. Raises ApprovalsMissing.
        """
        waiting: list[Waiting] = []
        self._require(approvals)
        for done, ask in enumerate(self._asks, start=1):
            sealed = self._request(ask)
            answers = self._answers(ask, sealed)
            for signer in self._context.signers_of(ask.source):
                if signer.id in answers or self._is_signed(ask, answers):
                    continue
                answer = self._hot_answer(ask, sealed, signer)
                if answer is not None:
                    answers[signer.id] = answer
            if not self._is_signed(ask, answers):
                waiting += self._waiting(ask, answers)
            progress("asking signers", done, len(self._asks))
        return waiting

    def answer(self) -> None:
        """Ask hot signers what requests on disk wait for; never makes or drops a request."""
        for ask in self._asks:
            sealed = self._stored(ask)
            if sealed is None:
                continue
            answers = self._answers(ask, sealed)
            for signer in self._context.signers_of(ask.source):
                if signer.id not in answers and not self._is_signed(ask, answers):
                    answer = self._hot_answer(ask, sealed, signer)
                    answers |= {} if answer is None else {signer.id: answer}

    def attach(self, data: bytes) -> Waiting:
        """Keep an answer that a person carried from an offline signer.

        Raises AnswerUnknown, or AnswerRefused for one that is not what it claims to be.
        """
        try:
            answer = SignAnswer.decode(Sealed.decode(data, ANSWER).body)
        except ProtocolError as error:
            raise AnswerUnknown("got a file that is no answer of a signer") from error
        for ask in self._asks:
            sealed = self._stored(ask)
            if sealed is None or sealed.digest != answer.request_digest:
                continue
            for signer in self._context.signers_of(ask.source):
                if signer.id == answer.signer_id:
                    check_answer(data, sealed, signer.id, bytes.fromhex(signer.public_key))
                    write_whole(self._answer_path(ask, signer.id), data)
                    return self._one_waiting(ask, signer)
        raise AnswerUnknown("got an answer to none of this publication's requests")

    def proofs(self) -> list[dict[str, str]]:
        """One proof for each claim, in their order. Raises Unsigned or SignersRefused."""
        found: dict[int, dict[str, str]] = {}
        for ask in self._asks:
            sealed = self._stored(ask)
            answers = {} if sealed is None else self._answers(ask, sealed)
            if sealed is None or not self._is_signed(ask, answers):
                self._raise_missing(ask, answers)
                continue
            request = SignRequest.decode(sealed.body)
            signed = [one for one in answers.values() if one.result is Result.SIGNED]
            found |= combined(self._context, self._publication, ask, request, signed)
        return [found[number] for number in range(len(self._publication.claims))]

    def _require(self, approvals: int) -> None:
        for ask in self._asks:
            found = len(self._approvals.of(ask))
            if self._stored(ask) is None and found < approvals:
                raise ApprovalsMissing(
                    f"got {found} approvals for {ask.source}, expected {approvals}: staff approve "
                    "with `reserves approve`, then run `reserves make` again",
                    {"source": ask.source, "approvals": found, "required": approvals},
                )

    def _raise_missing(self, ask: Ask, answers: Mapping[str, SignAnswer]) -> None:
        refused = {s: one.code for s, one in answers.items() if one.result is Result.REFUSED}
        if refused:
            raise SignersRefused(
                f"got refusals of {ask.source} by {refused}, expected signatures: "
                "see each signer's log; `reserves make` asks anew",
                {"source": ask.source, "refused": refused},
            )
        raise Unsigned(
            f"got too few answers for {ask.source}: bring those of offline signers with "
            "`reserves answer`, then run `reserves make` again"
        )

    # Requests and answers on disk

    def _request(self, ask: Ask) -> Sealed:
        """The request as stored, or a new one where that can no longer succeed."""
        sealed = self._stored(ask)
        if sealed is not None and not self._is_lost(ask, sealed):
            return sealed
        if sealed is not None:
            self._drop(ask, sealed)
        request = new_request(self._context, ask, self._intent(ask), tuple(self._approvals.of(ask)))
        sealed = self._context.coordinator.seal(request)
        write_whole(self._request_path(ask), sealed.encode())
        self._context.milestone("reserves.asked")
        return sealed

    def _drop(self, ask: Ask, sealed: Sealed) -> None:
        """Forget what can no longer succeed. A refused intent is never asked again."""
        answers = self._answers(ask, sealed)
        for signer_id in answers:
            self._answer_path(ask, signer_id).unlink()
        if answers or self._intent(ask).expires_s <= self._context.clock.now_s():
            self._approvals.drop(ask)
        self._request_path(ask).unlink()

    def _intent(self, ask: Ask) -> Intent:
        known = self._approvals.intent(ask)
        if known is None:
            known = new_intent(self._context, self._publication, ask)
            self._approvals.begin(ask, known)
        return known

    def _is_lost(self, ask: Ask, sealed: Sealed) -> bool:
        """Whether so many refused, or so much time went by, that nothing can come of it."""
        answers = self._answers(ask, sealed)
        if self._is_signed(ask, answers):
            return False
        refused = sum(one.result is Result.REFUSED for one in answers.values())
        left = len(self._context.signers_of(ask.source)) - refused
        expired = SignRequest.decode(sealed.body).expires_s <= self._context.clock.now_s()
        return left < self._context.signatures_needed(ask.source) or (
            expired and not self._recall(ask, sealed)
        )

    def _recall(self, ask: Ask, sealed: Sealed) -> bool:
        """Whether hot signers signed before the time was over; who is silent may have."""
        for signer in self._context.signers_of(ask.source):
            door = self._context.doors.get(signer.id)
            try:
                known = door.recall(sealed) if door is not None else None
            except (SignerSilent, SignerUnready, AnswerRefused):
                return True
            if known is not None:
                write_whole(self._answer_path(ask, signer.id), known.data)
        return self._is_signed(ask, self._answers(ask, sealed))

    def _hot_answer(self, ask: Ask, sealed: Sealed, signer: SignerSettings) -> SignAnswer | None:
        """What a hot signer says; None where it answers by files, or does not answer now."""
        door = self._context.doors.get(signer.id)
        if door is None:
            return None
        try:
            checked = door.recall(sealed) or door.sign(sealed)
        except (SignerSilent, SignerUnready, AnswerRefused):
            return None
        write_whole(self._answer_path(ask, signer.id), checked.data)
        self._context.milestone("reserves.answered")
        return checked.answer

    def _answers(self, ask: Ask, sealed: Sealed) -> dict[str, SignAnswer]:
        """Stored answers to exactly this request, by signer."""
        found = {}
        for signer in self._context.signers_of(ask.source):
            path, key = self._answer_path(ask, signer.id), bytes.fromhex(signer.public_key)
            try:
                data = path.read_bytes()
                found[signer.id] = check_answer(data, sealed, signer.id, key).answer
            except (FileNotFoundError, AnswerRefused):
                continue  # of a request that was given up, while somebody still asked it
        return found

    def _is_signed(self, ask: Ask, answers: Mapping[str, SignAnswer]) -> bool:
        signed = sum(one.result is Result.SIGNED for one in answers.values())
        return signed >= self._context.signatures_needed(ask.source)

    def _waiting(self, ask: Ask, answers: Mapping[str, SignAnswer]) -> Iterator[Waiting]:
        for signer in self._context.signers_of(ask.source):
            if signer.id not in answers:
                yield self._one_waiting(ask, signer)

    def _one_waiting(self, ask: Ask, signer: SignerSettings) -> Waiting:
        return Waiting(
            source=ask.source,
            signer=signer.id,
            is_offline=signer.id not in self._context.doors,
            request=self._request_path(ask),
        )

    def _stored(self, ask: Ask) -> Sealed | None:
        path = self._request_path(ask)
        return Sealed.decode(path.read_bytes(), REQUEST) if path.exists() else None

    def _request_path(self, ask: Ask) -> Path:
        return self._publication.folder.joinpath("requests", f"{ask.number}.sr1")

    def _answer_path(self, ask: Ask, signer: str) -> Path:
        return self._publication.folder.joinpath("answers", f"{ask.number}-{signer}.sa1")


def answer_waiting(context: ReservesContext, root: Path) -> None:
    """Ask hot signers for every publication below a folder that is not finished.

    Only one process can have a signer's home open: while the service runs, it is the one.
    """
    for path in sorted(root.glob(f"*/{STATEMENT}")):
        if not path.with_name(PACKAGE).exists():
            Signing(context, Publication.open(path.parent)).answer()

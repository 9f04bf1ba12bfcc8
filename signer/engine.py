"""The order that is law: parse, guard, show, unlock, sign, verify, log, answer."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from chains.errors import ChainError
from chains.utxo import taproot
from policies.decision import Decision
from policies.facts import PaymentFacts
from signer import secp
from signer.display import review_lines
from signer.errors import ProtocolError, Refused
from signer.guards.batch import check_batch
from signer.guards.delegation import check_authorization
from signer.guards.envelope import check_intents, check_source, check_times
from signer.guards.evm import check_evm_tx
from signer.guards.facts import (
    GuardContext,
    SignatureForm,
    SignedBytes,
    SigningJob,
    SpendFacts,
)
from signer.guards.psbt import check_psbt
from signer.guards.replacing import check_again, check_replacement
from signer.guards.reserves import check_reserves
from signer.guards.safe import check_safe_tx
from signer.home import Home, Keys
from signer.judging import flow_of, judge
from signer.keystore import Unlock
from signer.languages import Language
from signer.ledger_heads import AcceptedRollback, check_ledger_head
from signer.log import LogKind
from signer.lookalike import LookAlike, OwnAddresses, look_alikes
from signer.protocol import (
    ANSWER,
    REQUEST,
    InputSignature,
    Kind,
    Result,
    Sealed,
    SignAnswer,
    SignRequest,
    WindowSum,
)
from signer.siblings import check_prev_state
from signer.state import signed_data

GUARDS: Mapping[Kind, Callable[[SignRequest, GuardContext], SpendFacts]] = {
    Kind.PSBT: check_psbt,
    Kind.EVM_TX: check_evm_tx,
    Kind.SAFE_TX: check_safe_tx,
    Kind.EVM_AUTH: check_authorization,
    Kind.EVM_BATCH: check_batch,
    Kind.RESERVES: check_reserves,
}
"""One guard for each kind of payload."""

_COARSE = {"policy": "policy.denied", "approval": "approval.invalid"}
"""What the requester reads instead of the exact code, so that limits cannot be probed."""


REPORTED_WINDOWS_S = (24 * 3600, 7 * 24 * 3600)
"""A day and a week, whatever the policy's windows are: signers compare, and no limit is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A request that passed every check: what would be signed, and the words for a person.

    `replaced` are the first bytes signed for the same intents, which these conflict with.
    `accepted` is the rollback of the service's ledger that explains why it went back.
    `alarms` are payees that look like known addresses and are none; `lines` shows them first.
    """

    request: SignRequest
    request_digest: bytes
    facts: SpendFacts
    payment: PaymentFacts
    decision: Decision
    replaced: SignedBytes | None
    accepted: AcceptedRollback | None
    alarms: tuple[LookAlike, ...]
    lines: tuple[str, ...]


Confirm = Callable[[Review], bool]
"""Shows a review and gives the person's answer."""


class Engine:
    """Signs for one open home. `unlock` is called after `confirm`, unless already unlocked.

    `language` is of what a person reads; None takes the configured one.
    """

    def __init__(
        self,
        home: Home,
        clock: Callable[[], int],
        confirm: Confirm,
        unlock: Unlock,
        language: Language | None = None,
    ) -> None:
        self._home = home
        self._language = language
        self._own = OwnAddresses()
        self._clock = clock
        self._confirm = confirm
        self._unlock = unlock

    def review(self, data: bytes) -> Review:
        """Parse and guard a sealed request without any secret. Raises Refused."""
        sealed = self._opened(data)
        return self._review(_decoded(sealed), sealed.digest)

    def sign(self, data: bytes) -> bytes:
        """The sealed answer to a sealed request, signed or refused.

        Raises Refused where no answer can be signed: unreadable bytes, an unknown coordinator, or a
        home that stays locked because the request is refused.
        """
        sealed = self._opened(data)
        request: SignRequest | None = None
        try:
            request = _decoded(sealed)
            review = self._review(request, sealed.digest)
            if not self._confirm(review):
                raise Refused("person.declined", "the person at the signer said no")
            keys = self._home.keys or self._home.unlock(self._unlock())
            check_times(request, self._now(), *self._limits())
            signatures, r_values = self._signatures(review, keys)
        except Refused as refusal:
            return self._refuse(request, sealed.digest, refusal)
        return self._release(review, keys, signatures, r_values)

    def recall(self, request_id: str, request_digest: bytes) -> bytes:
        """The recorded sealed answer of exactly that request. Raises Refused."""
        known = self._home.state.remembered(request_id)
        if known is None:
            raise Refused("request.unknown", f"got request {request_id!r}, never answered")
        if known.request_digest != request_digest:
            raise Refused("request.other", f"got another request {request_id!r}")
        answer: bytes = self._home.log.read(known.offset).data["answer"]
        return answer

    def _opened(self, data: bytes) -> Sealed:
        config = self._home.activated()
        try:
            sealed = Sealed.decode(data, REQUEST)
        except ProtocolError as error:
            raise self._unanswered(Refused("request.malformed", str(error))) from error
        for key in config.coordinators:
            try:
                sealed.verify(key)
            except ProtocolError:
                continue
            return sealed
        raise self._unanswered(Refused("request.coordinator", "signed by no known coordinator"))

    def _unanswered(self, refusal: Refused) -> Refused:
        """Log a refusal that gets no signed answer and uses up no request id."""
        self._log_refusal("", b"", refusal, b"")
        return refusal

    def _review(self, request: SignRequest, digest: bytes) -> Review:
        home, config, now_s = self._home, self._home.activated(), self._now()
        context = GuardContext(
            now_s=now_s, vaults=home.vaults, networks=config.networks, memory=home.state
        )
        if home.state.remembered(request.request_id) is not None:
            raise Refused("request.replayed", f"got request {request.request_id!r} again")
        check_source(request, context, home.state.signer_id)
        check_intents(request, context)
        check_times(request, now_s, *self._limits())
        check_prev_state(request.prev_state, home.state, home.log)
        accepted = check_ledger_head(
            request.ledger_head,
            request.rollbacks,
            home.state,
            config.roster,
            config.rollback_quorum,
        )
        check_again(request, home.state)
        try:
            facts = GUARDS[request.kind](request, context)
        except ChainError as error:
            # A codec that objects later than its guard expected must not end a hot signer.
            raise Refused("payload.unreadable", f"{error.code}: {error}") from error
        _check_fee_promised(request, facts)
        replaced = check_replacement(request, facts, home.state)
        if replaced is not None:
            facts = _told_replacing(facts, replaced)
            # A fee that is all that is spent is spent more each time, and counted each time.
            replaced = replaced if facts.payees else None
        until_s = now_s + config.clock_skew_s
        approvers = config.roster.verified(request.intents, request.approvals, until_s)
        if facts.replaces and not all(approvers.values()):
            raise Refused(
                "nonce.replacement_unapproved", "got a Safe nonce again, approved by nobody"
            )
        payment, decision = judge(config, home.state, request, facts, approvers, now_s, replaced)
        alarms = look_alikes(facts.payees, request.network, home, self._own)
        if alarms and config.policy.unattended:
            # Nobody is there to read a warning.
            raise Refused("payee.look_alike", "; ".join(str(alarm) for alarm in alarms))
        if accepted is not None:
            facts = replace(facts, notes=(*facts.notes, accepted.words))
        rules = config.networks[request.network]
        words = self._language or config.language
        lines = review_lines(facts, rules, request.intents, approvers, decision, alarms, words)
        return Review(
            request=request,
            request_digest=digest,
            facts=facts,
            payment=payment,
            decision=decision,
            replaced=replaced,
            accepted=accepted,
            alarms=alarms,
            lines=tuple(lines),
        )

    def _signatures(
        self, review: Review, keys: Keys
    ) -> tuple[tuple[InputSignature, ...], list[list[bytes]]]:
        """Sign exactly the reviewed jobs and check each signature before it exists for anyone."""
        if hashlib.sha256(review.request.payload).digest() != review.facts.snapshot:
            raise Refused("payload.changed", "the bytes are not the reviewed ones")
        signatures, r_values = [], []
        for job in review.facts.jobs:
            signature, r_value = _signed(job, keys)
            self._home.state.check_r_value(r_value, job.digest)
            r_values.append([r_value, job.digest])
            signatures.append(
                InputSignature(index=job.index, public_key=job.answer_key, signature=signature)
            )
        return tuple(signatures), r_values

    def _release(
        self,
        review: Review,
        keys: Keys,
        signatures: tuple[InputSignature, ...],
        r_values: list[list[bytes]],
    ) -> bytes:
        """Commit first; what is returned is already in the log."""
        request, digest = review.request, review.request_digest
        flow, now_s, units = flow_of(review.facts), self._now(), review.facts.counted_units
        again, accepted = review.replaced, review.accepted
        windows = tuple(
            WindowSum(seconds=w, units=self._home.state.spent_units(flow, w, now_s, again) + units)
            for w in REPORTED_WINDOWS_S
        )
        answer = self._answer(
            request.request_id, digest, Result.SIGNED, "", signatures, keys, windows
        )
        data = signed_data(
            request,
            digest,
            review.facts,
            review.payment,
            r_values,
            answer,
            review.replaced,
            None if accepted is None else (accepted.rollback.digest, accepted.approvers),
        )
        self._home.state.apply(self._home.log.append(LogKind.SIGNED, self._now(), data))
        return answer

    def _refuse(self, request: SignRequest | None, digest: bytes, refusal: Refused) -> bytes:
        """A signed refusal if the keys are open; else only the log knows and Refused is raised."""
        request_id = request.request_id if request is not None else ""
        keys = self._home.keys
        if keys is None:
            self._log_refusal(request_id, digest, refusal, b"")
            raise refusal
        coarse = _COARSE.get(refusal.code.partition(".")[0], refusal.code)
        answer = self._answer(request_id, digest, Result.REFUSED, coarse, (), keys)
        known = self._home.state.remembered(request_id) is not None
        self._log_refusal("" if known else request_id, digest, refusal, answer)
        return answer

    def _log_refusal(self, request_id: str, digest: bytes, refusal: Refused, answer: bytes) -> None:
        data = {
            "request_id": request_id,
            "request_digest": digest,
            "code": refusal.code,
            "detail": refusal.detail[:2000],
            "answer": answer,
        }
        self._home.state.apply(self._home.log.append(LogKind.REFUSED, self._now(), data))

    def _answer(
        self,
        request_id: str,
        digest: bytes,
        result: Result,
        code: str,
        signatures: tuple[InputSignature, ...],
        keys: Keys,
        windows: tuple[WindowSum, ...] = (),
    ) -> bytes:
        """A sealed answer. `counter` is the record that will hold it, `log_head` the one before."""
        body = SignAnswer(
            request_id=request_id,
            request_digest=digest,
            result=result,
            code=code,
            signatures=signatures,
            signer_id=self._home.state.signer_id,
            policy_hash=self._home.activated().policy.hash,
            counter=self._home.log.counter + 1,
            log_head=self._home.log.head,
            windows=windows,
        ).encode()
        return Sealed(ANSWER, body, keys.sign_identity(ANSWER, body)).encode()

    def _now(self) -> int:
        """Never before the last record: setting the clock back opens no window again."""
        return max(self._clock(), self._home.log.last_time_s)

    def _limits(self) -> tuple[int, int]:
        config = self._home.activated()
        return config.clock_skew_s, config.request_lifetime_s_max


def _decoded(sealed: Sealed) -> SignRequest:
    try:
        request = SignRequest.decode(sealed.body)
    except ProtocolError as error:
        raise Refused("request.malformed", str(error)) from error
    if not request.request_id:
        raise Refused("request.malformed", "got an empty request id")
    return request


def _told_replacing(facts: SpendFacts, replaced: SignedBytes) -> SpendFacts:
    """The facts with a note for the person; a nonce that is used again has one already."""
    if facts.nonce is not None:
        return facts
    note = f"REPLACES a transaction of the same payments, whose fee was {replaced.fee_units}"
    return replace(facts, notes=(*facts.notes, note))


def _check_fee_promised(request: SignRequest, facts: SpendFacts) -> None:
    promised = sum(intent.fee_units_max for intent in request.intents)
    if facts.fee_units > promised:
        raise Refused("fee.intent", f"got a fee of {facts.fee_units}, approved at most {promised}")


def _signed(job: SigningJob, keys: Keys) -> tuple[bytes, bytes]:
    """A checked signature and its R value."""
    secret = keys.chain.secret(job.path)
    public = secp.public_key
    if job.form is SignatureForm.DER_ALL:
        der = secp.sign_low_r(secret, job.digest)
        verified = secp.verify_der(job.public_key, job.digest, der)
        signature, r_value = der + b"\x01", secp.r_of_der(der)
    elif job.form is SignatureForm.RSV:
        signature = secp.sign_rsv(secret, job.digest)
        verified = secp.verify_rs(job.public_key, job.digest, signature[:64])
        r_value = signature[:32]
    else:
        bare = secp.sign_schnorr(
            secret, job.digest, keys.auxiliary(job.digest), taproot.tweak(job.public_key)
        )
        verified = taproot.verify(job.answer_key, job.digest, bare)
        signature = bare + (b"\x01" if job.form is SignatureForm.SCHNORR_ALL else b"")
        r_value, public = bare[:32], secp.xonly
    if not verified:
        # Looked at only now, because a signature by another key does not verify either.
        if public(secret) != job.public_key:
            raise Refused("key.mismatch", f"the key at {job.path} is not the vault's")
        raise Refused("signature.invalid", "our own signature does not verify")
    return signature, r_value

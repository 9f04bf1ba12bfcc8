"""The transcript: a chain of records over the plan, each signed by the people its step demands.

One file of deterministic CBOR, replaced whole at every step, so a killed ceremony goes on where the
last finished step ended. It says who was there and what they saw; it holds no secret.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from signer.ceremony.plan import Plan, PlanInvalid, Role, Step
from signer.ceremony.rules import ROLES, Facts, people_of, take
from signer.errors import ProtocolError, SignerError
from signer.protocol import digest, dump, verify
from signer.protocol.wire import Fields, as_blob, as_text

FORMAT = "CT1"
BEGIN = "begin"
"""The step before the first: everybody signs the plan."""

RECORDS_MAX = 512
"""No ceremony has more steps."""

_DOMAIN = "ceremony"

Sign = Callable[[bytes], bytes]
"""A person's signature of a digest."""


class TranscriptDamaged(SignerError):
    """A transcript that was changed, cut in the middle, or is none."""

    code = "ceremony.transcript_damaged"


class SignatureMissing(SignerError):
    """A step that somebody who must sign it has not signed."""

    code = "ceremony.signature_missing"


class NoWitness(SignatureMissing):
    """A step that no witness has signed."""

    code = "ceremony.no_witness"


class OutOfOrder(SignerError):
    """A step that is not the next one: one was skipped, or done again."""

    code = "ceremony.out_of_order"


class Incomplete(SignerError):
    """A transcript that ends before its plan does."""

    code = "ceremony.incomplete"


class Finished(SignerError):
    """A ceremony that was closed."""

    code = "ceremony.finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A step that was done: its canonical body, and signatures by name."""

    body: bytes
    sigs: tuple[tuple[str, bytes], ...]

    @property
    def head(self) -> bytes:
        """What the next record names: body and signatures together."""
        return hashlib.sha256(b"hk/ceremony-head/v1" + dump(self.plain())).digest()

    def plain(self) -> dict[str, object]:
        """Plain values for the file."""
        return {"body": self.body, "sigs": [list(sig) for sig in self.sigs]}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a verified transcript goes; `due` is None when all is done."""

    done: tuple[str, ...]
    due: Step | None
    facts: Facts = field(repr=False)
    head: bytes
    last_time_s: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A plan and what was done of it."""

    plan: Plan
    records: tuple[Record, ...] = ()

    def encode(self) -> bytes:
        """The file."""
        records = [record.plain() for record in self.records]
        return dump({"format": FORMAT, "plan": self.plan.text, "records": records})

    @classmethod
    def decode(cls, data: bytes) -> "Transcript":
        """Parse a file; `progress` verifies it. Raises TranscriptDamaged."""
        try:
            fields = Fields(data, "transcript")
            if fields.text("format") != FORMAT:
                raise TranscriptDamaged(f"got another format, expected {FORMAT}")
            plan = Plan.parse(fields.blob("plan"))
            records = tuple(_record(dump(each)) for each in fields.items("records", RECORDS_MAX))
            fields.done()
        except (ProtocolError, PlanInvalid) as error:
            raise TranscriptDamaged(f"got a damaged transcript: {error}") from error
        return cls(plan, records)

    def progress(self) -> Progress:
        """Verify chain, signatures, order and evidence of every record; say what is due.

        Raises TranscriptDamaged, SignatureMissing, OutOfOrder, EvidenceWrong, NotEqual.
        """
        facts, head, time_s = Facts(), self.plan.sha256, 0
        done: list[str] = []
        steps = self.plan.steps
        for seq, record in enumerate(self.records):
            due = steps[seq - 1] if 0 < seq <= len(steps) else None
            time_s = self._verified(record, seq, due, facts, head, time_s)
            head = record.head
            done.append(due.id if due is not None else BEGIN)
        due = steps[len(done) - 1] if 0 < len(done) <= len(steps) else None
        return Progress(tuple(done), due, facts, head, time_s)

    def check_due(self, step: str) -> None:
        """Raise OutOfOrder if people name a step, and another is next."""
        due = self.progress().due
        if step and (due is None or due.id != step):
            raise OutOfOrder(f"got step {step}, expected {due.id if due else 'none: all is done'}")

    def complete(self) -> Progress:
        """The progress of a closed ceremony. Raises Incomplete besides what `progress` raises."""
        progress = self.progress()
        if progress.due is not None or not progress.done:
            due = progress.due.id if progress.due is not None else BEGIN
            raise Incomplete(f"got a transcript of {len(progress.done)} steps, expected {due} next")
        return progress

    def extended(
        self, evidence: Mapping[str, str], people: Mapping[str, Sign], time_s: int
    ) -> "Transcript":
        """The same transcript with the next step done and signed, and verified as a whole.

        Raises Finished besides what `progress` raises.
        """
        progress = self.progress()
        if self.records and progress.due is None:
            raise Finished("got a closed ceremony, expected a new plan for another")
        body = dump(
            {
                "v": 1,
                "seq": len(self.records),
                "time_s": max(time_s, progress.last_time_s),
                "previous": progress.head,
                "step": progress.due.id if progress.due is not None else BEGIN,
                "evidence": dict(evidence),
            }
        )
        message = digest(_DOMAIN, body)
        sigs = tuple((name, sign(message)) for name, sign in sorted(people.items()))
        longer = replace(self, records=(*self.records, Record(body=body, sigs=sigs)))
        longer.progress()
        return longer

    def _verified(
        self, record: Record, seq: int, due: Step | None, facts: Facts, head: bytes, time_s: int
    ) -> int:
        """Check one record against its place; returns its time."""
        try:
            fields = Fields(record.body, "record")
            place = (fields.units("seq"), fields.blob("previous"))
            found_s, step = fields.units("time_s"), fields.text("step")
            table = fields.table("evidence")
            evidence = {as_text(name): as_text(value) for name, value in table.items()}
            fields.done(version=1)
        except ProtocolError as error:
            raise TranscriptDamaged(f"got a damaged record {seq}: {error}") from error
        if place != (seq, head) or found_s < time_s:
            raise TranscriptDamaged(f"got record {seq} that does not follow the one before")
        expected = due.id if due is not None else BEGIN
        if step != expected or (due is None and seq > 0):
            raise OutOfOrder(f"got step {step} as number {seq}, expected {expected}")
        if due is None:
            if evidence:
                raise TranscriptDamaged("got evidence at the begin, expected none")
            self._check_signed(record, frozenset(Role), self._everybody())
        else:
            self._check_signed(record, ROLES[due.kind], people_of(self.plan, due, evidence))
            take(self.plan, due, evidence, facts)
        return found_s

    def _everybody(self) -> frozenset[str]:
        return frozenset(person.name for person in self.plan.participants)

    def _check_signed(self, record: Record, roles: frozenset[Role], people: frozenset[str]) -> None:
        """Every signature is by a participant and verifies; every role and person has signed."""
        known = {person.name: person for person in self.plan.participants}
        message = digest(_DOMAIN, record.body)
        names = [name for name, _ in record.sigs]
        if names != sorted(set(names)) or not set(names) <= set(known):
            raise TranscriptDamaged(f"got signatures of {names}, expected participants once each")
        for name, sig in record.sigs:
            try:
                _verify(known[name].key, message, sig)
            except ProtocolError as error:
                raise TranscriptDamaged(f"got a signature that {name} did not make") from error
        lacking = roles - {known[name].role for name in names}
        if Role.WITNESS in lacking:
            raise NoWitness("got no signature of a witness, expected one at every step")
        if lacking or not people <= set(names):
            who = [*sorted(lacking), *sorted(people - set(names))]
            raise SignatureMissing(f"got no signature of {', '.join(who)}, expected it")


@lru_cache(maxsize=4096)
def _verify(key: bytes, message: bytes, sig: bytes) -> None:
    """Every step verifies all before it again; a signature that held once still does."""
    verify(key, message, sig)


def _record(data: bytes) -> Record:
    fields = Fields(data, "record")
    body = fields.blob("body")
    pairs = fields.pairs("sigs", 64)
    fields.done()
    return Record(body=body, sigs=tuple((as_text(name), as_blob(sig)) for name, sig in pairs))

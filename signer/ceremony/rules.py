"""What each step must show and who must sign it; the same for doing a step and for verifying it."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from signer.backup.card import check_words
from signer.backup.shares import Scheme
from signer.ceremony.plan import Plan, Role, Step, StepKind
from signer.errors import SignerError

SOURCES_MIN = 2
"""Independent sources of randomness of a seed (CCSS 1.01.3, level III)."""


class EvidenceWrong(SignerError):
    """A step without what it must show, or with something else."""

    code = "ceremony.evidence_wrong"


class NotEqual(SignerError):
    """Two readings that must be the same and are not. The ceremony stops here."""

    code = "ceremony.not_equal"


class QuorumInOneHand(SignerError):
    """Shares given out so that one person can recover the seed alone."""

    code = "ceremony.quorum_in_one_hand"


ROLES: Mapping[StepKind, frozenset[Role]] = {
    StepKind.MEDIA: frozenset({Role.CODE_VERIFIER, Role.COORDINATOR, Role.WITNESS}),
    StepKind.SOFTWARE: frozenset({Role.CODE_VERIFIER, Role.WITNESS}),
    StepKind.ENTROPY: frozenset({Role.CUSTODIAN, Role.WITNESS}),
    StepKind.CHECK_VALUES: frozenset({Role.CUSTODIAN, Role.SCRIBE, Role.WITNESS}),
    StepKind.REGISTRATION: frozenset({Role.COORDINATOR, Role.CUSTODIAN, Role.WITNESS}),
    StepKind.FIRST_ADDRESS: frozenset({Role.COORDINATOR, Role.CUSTODIAN, Role.WITNESS}),
    StepKind.SHARES: frozenset({Role.CUSTODIAN, Role.WITNESS}),
    StepKind.DRILL: frozenset({Role.CUSTODIAN, Role.WITNESS}),
    StepKind.SEALS: frozenset({Role.SCRIBE, Role.WITNESS}),
    StepKind.TEST_DEPOSIT: frozenset({Role.COORDINATOR, Role.SCRIBE, Role.WITNESS}),
    StepKind.CLOSE: frozenset(Role),
}
"""One person of each of these signs the step at least; at the close everybody does."""

_SHA256 = "[0-9a-f]{64}"
_ADDRESS = "[0-9A-Za-z]{20,100}"
_FIELDS: Mapping[StepKind, Mapping[str, str]] = {
    StepKind.MEDIA: {"sha256.first": _SHA256, "sha256.second": _SHA256},
    StepKind.SOFTWARE: {"selfcheck": "passed [0-9]+ checks"},
    StepKind.ENTROPY: {"sources": "[a-z][a-z -]*(,[a-z][a-z -]*)*"},
    StepKind.CHECK_VALUES: {
        "fingerprint": "[0-9a-f]{8}",
        "check_value": "[0-9a-f]{8}",
        "words": "[a-z]+ [a-z]+ [a-z]+",
    },
    StepKind.SHARES: {
        "backup_id": "[0-9a-f]{16}",
        "scheme": "[0-9]{1,2} of [0-9]{1,2}of[0-9]{1,2}(,[0-9]{1,2}of[0-9]{1,2}){0,15}",
    },
    StepKind.DRILL: {
        "destroyed": "yes",
        "fingerprint": "[0-9a-f]{8}",
        "check_value": "[0-9a-f]{8}",
    },
    StepKind.TEST_DEPOSIT: {
        "address": _ADDRESS,
        "txid": "(0x)?[0-9a-f]{64}",
        "units": "[1-9][0-9]{0,77}",
        "confirmations": "[1-9][0-9]{0,8}",
    },
}
"""Fields of the evidence and what they must look like."""

_SHARE = re.compile(r"share\.[0-9]{1,2}-[0-9]{1,2}")


@dataclass(slots=True)
class Facts:
    """What earlier steps have shown."""

    checks: dict[str, tuple[str, str]] = field(default_factory=dict)
    shares: dict[str, frozenset[str]] = field(default_factory=dict)
    serials: set[str] = field(default_factory=set)
    first_addresses: dict[str, str] = field(default_factory=dict)


def fields_of(plan: Plan, step: Step, facts: Facts) -> Mapping[str, str]:
    """The fields that a step's evidence has, each with its pattern; shares come on top."""
    fields = dict(_FIELDS.get(step.kind, {}))
    if step.kind is StepKind.REGISTRATION:
        fields |= {f"proof.{signer}": _SHA256 for signer in plan.signers}
    if step.kind is StepKind.FIRST_ADDRESS:
        fields |= {f"address.{signer}": _ADDRESS for signer in plan.signers}
    if step.kind is StepKind.SEALS:
        fields |= dict.fromkeys(sorted(facts.shares.get(step.subject, ())), ".{4,64}")
    return fields


def people_of(plan: Plan, step: Step, evidence: Mapping[str, str]) -> frozenset[str]:
    """People who must sign a step by name: everybody at the close, custodians for own shares."""
    if step.kind is StepKind.CLOSE:
        return frozenset(person.name for person in plan.participants)
    if step.kind is StepKind.SHARES:
        return frozenset(who for what, who in evidence.items() if _SHARE.fullmatch(what))
    return frozenset()


def take(plan: Plan, step: Step, evidence: Mapping[str, str], facts: Facts) -> None:
    """Check a step's evidence and remember it. Raises EvidenceWrong, NotEqual."""
    shares = {what: who for what, who in evidence.items() if _SHARE.fullmatch(what)}
    extra = shares if step.kind is StepKind.SHARES else {}
    fields = fields_of(plan, step, facts)
    if set(evidence) != {*fields, *extra}:
        raise EvidenceWrong(
            f"got fields {sorted(evidence)} for step {step.id}, expected {sorted(fields)}"
        )
    for name, pattern in fields.items():
        if re.fullmatch(pattern, evidence[name]) is None or not evidence[name].isprintable():
            raise EvidenceWrong(f"got {name} {evidence[name][:80]!r}, expected {pattern}")
    _take_kind(plan, step, evidence, facts)


def _take_kind(plan: Plan, step: Step, evidence: Mapping[str, str], facts: Facts) -> None:
    match step.kind:
        case StepKind.MEDIA:
            _equal("hashes of the medium", set(evidence.values()))
        case StepKind.ENTROPY:
            if len(set(evidence["sources"].split(","))) < SOURCES_MIN:
                raise EvidenceWrong(f"got fewer than {SOURCES_MIN} sources of randomness")
        case StepKind.CHECK_VALUES:
            _equal(
                "words of the check value",
                {evidence["words"], " ".join(check_words(evidence["check_value"]))},
            )
            facts.checks[step.subject] = (evidence["fingerprint"], evidence["check_value"])
        case StepKind.FIRST_ADDRESS:
            _equal("first addresses", set(evidence.values()))
            facts.first_addresses[step.subject] = next(iter(evidence.values()))
        case StepKind.SHARES:
            _take_shares(plan, step, evidence, facts)
        case StepKind.DRILL:
            found = (evidence["fingerprint"], evidence["check_value"])
            _equal("fingerprints and check values", {found, facts.checks[step.subject]})
        case StepKind.SEALS:
            serials = list(evidence.values())
            if len({*serials, *facts.serials}) < len(serials) + len(facts.serials):
                raise EvidenceWrong("got a seal serial twice, expected one for each bag")
            facts.serials.update(serials)
        case StepKind.TEST_DEPOSIT:
            first = facts.first_addresses[step.subject]
            _equal("addresses of the test deposit", {first, evidence["address"]})
        case StepKind.SOFTWARE | StepKind.REGISTRATION | StepKind.CLOSE:
            pass


def _take_shares(plan: Plan, step: Step, evidence: Mapping[str, str], facts: Facts) -> None:
    """Every share of the scheme has a custodian, and none of them holds a quorum alone."""
    shares = {what: who for what, who in evidence.items() if _SHARE.fullmatch(what)}
    needed, _, groups = evidence["scheme"].partition(" of ")
    scheme = Scheme.parse(groups.split(","), int(needed))
    expected = {
        f"share.{group}-{member}"
        for group, (_, count) in enumerate(scheme.groups, start=1)
        for member in range(1, count + 1)
    }
    if set(shares) != expected:
        raise EvidenceWrong(f"got {sorted(shares)}, expected {sorted(expected)}")
    holders = set(shares.values())
    if not holders <= plan.named(Role.CUSTODIAN):
        raise EvidenceWrong(f"got shares for {sorted(holders)}, expected custodians of the plan")
    for holder in holders:
        held = Counter(what.partition("-")[0] for what, who in shares.items() if who == holder)
        complete = sum(
            held[f"share.{group}"] >= threshold
            for group, (threshold, _) in enumerate(scheme.groups, start=1)
        )
        if complete >= scheme.group_threshold:
            raise QuorumInOneHand(f"got a whole quorum for {holder}, expected two people at least")
    facts.shares[step.subject] = frozenset(shares)


def _equal(what: str, values: set[object] | set[str] | set[tuple[str, str]]) -> None:
    if len(values) != 1:
        raise NotEqual(f"got different {what}, expected the same: stop and find out why")

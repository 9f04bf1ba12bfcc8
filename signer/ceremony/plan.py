"""The plan of a ceremony: who takes part as what, and which steps follow each other.

A plan may add steps, signers, vaults and people; what the rules demand it cannot take away.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from signer.config import ConfigError, check_name
from signer.errors import SignerError

PLAN_BYTES_MAX = 256 * 1024
"""No plan is larger; checked before parsing."""

CUSTODIANS_MIN = 2
"""One person who holds all shares is no custody."""


class PlanInvalid(SignerError):
    """A plan that leaves out people or steps, or has them twice or in another order."""

    code = "ceremony.plan_invalid"


class Role(StrEnum):
    """What a person is there for; nobody has two roles."""

    COORDINATOR = "coordinator"
    CODE_VERIFIER = "code-verifier"
    CUSTODIAN = "custodian"
    SCRIBE = "scribe"
    WITNESS = "witness"


class StepKind(StrEnum):
    """What can happen, in the order in which it must."""

    MEDIA = "media"
    SOFTWARE = "software"
    ENTROPY = "entropy"
    CHECK_VALUES = "check-values"
    REGISTRATION = "registration"
    FIRST_ADDRESS = "first-address"
    SHARES = "shares"
    DRILL = "drill"
    SEALS = "seals"
    TEST_DEPOSIT = "test-deposit"
    CLOSE = "close"


ABOUT_SIGNERS = (
    StepKind.ENTROPY,
    StepKind.CHECK_VALUES,
    StepKind.SHARES,
    StepKind.DRILL,
    StepKind.SEALS,
)
"""Each of these is there once for each signer, its `subject`."""

ABOUT_VAULTS = (StepKind.REGISTRATION, StepKind.FIRST_ADDRESS)
"""Each of these is there once for each vault, its `subject`."""

OPTIONAL = (StepKind.TEST_DEPOSIT,)
"""A plan may name these, for any of its vaults; it need not."""

_SAY = {
    StepKind.MEDIA: "Two people, each on a machine of their own, hash the medium and read aloud.",
    StepKind.SOFTWARE: "Run the self-check on the machine that will hold the keys.",
    StepKind.ENTROPY: "Roll the dice behind a screen; init the signer with them; burn the notes.",
    StepKind.CHECK_VALUES: "Read fingerprint, check value and words aloud; the scribe repeats.",
    StepKind.REGISTRATION: "Register the vault on every signer; write down each proof.",
    StepKind.FIRST_ADDRESS: "Show the first address on every signer and compare in full.",
    StepKind.SHARES: "Split the seed; each custodian writes down own shares, alone.",
    StepKind.DRILL: "Destroy the home; recover it from shares; compare the check values.",
    StepKind.SEALS: "Put each share into a bag, seal it, and read the serial aloud.",
    StepKind.TEST_DEPOSIT: "Pay a little to the first address; bring the node's answer over.",
    StepKind.CLOSE: "Everybody signs that it went as written here.",
}


@dataclass(frozen=True, slots=True)
class Participant:
    """A person, what for, and the Ed25519 key by which they sign."""

    name: str
    role: Role
    key: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `subject` is the medium, signer or vault it is about."""

    id: str
    kind: StepKind
    subject: str
    say: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was checked. `text` is the file itself, of which `sha256` is the name."""

    text: bytes
    name: str
    participants: tuple[Participant, ...]
    steps: tuple[Step, ...]

    @property
    def sha256(self) -> bytes:
        """What every record of the transcript names."""
        return hashlib.sha256(self.text).digest()

    @property
    def signers(self) -> tuple[str, ...]:
        """The signers whose keys are made."""
        return tuple(s.subject for s in self.steps if s.kind is StepKind.CHECK_VALUES)

    def named(self, role: Role) -> frozenset[str]:
        """Names of the people with a role."""
        return frozenset(p.name for p in self.participants if p.role is role)

    @classmethod
    def parse(cls, text: bytes) -> "Plan":
        """Parse and check a plan. Raises PlanInvalid."""
        if len(text) > PLAN_BYTES_MAX:
            raise PlanInvalid(f"got a plan of {len(text)} bytes, expected at most 256 KiB")
        try:
            values = tomllib.loads(text.decode())
            if (
                set(values) != {"version", "name", "participants", "steps"}
                or values["version"] != 1
            ):
                raise PlanInvalid("got other keys than version 1, name, participants and steps")
            plan = cls(
                text,
                check_name(values["name"], "ceremony name"),
                tuple(_participant(**each) for each in values["participants"]),
                tuple(_step(**each) for each in values["steps"]),
            )
        except (ConfigError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise PlanInvalid(f"got a plan that cannot be read: {error}") from error
        _check_people(plan)
        _check_steps(plan)
        return plan


def plan_text(
    name: str,
    participants: Sequence[Participant],
    signers: Sequence[str],
    vaults: Sequence[str],
    test_deposits: Sequence[str] = (),
) -> str:
    """A plan with every step that the rules demand, to be edited before the ceremony."""
    lines = ["version = 1", f'name = "{check_name(name, "ceremony name")}"']
    for person in participants:
        lines += ["", "[[participants]]", f'name = "{person.name}"', f'role = "{person.role}"']
        lines.append(f'key = "{person.key.hex()}"')
    subjects = dict.fromkeys(ABOUT_SIGNERS, signers) | dict.fromkeys(ABOUT_VAULTS, vaults)
    subjects[StepKind.MEDIA] = ("usb-1",)
    subjects[StepKind.TEST_DEPOSIT] = test_deposits
    for kind in StepKind:
        for subject in subjects.get(kind, ("",)):
            identifier = f"{kind}-{check_name(subject, 'subject')}" if subject else str(kind)
            lines += ["", "[[steps]]", f'id = "{identifier}"', f'kind = "{kind}"']
            lines += [f'subject = "{subject}"'] if subject else []
            lines.append(f'say = "{_SAY[kind]}"')
    return "\n".join(lines) + "\n"


def _participant(name: str, role: str, key: str) -> Participant:
    made = Participant(check_name(name, "participant"), Role(role), bytes.fromhex(key))
    if len(made.key) != 32:
        raise PlanInvalid(f"got a key of {len(made.key)} bytes for {name}, expected 32")
    return made


def _step(id: str, kind: str, subject: str = "", say: str = "") -> Step:
    if not isinstance(subject, str) or not isinstance(say, str):
        raise PlanInvalid(f"got step {id} whose subject or words are no text")
    made = Step(check_name(id, "step id"), StepKind(kind), subject, say)
    if made.kind in (*ABOUT_SIGNERS, *ABOUT_VAULTS, *OPTIONAL, StepKind.MEDIA):
        check_name(subject, f"subject of step {id}")
    return made


def _check_people(plan: Plan) -> None:
    for what, values in (
        ("name", [person.name for person in plan.participants]),
        ("key", [person.key for person in plan.participants]),
    ):
        if len(set(values)) != len(values):
            raise PlanInvalid(f"got two participants with the same {what}, expected different ones")
    for role in Role:
        wanted = CUSTODIANS_MIN if role is Role.CUSTODIAN else 1
        if len(plan.named(role)) < wanted:
            raise PlanInvalid(f"got {len(plan.named(role))} of role {role}, expected {wanted}")


def _check_steps(plan: Plan) -> None:
    """Every kind, in order, once for each thing it is about."""
    order = list(StepKind)
    places = [order.index(step.kind) for step in plan.steps]
    if places != sorted(places):
        raise PlanInvalid(f"got steps in another order than {', '.join(order)}")
    twice: Counter[Any] = Counter(step.id for step in plan.steps)
    twice.update((step.kind, step.subject) for step in plan.steps)
    again = [what for what, count in twice.items() if count > 1]
    if again:
        raise PlanInvalid(f"got {again[0]} twice, expected each step once")
    vaults = {step.subject for step in plan.steps if step.kind in ABOUT_VAULTS}
    for kind in StepKind:
        subjects = {step.subject for step in plan.steps if step.kind is kind}
        if not subjects and kind not in OPTIONAL:
            raise PlanInvalid(f"got no step {kind}, expected every kind")
        if kind in ABOUT_SIGNERS and subjects != set(plan.signers):
            raise PlanInvalid(f"got step {kind} for {sorted(subjects)}, expected every signer")
        if kind in ABOUT_VAULTS and subjects != vaults:
            raise PlanInvalid(f"got step {kind} for {sorted(subjects)}, expected every vault")
        if kind in OPTIONAL and not subjects <= vaults:
            raise PlanInvalid(
                f"got step {kind} for {sorted(subjects)}, expected vaults of the plan"
            )

"""A proposed activation `GP1`: both files as they are and as they would be, for people to approve.

The file carries the texts, so that an approver reads the difference and not only a hash. What is
approved is the digest over the signer's name, the number of the activation and the four hashes:
an approval fits one signer, one step from exactly one configuration to another, and only once.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.difference import ABSENT, Change, Effect, effect_of, policy_changes
from policies.errors import PolicyError
from policies.loader import load_policy
from policies.policy import Policy
from signer.errors import ProtocolError
from signer.protocol.wire import Fields, digest, dump
from signer.protocol.words import check_words, clean

PROPOSAL = "GP1"
"""The type that a proposal file names itself."""

TEXT_BYTES_MAX = 256 * 1024
"""None of the four texts is longer."""

_KEYS = ("id", "code", "name")
_DEFAULTS: Mapping[str, int] = {
    "governance_quorum": 0,
    "rollback_quorum": 0,
    "clock_skew_s": 300,
    "nonce_gap_max": 0,
    "batch_gas_limit_max": 0,
    "inputs_max": 500,
    "outputs_max": 500,
    "change_gap_max": 200,
}
"""What `signer.toml` means where it says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Files to be activated in one signer. `previous_*` are empty before the first activation."""

    signer_id: str
    number: int
    previous_config: bytes
    previous_policy: bytes
    config: bytes
    policy: bytes

    @property
    def digest(self) -> bytes:
        """What an approval names: 32 bytes."""
        texts = (self.previous_config, self.previous_policy, self.config, self.policy)
        hashes = [hashlib.sha256(text).digest() for text in texts]
        body = {"v": 1, "signer_id": self.signer_id, "number": self.number, "sha256": hashes}
        return digest("activation", dump(body))

    def encode(self) -> bytes:
        """The proposal as it travels."""
        return dump(
            {
                "t": PROPOSAL,
                "v": 1,
                "signer_id": self.signer_id,
                "number": self.number,
                "previous_config": self.previous_config,
                "previous_policy": self.previous_policy,
                "config": self.config,
                "policy": self.policy,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Proposal":
        """Parse a proposal file. Raises ProtocolError."""
        fields = Fields(data, "proposal")
        if fields.text("t") != PROPOSAL:
            raise ProtocolError(f"got another file, expected a proposal {PROPOSAL}")
        proposal = cls(
            signer_id=fields.text("signer_id"),
            number=fields.units("number"),
            previous_config=fields.blob("previous_config"),
            previous_policy=fields.blob("previous_policy"),
            config=fields.blob("config"),
            policy=fields.blob("policy"),
        )
        fields.done(version=1)
        return proposal

    def changes(self) -> tuple[Change, ...]:
        """What would change, in both files. Raises ProtocolError for texts that do not parse."""
        before = _policy(self.previous_policy) if self.previous_policy else None
        found = list(policy_changes(before, _policy(self.policy)))
        if self.previous_config:
            found += _tables("signer.toml", _toml(self.previous_config), _toml(self.config))
        return tuple(found)

    def lines(self) -> list[str]:
        """The proposal in words, one change a line, what loosens marked."""
        head = f"signer {clean(self.signer_id)}, activation {self.number}"
        why = "the first" if self.number == 1 else "the activated files are lost"
        lines = [head if self.previous_config else f"{head}: {why}, nothing to compare with"]
        for change in self.changes():
            mark = {Effect.LOOSER: "LOOSER  ", Effect.TIGHTER: "tighter "}.get(change.effect, "")
            text = f"{change.place}: {change.before} -> {change.after}"
            lines.append(f"{mark or 'changed '}{clean(text)}")
        if len(lines) == 1 and self.previous_config:
            lines.append("nothing changes but the files' wording")
        for name, data in (("signer.toml", self.config), ("policy.toml", self.policy)):
            lines.append(f"{name} SHA-256 {hashlib.sha256(data).hexdigest()}")
        lines.append(f"check words: {check_words(self.digest)}")
        return lines


def _policy(text: bytes) -> Policy:
    try:
        return load_policy(_toml(text))
    except PolicyError as error:
        raise ProtocolError(f"got a policy that does not load: {error}") from error


def _toml(text: bytes) -> dict[str, Any]:
    if len(text) > TEXT_BYTES_MAX:
        raise ProtocolError(f"got a file of {len(text)} bytes, expected at most {TEXT_BYTES_MAX}")
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"got a file that is no TOML: {error}") from error


def _tables(where: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Changes between two TOML tables; tables in a list are known by their id, not their place."""
    for name in sorted(before.keys() | after.keys()):
        old, new = (side.get(name, _DEFAULTS.get(name)) for side in (before, after))
        if old == new:
            continue
        place = f"{where}: {name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _tables(place, old, new)
        elif isinstance(old, list | None) and isinstance(new, list | None):
            yield from _lists(place, old or [], new or [])
        else:
            yield _change(place, old, new, effect_of(name, _number(old), _number(new)))


def _lists(where: str, before: list[Any], after: list[Any]) -> Iterator[Change]:
    """More networks, tokens, coordinators or approvers can do more; fewer can do less."""
    old, new = _by_id(before), _by_id(after)
    for key in sorted(old.keys() | new.keys()):
        was, will = old.get(key), new.get(key)
        if was == will:
            continue
        place = f"{where} {key}"
        if isinstance(was, dict) and isinstance(will, dict):
            yield from _tables(place, was, will)
        else:
            effect = Effect.LOOSER if was is None else Effect.TIGHTER
            yield _change(place, was, will, effect if None in (was, will) else Effect.OTHER)


def _by_id(rows: list[Any]) -> dict[str, Any]:
    found = {}
    for place, row in enumerate(rows):
        names = [row[key] for key in _KEYS if key in row] if isinstance(row, dict) else [row]
        found[str(names[0]) if names else str(place)] = row
    return found


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _change(place: str, before: Any, after: Any, effect: Effect) -> Change:
    old, new = (ABSENT if side is None else str(side) for side in (before, after))
    return Change(place=place, before=old, after=new, effect=effect)

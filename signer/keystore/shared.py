"""A quorum of people who each hold a passphrase: any k of n together open the file.

The material is drawn once and sealed for each group of k people under HKDF of their Argon2id
outputs in the order of their names. With at most five people there are at most ten groups; nothing
is computed in fields or shares, so there is nothing to get wrong. Fewer than k passphrases open no
group, and no single one can be checked by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from signer.entropy import RandomBytes, hkdf
from signer.keystore.aead import seal, unseal
from signer.keystore.errors import FactorsUnsound, QuorumMissing, WrongPassphrase
from signer.keystore.factors import MATERIAL_BYTES, stored_fields
from signer.keystore.kek import KdfCost, Stretched
from signer.protocol import dump
from signer.protocol.wire import Fields

PEOPLE_MAX = 5
"""Ten groups of people at the most; a larger circle shares a key by SLIP-39."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is here and typed a passphrase."""

    name: str
    passphrase: bytes = field(repr=False)


class SharedFactor:
    """Any `threshold` of the people of the file; a new file needs all of its people present."""

    kind = "shared"
    alone = True

    def __init__(
        self, people: Sequence[Person], threshold: int = 0, cost: KdfCost | None = None
    ) -> None:
        self._people = tuple(sorted(people, key=lambda person: person.name))
        self._threshold = threshold
        self._cost = cost
        names = [person.name for person in self._people]
        if len(set(names)) != len(names) or not all(0 < len(name) <= 64 for name in names):
            raise FactorsUnsound("got people's names that are equal, empty or above 64 characters")

    def make(self, random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """Salts and sealed copies. Raises FactorsUnsound outside 2 <= k <= n <= 5."""
        if not 2 <= self._threshold <= len(self._people) <= PEOPLE_MAX:
            raise FactorsUnsound(
                f"got {self._threshold} of {len(self._people)} people, expected 2 <= k <= n <="
                f" {PEOPLE_MAX}"
            )
        if len({person.passphrase for person in self._people}) != len(self._people):
            raise FactorsUnsound("got one passphrase for two people, expected each their own")
        material = random(MATERIAL_BYTES)
        rows, keys = [], {}
        for person in self._people:
            stored, keys[person.name] = Stretched(person.passphrase, cost=self._cost).fresh(random)
            rows.append({"name": person.name, **stored})
        groups = []
        for group in combinations(sorted(keys), self._threshold):
            iv = random(12)
            sealed = seal(_group_key(group, keys), iv, material, _binding(group, rows))
            groups.append({"names": list(group), "iv": iv, "sealed": sealed})
        return {"threshold": self._threshold, "people": rows, "groups": groups}, material

    def open(self, stored: Fields) -> bytes:
        """The material, by the first group whose people are all here. Raises QuorumMissing."""
        threshold, rows = stored.units("threshold"), stored.items("people", PEOPLE_MAX)
        groups = [stored_fields(each) for each in stored.items("groups", 10)]
        here = {person.name: person.passphrase for person in self._people}
        for group in groups:
            names = tuple(str(name) for name in group.items("names", PEOPLE_MAX))
            if len(names) == threshold and here.keys() >= set(names):
                keys = _keys_of(names, rows, here)
                return _unsealed(group, _group_key(names, keys), _binding(names, rows))
        raise QuorumMissing(
            f"got {len(here)} of the people who open this file, expected {threshold}"
        )


def _unsealed(group: Fields, key: bytes, aad: bytes) -> bytes:
    iv, sealed = group.blob("iv"), group.blob("sealed")
    try:
        return unseal(key, iv, sealed, aad)
    except WrongPassphrase as error:
        raise WrongPassphrase("got a wrong passphrase of one of the people") from error


def _keys_of(
    names: Sequence[str], rows: Sequence[object], here: Mapping[str, bytes]
) -> dict[str, bytes]:
    keys = {}
    for row in (stored_fields(each) for each in rows):
        name = row.text("name")
        if name in names:
            keys[name] = Stretched(here[name]).again(row)
    if len(keys) != len(names):
        raise QuorumMissing("got a group of people who are not in the file, expected those who are")
    return keys


def _group_key(names: Sequence[str], keys: Mapping[str, bytes]) -> bytes:
    material = b"".join(keys[name] for name in names)
    return hkdf(material, b"hk/shared/v1", dump(list(names)), 32)


def _binding(names: Sequence[str], rows: Sequence[object]) -> bytes:
    return b"hk/shared/v1" + dump([list(names), list(rows)])

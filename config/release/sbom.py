"""A software bill of materials in CycloneDX 1.6 JSON, from lock file and wheel metadata."""

import email.message
import email.parser
import hashlib
import re
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIN = re.compile(r"^(\S+)==(\S+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package of a lock file: its version, and the SHA-256 of every file it may come as."""

    name: str
    version: str
    hashes: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel file and what its metadata says."""

    path: Path
    name: str
    version: str
    sha256: str
    metadata: email.message.Message

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins_of(lock: str) -> dict[str, Pin]:
    """The packages of a lock file by name."""
    found = {}
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        match = _PIN.match(entry)
        if match is None:
            raise ValueError(f"got a lock entry without a version: {entry[:60]!r}")
        pin = Pin(
            name=normal(match[1]),
            version=match[2],
            hashes=frozenset(_HASH.findall(entry)),
            text=entry,
        )
        found[pin.name] = pin
    return found


def read_wheel(path: Path) -> Wheel:
    """A wheel's name, version, hash and metadata."""
    with zipfile.ZipFile(path) as archive:
        (place,) = (n for n in archive.namelist() if n.endswith("METADATA") and n.count("/") == 1)
        metadata = email.parser.BytesParser().parsebytes(archive.read(place))
    return Wheel(
        path=path,
        name=normal(metadata["Name"]),
        version=metadata["Version"],
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        metadata=metadata,
    )


def normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def sbom(
    product: Wheel, parts: Sequence[Wheel], pins: Mapping[str, Pin], timestamp: str
) -> dict[str, Any]:
    """The document. The same input gives the same bytes, the serial number included."""
    wheels = sorted([product, *parts], key=lambda wheel: wheel.name)
    seed = ",".join(wheel.sha256 for wheel in wheels)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, seed)}",
        "version": 1,
        "metadata": {
            "timestamp": timestamp,
            "component": _component(product, "application", pins),
        },
        "components": [_component(wheel, "library", pins) for wheel in wheels if wheel != product],
        "dependencies": list(_dependencies(wheels)),
    }


def _component(wheel: Wheel, kind: str, pins: Mapping[str, Pin]) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": kind,
        "bom-ref": wheel.purl,
        "name": wheel.name,
        "version": wheel.version,
        "purl": wheel.purl,
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
        "licenses": _licenses(wheel.metadata),
        "properties": [{"name": "glaytos:file", "value": wheel.path.name}],
    }
    pin = pins.get(wheel.name)
    if pin is not None and wheel.sha256 not in pin.hashes:
        built = ({"name": "glaytos:locked-sha256", "value": one} for one in sorted(pin.hashes))
        component["properties"] += [{"name": "glaytos:built-from", "value": "source"}, *built]
    return component


def _licenses(metadata: email.message.Message) -> list[dict[str, Any]]:
    """An SPDX expression where the package gives one, else the words that it uses."""
    if metadata["License-Expression"]:
        return [{"expression": metadata["License-Expression"]}]
    listed = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    names = [text.rpartition(":: ")[2] for text in listed] or [metadata["License"] or ""]
    return [{"license": {"name": name}} for name in names if name]


def _dependencies(wheels: Iterable[Wheel]) -> Iterable[dict[str, Any]]:
    known = {wheel.name: wheel.purl for wheel in wheels}
    for wheel in wheels:
        needs = set()
        for text in wheel.metadata.get_all("Requires-Dist", []):
            match = _REQUIREMENT.match(text)
            if match is not None and "extra ==" not in text:
                needs.add(known.get(normal(match[0]), ""))
        yield {"ref": wheel.purl, "dependsOn": sorted(needs - {""})}

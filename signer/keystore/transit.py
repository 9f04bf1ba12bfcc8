"""A factor that a HashiCorp-Vault-compatible transit engine gives back, without any network here.

The engine makes a data key and hands out only its wrapped form (`datakey/wrapped/:name`). To open
the file an operator carries a request for `decrypt/:name` to the engine and its JSON answer back.
Vault's access rules and audit log then stand before every unlocking. Since the answer crosses the
gap in the clear, this factor never protects a file alone: whoever finds the medium has one factor.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.nesting import check_nesting
from signer.entropy import RandomBytes
from signer.keystore.errors import FactorsUnsound, TransitAnswerInvalid
from signer.keystore.factors import MATERIAL_BYTES
from signer.protocol.wire import Fields

ANSWER_BYTES_MAX = 16 * 1024
"""An answer is a few hundred bytes."""

PARAMETER_CHARS_MAX = 512
"""A key file holds no longer text."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_WRAPPED = re.compile(r"vault:v[1-9][0-9]{0,5}:[A-Za-z0-9+/]{16,400}={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitKey:
    """A wrapped key and what the engine needs to unwrap it.

    `context` (for derived keys) and `associated_data` are Base64 as Vault takes them, or empty.
    """

    name: str
    ciphertext: str
    mount: str = "transit"
    context: str = ""
    associated_data: str = ""

    def __post_init__(self) -> None:
        if not (_NAME.fullmatch(self.name) and _NAME.fullmatch(self.mount)):
            raise TransitAnswerInvalid(f"got key {self.mount}/{self.name}, expected plain names")
        if not _WRAPPED.fullmatch(self.ciphertext):
            raise TransitAnswerInvalid("got no wrapped key, expected `vault:v<number>:<Base64>`")
        for value in (self.context, self.associated_data):
            if len(value) > PARAMETER_CHARS_MAX:
                raise TransitAnswerInvalid(f"got {len(value)} characters of a parameter")
            _decoded(value)

    def decrypt_request(self) -> dict[str, Any]:
        """What the operator sends: method, path and JSON body, empty parameters left out."""
        optional = {"context": self.context, "associated_data": self.associated_data}
        body = {name: value for name, value in optional.items() if value}
        return {
            "method": "POST",
            "path": f"/v1/{self.mount}/decrypt/{self.name}",
            "body": {"ciphertext": self.ciphertext, **body},
        }

    def stored(self) -> dict[str, Any]:
        """What the key file keeps."""
        return {
            "name": self.name,
            "ciphertext": self.ciphertext,
            "mount": self.mount,
            "context": self.context,
            "associated_data": self.associated_data,
        }

    @classmethod
    def read(cls, stored: Fields) -> "TransitKey":
        """From a key file. Raises ProtocolError, TransitAnswerInvalid."""
        return cls(
            name=stored.text("name"),
            ciphertext=stored.text("ciphertext"),
            mount=stored.text("mount"),
            context=stored.text("context"),
            associated_data=stored.text("associated_data"),
        )


class TransitFactor:
    """The engine's answer to the decrypt request; a new file also names the wrapped key.

    A new file needs the answer too: it proves that the engine gives the key back.
    """

    kind = "transit"
    alone = False

    def __init__(self, answer: bytes, new: TransitKey | None = None) -> None:
        self._material = plaintext_of(answer)
        self._new = new

    def make(self, _random: RandomBytes) -> tuple[Mapping[str, Any], bytes]:
        """The wrapped key, and what the engine unwrapped. Raises FactorsUnsound."""
        if self._new is None:
            raise FactorsUnsound("got no wrapped key of the transit engine, expected `wrapped`")
        return self._new.stored(), self._material

    def open(self, stored: Fields) -> bytes:
        """What the engine unwrapped; an answer to another request opens nothing."""
        TransitKey.read(stored)
        return self._material


def plaintext_of(answer: bytes) -> bytes:
    """The key in an answer to `decrypt/:name`. Raises TransitAnswerInvalid."""
    material = _decoded(_data_text(answer, "plaintext"))
    if len(material) != MATERIAL_BYTES:
        raise TransitAnswerInvalid(f"got a key of {len(material)} bytes, expected a 256-bit key")
    if len(set(material)) < 8:
        raise TransitAnswerInvalid("got a key that is not random, expected one of the engine")
    return material


def ciphertext_of(answer: bytes) -> str:
    """The wrapped key in an answer to `datakey/wrapped/:name`. Raises TransitAnswerInvalid."""
    return _data_text(answer, "ciphertext")


def _data_text(answer: bytes, name: str) -> str:
    """`data.<name>`; what else Vault writes around it (lease, warnings, ids) says nothing here."""
    if len(answer) > ANSWER_BYTES_MAX:
        raise TransitAnswerInvalid(f"got {len(answer)} bytes, expected {ANSWER_BYTES_MAX} at most")
    try:
        check_nesting(answer)
        parsed = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise TransitAnswerInvalid("got an answer that is not JSON") from error
    if isinstance(parsed, dict) and parsed.get("errors"):
        raise TransitAnswerInvalid("got the engine's refusal, expected its answer")
    data = parsed.get("data") if isinstance(parsed, dict) else None
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        raise TransitAnswerInvalid(f"got an answer without data.{name}")
    return value


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TransitAnswerInvalid("got a field that is not Base64") from error

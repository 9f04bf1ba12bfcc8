"""Staff key files: an Ed25519 approval key, encrypted with a passphrase. Not a wallet key.

The file is JSON; its seed is under AES-256-GCM, keyed by scrypt, with all other fields as
associated data. Nothing here prints or logs the seed or the passphrase.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from Crypto.Cipher import AES

from signer.protocol import APPROVAL, Approval, digest, identity_sign, public_key_of
from wallet.treasury.errors import StaffKeyError

FORMAT = "glaytos-staff-key/1"
"""Names the file's layout."""

FILE_BYTES_MAX = 4096
"""A key file is a few hundred bytes; checked before parsing."""

PASSPHRASE_CHARACTERS_MIN = 8
"""Shorter passphrases are refused."""

_SEED_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_SCRYPT_N = 1 << 15
_SCRYPT_R = 8
_SCRYPT_P = 1
_SCRYPT_MEMORY_BYTES = 64 * 1024 * 1024
_FIELDS = frozenset({"format", "id", "public_key", "salt", "nonce", "box"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffKey:
    """An unlocked approval key; the seed stays out of repr."""

    id: str
    public_key: bytes
    seed: bytes = field(repr=False)

    def approve(self, intent_digest: bytes, now_s: int) -> Approval:
        """A signed yes to exactly this intent."""
        body = Approval.body_of(self.id, intent_digest, now_s)
        return Approval(body=body, sig=identity_sign(self.seed, digest(APPROVAL, body)))


def create_staff_key(
    path: Path, staff_id: str, passphrase: str, random: Callable[[int], bytes]
) -> StaffKey:
    """Make a new key file (mode 600); an existing one is never overwritten.

    Raises StaffKeyError.
    """
    if not staff_id or len(staff_id) > 128 or not staff_id.isprintable():
        raise StaffKeyError(f"got staff id {staff_id[:40]!r}, expected 1 to 128 plain characters")
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise StaffKeyError(
            f"got a short passphrase, expected {PASSPHRASE_CHARACTERS_MIN} characters or more"
        )
    seed, salt, nonce = random(_SEED_BYTES), random(_SALT_BYTES), random(_NONCE_BYTES)
    header = {
        "format": FORMAT,
        "id": staff_id,
        "public_key": public_key_of(seed).hex(),
        "salt": salt.hex(),
        "nonce": nonce.hex(),
    }
    cipher = AES.new(_key(passphrase, salt), AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
    cipher.update(_associated(header))
    box, tag = cipher.encrypt_and_digest(seed)
    _write_new(path, json.dumps({**header, "box": (box + tag).hex()}, indent=2) + "\n")
    return StaffKey(id=staff_id, public_key=public_key_of(seed), seed=seed)


def load_staff_key(path: Path, passphrase: str) -> StaffKey:
    """Unlock a key file. Raises StaffKeyError; a wrong passphrase and a changed file look alike."""
    document = read_header(path)
    salt, nonce, box = (_unhex(document, name) for name in ("salt", "nonce", "box"))
    if (len(salt), len(nonce), len(box)) != (_SALT_BYTES, _NONCE_BYTES, _SEED_BYTES + _TAG_BYTES):
        raise StaffKeyError(f"got fields of another length in {path}, expected a staff key")
    cipher = AES.new(_key(passphrase, salt), AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
    cipher.update(_associated({name: document[name] for name in _FIELDS - {"box"}}))
    try:
        seed = cipher.decrypt_and_verify(box[:_SEED_BYTES], box[_SEED_BYTES:])
    except ValueError as error:
        raise StaffKeyError(f"{path} does not open: wrong passphrase or changed file") from error
    key = StaffKey(id=document["id"], public_key=public_key_of(seed), seed=seed)
    if key.public_key.hex() != document["public_key"]:
        raise StaffKeyError(f"got a public key in {path} that is not of its seed")
    return key


def read_header(path: Path) -> Mapping[str, str]:
    """The fields of a key file as texts, still locked. Raises StaffKeyError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise StaffKeyError(f"got a long file at {path}, expected a staff key")
        document: Any = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise StaffKeyError(f"got no readable staff key at {path}") from error
    if not isinstance(document, dict) or set(document) != _FIELDS:
        raise StaffKeyError(f"got other fields in {path}, expected a staff key")
    if not all(isinstance(value, str) for value in document.values()):
        raise StaffKeyError(f"got fields that are not text in {path}, expected a staff key")
    if document["format"] != FORMAT:
        raise StaffKeyError(f"got format {document['format'][:40]!r}, expected {FORMAT}")
    return document


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        passphrase.encode(),
        salt=salt,
        n=_SCRYPT_N,
        r=_SCRYPT_R,
        p=_SCRYPT_P,
        maxmem=_SCRYPT_MEMORY_BYTES,
        dklen=32,
    )


def _associated(header: Mapping[str, str]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _unhex(document: Mapping[str, str], name: str) -> bytes:
    try:
        return bytes.fromhex(document[name])
    except ValueError as error:
        raise StaffKeyError(f"got a {name} that is not hex, expected a staff key") from error


def _write_new(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StaffKeyError(f"cannot make {path}: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())

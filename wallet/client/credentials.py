"""Who a client is: the address of the API, the key's id and its Ed25519 seed, in one file."""

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from wallet.client.errors import CredentialsBad

FIELDS = frozenset({"url", "key_id", "private_key"})
"""Exactly what the file holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """`private_key` is the 32-byte seed; the API has only its public half."""

    url: str
    key_id: str
    private_key: bytes = field(repr=False)


def load_credentials(path: Path) -> Credentials:
    """Read a credentials file. Raises CredentialsBad."""
    try:
        mode = path.stat().st_mode
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CredentialsBad(f"got no JSON in {path}, expected a credentials file") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialsBad(f"got {path} open to others, expected mode 0600")
    if not isinstance(content, dict) or set(content) != FIELDS:
        raise CredentialsBad(f"got other fields in {path}, expected {', '.join(sorted(FIELDS))}")
    try:
        seed = bytes.fromhex(content["private_key"])
    except (TypeError, ValueError) as error:
        raise CredentialsBad(f"got a private_key in {path} that is not hex") from error
    if len(seed) != 32:
        raise CredentialsBad(f"got a private_key of {len(seed)} bytes in {path}, expected 32")
    return Credentials(url=content["url"], key_id=content["key_id"], private_key=seed)


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Write a new file that only its owner may read; an existing one is never replaced."""
    content = {
        "url": credentials.url,
        "key_id": credentials.key_id,
        "private_key": credentials.private_key.hex(),
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CredentialsBad(f"got {path}, expected a path for a new file") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())

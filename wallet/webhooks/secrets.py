"""Secrets at rest: AES-256-GCM under a key derived from the service key file."""

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF

from wallet.errors import WalletError

SERVICE_KEY_BYTES = 32
"""Length of the service key."""

_NONCE_BYTES = 12
_TAG_BYTES = 16


class ServiceKeyFileBad(WalletError):
    """The service key file is missing, readable by others, or not 64 hex digits."""

    code = "service_key.bad_file"


class SecretBoxBroken(WalletError):
    """A stored secret does not open under this service key: another key, or changed bytes."""

    code = "service_key.box_broken"


def create_service_key(path: Path, random: Callable[[int], bytes]) -> None:
    """Write a new service key, readable by its owner only; an existing file is never replaced."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(random(SERVICE_KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def load_service_key(path: Path) -> bytes:
    """The service key of a file. Raises ServiceKeyFileBad."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
        key = bytes.fromhex(text.strip())
    except (OSError, ValueError) as error:
        raise ServiceKeyFileBad(f"got no key in {path}, expected 64 hex digits") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ServiceKeyFileBad(f"got {path} open to others, expected mode 0600")
    if len(key) != SERVICE_KEY_BYTES:
        raise ServiceKeyFileBad(f"got {len(key)} bytes in {path}, expected {SERVICE_KEY_BYTES}")
    return key


def close_box(service_key: bytes, owner: str, secret: bytes, nonce: bytes) -> bytes:
    """Encrypt a secret for storage, bound to the row that owns it; `nonce` is 12 random bytes."""
    cipher = AES.new(_box_key(service_key), AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
    cipher.update(owner.encode())
    sealed, tag = cipher.encrypt_and_digest(secret)
    return nonce + tag + sealed


def open_box(service_key: bytes, owner: str, box: bytes) -> bytes:
    """The secret of a stored box. Raises SecretBoxBroken."""
    nonce, tag = box[:_NONCE_BYTES], box[_NONCE_BYTES : _NONCE_BYTES + _TAG_BYTES]
    sealed = box[_NONCE_BYTES + _TAG_BYTES :]
    if len(tag) != _TAG_BYTES:
        raise SecretBoxBroken(f"got a box of {len(box)} bytes for {owner}, expected at least 28")
    cipher = AES.new(_box_key(service_key), AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
    cipher.update(owner.encode())
    try:
        return cipher.decrypt_and_verify(sealed, tag)
    except ValueError as error:
        raise SecretBoxBroken(
            f"got a box for {owner} that this service key did not close"
        ) from error


def secret_text(secret: bytes) -> str:
    """How Standard Webhooks writes a secret."""
    return "whsec_" + base64.b64encode(secret).decode()


def _box_key(service_key: bytes) -> bytes:
    """A key for this use alone, so that no other use of the service key can interfere."""
    key = HKDF(service_key, SERVICE_KEY_BYTES, b"", SHA256, context=b"glaytos/webhook-secrets/v1")
    if not isinstance(key, bytes):
        raise SecretBoxBroken("got several derived keys, expected one")
    return key

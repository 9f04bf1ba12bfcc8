"""New secrets: the system generator, mixed with at least one more source."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from contextlib import suppress

from signer.errors import SignerError

RandomBytes = Callable[[int], bytes]
"""os.urandom in production; an argument everywhere so that a test can watch the real path."""

SECOND_SOURCE_BYTES_MIN = 16
"""A second source below this adds nothing worth a file."""

SECOND_SOURCE_BYTES_MAX = 1024 * 1024
"""Larger files are a mistake, not more entropy."""

FILE_BYTES_MIN = 32
"""A file from another machine holds 256 bits at least."""


class EntropyError(SignerError):
    """A source of randomness that must not be used."""

    code = "entropy.unusable"


class SecondSourceMissing(EntropyError):
    """No second source, and nobody said that there is to be none."""

    code = "entropy.no_second_source"


def new_secret(random: RandomBytes, size: int, purpose: str, second: bytes | None = None) -> bytes:
    """`size` secret bytes: HKDF-SHA256 over the system generator and a second source.

    Learning either source alone gives nothing. Raises EntropyError for a source that looks dead.
    """
    first = _drawn(random)
    material = len(first).to_bytes(4, "big") + first
    if second is not None:
        _check_second(second)
        material += len(second).to_bytes(4, "big") + second
    return hkdf(material, b"hk/entropy/v1", purpose.encode(), size)


def mixed(sources: Mapping[str, bytes]) -> bytes | None:
    """The further sources as one, each with its name and length; None if there is none."""
    parts = [
        len(part).to_bytes(4, "big") + part
        for name in sorted(sources)
        for part in (name.encode(), sources[name])
    ]
    return b"".join(parts) or None


def file_source(data: bytes) -> bytes:
    """Random bytes from another machine or an HSM, raw or as hexadecimal text.

    Whether they are random nobody can see; what is plainly not is refused. Raises EntropyError.
    """
    if len(data) > SECOND_SOURCE_BYTES_MAX:
        raise EntropyError(
            f"got a file of {len(data)} bytes, expected {SECOND_SOURCE_BYTES_MAX} at most"
        )
    with suppress(ValueError):  # raised for what is no hexadecimal text: raw bytes
        data = bytes.fromhex(data.decode("ascii"))
    if len(data) < FILE_BYTES_MIN:
        raise EntropyError(f"got {len(data)} random bytes, expected {FILE_BYTES_MIN} at least")
    # 32 random bytes have fewer than 20 different values once in a million million files.
    if len(set(data)) < 20 or data.find(data[:8], 1) > 0:
        raise EntropyError("got a file that repeats itself, expected random bytes")
    return data


def hkdf(material: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    """HKDF-SHA256 (RFC 5869), extract and expand."""
    key = hmac.digest(salt, material, "sha256")
    output = b""
    block = b""
    for counter in range(1, (size + 31) // 32 + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        output += block
    return output[:size]


def _drawn(random: RandomBytes) -> bytes:
    """Two draws of 64 bytes: a generator that repeats itself or is stuck is refused."""
    first, again = random(64), random(64)
    if len(first) != 64 or len(again) != 64:
        raise EntropyError("got too few bytes from the system generator, expected 64")
    if first == again or len(set(first)) < 16 or len(set(again)) < 16:
        raise EntropyError("got a stuck system generator, expected different bytes at each draw")
    return hashlib.sha512(first + again).digest()


def _check_second(second: bytes) -> None:
    if not SECOND_SOURCE_BYTES_MIN <= len(second) <= SECOND_SOURCE_BYTES_MAX:
        raise EntropyError(
            f"got {len(second)} bytes of a second source, expected {SECOND_SOURCE_BYTES_MIN} to"
            f" {SECOND_SOURCE_BYTES_MAX}"
        )
    if len(set(second)) < 5:
        raise EntropyError(
            "got a second source of fewer than 5 different bytes, expected dice or noise"
        )

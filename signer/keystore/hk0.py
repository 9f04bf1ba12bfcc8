"""Key files `HK0`: 3DES, for stores that the white paper's format still asks for.

Three-key 3DES-EDE3 in CBC mode, then HMAC-SHA256 over every byte of the file; both keys come by
HKDF from the Argon2id output, so neither says anything of the other. NIST withdrew SP 800-67 on
1 January 2024: old data may be read, nothing new should be written. Hence reading is free, writing
needs `allow_hk0`, and whoever opens an `HK0` file of a home wraps it again as `HK1`.
"""

import hmac

from Crypto.Cipher import DES3
from Crypto.Util.Padding import pad, unpad

from signer.entropy import RandomBytes, hkdf
from signer.errors import ProtocolError
from signer.keystore.errors import (
    KeystoreError,
    LegacyNotAllowed,
    WeakTripleKey,
    WrongPassphrase,
)
from signer.keystore.headers import (
    FILE_BYTES_MAX,
    SECRET_BYTES_MAX,
    KeyHeader,
    OpenedKey,
    check_public,
)
from signer.keystore.kek import Kek, PassphraseKek
from signer.protocol import dump, load
from signer.protocol.wire import Fields

FORMAT = "HK0"
BLOCK_BYTES = 8
"""A 64-bit block: far fewer than 2^20 are ever written under one key."""


def encode_hk0(
    header: KeyHeader, secret: bytes, kek: PassphraseKek, random: RandomBytes, *, allow_hk0: bool
) -> bytes:
    """The bytes of an `HK0` file. Raises LegacyNotAllowed unless the operator configured it."""
    if not allow_hk0:
        raise LegacyNotAllowed("got an HK0 file to write, expected HK1: 3DES is not configured")
    check_public(header, secret)
    if len(secret) > SECRET_BYTES_MAX:
        raise KeystoreError(f"got a secret of {len(secret)} bytes, expected {SECRET_BYTES_MAX}")
    body = header.encode()
    stored, stretched = kek.stretched.fresh(random)
    cipher_key, mac_key = _keys(stretched, body)
    iv = random(BLOCK_BYTES)
    cipher = DES3.new(cipher_key, DES3.MODE_CBC, iv=iv)
    ciphertext = cipher.encrypt(pad(secret, BLOCK_BYTES))
    plain = {"format": FORMAT, "header": body, **stored, "iv": iv, "ciphertext": ciphertext}
    return dump({**plain, "mac": mac(mac_key, dump(plain))})


def decode_hk0(data: bytes, kek: Kek) -> OpenedKey:
    """Open an `HK0` file: MAC first, then padding, then the public value. Raises KeystoreError."""
    if len(data) > FILE_BYTES_MAX:
        raise KeystoreError(f"got a key file of {len(data)} bytes, expected at most 64 KiB")
    if not isinstance(kek, PassphraseKek):
        raise KeystoreError("got an HK0 file, expected a passphrase alone: it knows no other KEK")
    try:
        fields = Fields(data, "key file")
        if fields.text("format") != FORMAT:
            raise KeystoreError(f"got another key file format, expected {FORMAT}")
        body = fields.blob("header")
        header = KeyHeader.decode(body)
        iv, ciphertext, tag = (fields.blob(name) for name in ("iv", "ciphertext", "mac"))
        if len(iv) != BLOCK_BYTES or not _is_whole(ciphertext):
            raise KeystoreError("got a key file with fields of wrong sizes")
        cipher_key, mac_key = _keys(kek.stretched.again(fields), body)
        fields.done()
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error
    plain = {name: value for name, value in load(data, "key file").items() if name != "mac"}
    authentic(mac_key, dump(plain), tag)
    padded = DES3.new(cipher_key, DES3.MODE_CBC, iv=iv).decrypt(ciphertext)
    try:
        secret = unpad(padded, BLOCK_BYTES)
    except ValueError as error:
        raise KeystoreError("got an authentic key file with wrong padding") from error
    check_public(header, secret)
    return OpenedKey(header, secret)


def mac(key: bytes, body: bytes) -> bytes:
    """HMAC-SHA256, whole."""
    return hmac.digest(key, body, "sha256")


def authentic(key: bytes, body: bytes, tag: bytes) -> None:
    """Raise WrongPassphrase unless `tag` is the whole HMAC of `body`; in constant time."""
    if not hmac.compare_digest(mac(key, body), tag):
        raise WrongPassphrase("got a wrong passphrase or a changed key file")


def triple_key(material: bytes) -> bytes:
    """24 bytes with DES parity. Raises WeakTripleKey unless K1, K2 and K3 differ."""
    odd = bytes(byte & 0xFE | (byte.bit_count() - (byte & 1) + 1) & 1 for byte in material)
    parts = {odd[at : at + BLOCK_BYTES] for at in range(0, len(odd), BLOCK_BYTES)}
    if len(odd) != 3 * BLOCK_BYTES or len(parts) != 3:
        raise WeakTripleKey("got a 3DES key of fewer than three different parts, expected three")
    return odd


def _keys(stretched: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The cipher's and the MAC's key; one that is not three different ones has odds of 2^-55."""
    cipher_key = hkdf(stretched, b"hk/hk0/v1", b"3des" + body, 24)
    return triple_key(cipher_key), hkdf(stretched, b"hk/hk0/v1", b"hmac" + body, 32)


def _is_whole(ciphertext: bytes) -> bool:
    limit = SECRET_BYTES_MAX + BLOCK_BYTES
    return 0 < len(ciphertext) <= limit and len(ciphertext) % BLOCK_BYTES == 0

"""Key files `HK1`: one secret a file, AES-256-GCM under its own data key, bound to what it is for.

A key-encryption key (KEK) wraps the data key. The header says what the secret is, is authenticated
with both layers, and names the public value that must come out again after decrypting.
"""

from signer.entropy import RandomBytes
from signer.errors import ProtocolError
from signer.keystore.aead import seal, unseal
from signer.keystore.errors import KeystoreError
from signer.keystore.headers import FILE_BYTES_MAX, KeyHeader, OpenedKey, check_public
from signer.keystore.kek import Kek
from signer.protocol import dump
from signer.protocol.wire import Fields

FORMAT = "HK1"


def encode_key(header: KeyHeader, secret: bytes, kek: Kek, random: RandomBytes) -> bytes:
    """The bytes of an `HK1` file. Raises KeyMismatch if the header names another secret."""
    check_public(header, secret)
    body = header.encode()
    data_key, iv = random(32), random(12)
    wrap = kek.wrap(data_key, b"hk/wrap/v1" + body, random)
    ciphertext = seal(data_key, iv, secret, b"hk/data/v1" + body)
    plain = {"format": FORMAT, "header": body, "iv": iv, "ciphertext": ciphertext}
    return dump({**plain, **wrap})


def decode_key(data: bytes, kek: Kek) -> OpenedKey:
    """Open an `HK1` file and check that the secret is the one it names. Raises KeystoreError."""
    if len(data) > FILE_BYTES_MAX:
        raise KeystoreError(f"got a key file of {len(data)} bytes, expected at most 64 KiB")
    try:
        fields = Fields(data, "key file")
        if fields.text("format") != FORMAT:
            raise KeystoreError(f"got another key file format, expected {FORMAT}")
        body = fields.blob("header")
        header = KeyHeader.decode(body)
        data_key = kek.unwrap(fields, b"hk/wrap/v1" + body)
        iv, ciphertext = fields.blob("iv"), fields.blob("ciphertext")
        fields.done()
    except ProtocolError as error:
        raise KeystoreError(f"got a damaged key file: {error}") from error
    secret = unseal(data_key, iv, ciphertext, b"hk/data/v1" + body)
    check_public(header, secret)
    return OpenedKey(header, secret)

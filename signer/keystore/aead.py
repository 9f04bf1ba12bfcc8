"""AES-256-GCM (SP 800-38D): 96-bit IV, 128-bit tag, everything checked before it is used."""

from Crypto.Cipher import AES

from signer.keystore.errors import KeystoreError, WrongPassphrase
from signer.keystore.headers import SECRET_BYTES_MAX


def seal(key: bytes, iv: bytes, plain: bytes, aad: bytes) -> bytes:
    """AES-256-GCM: ciphertext and 16-byte tag."""
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    ciphertext, tag = cipher.encrypt_and_digest(plain)
    return ciphertext + tag


def unseal(key: bytes, iv: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The plaintext. Raises WrongPassphrase if any byte of key, data or binding differs."""
    if len(key) != 32 or len(iv) != 12 or not 16 < len(sealed) <= SECRET_BYTES_MAX + 16:
        raise KeystoreError("got a key file with fields of wrong sizes")
    cipher = AES.new(key, AES.MODE_GCM, nonce=iv, mac_len=16)
    cipher.update(aad)
    try:
        return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])
    except ValueError as error:
        raise WrongPassphrase("got a wrong passphrase or a changed key file") from error

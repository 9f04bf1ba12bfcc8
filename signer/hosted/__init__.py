"""A user's own hosted key (W5): made, encrypted, shown and used for signing on their own computer.

The service keeps only what `seal_key` returns. Nothing here opens a connection; `wallet.device`
carries the bytes.
"""

from signer.hosted.blobs import (
    BLOB_BYTES_MAX,
    HK0,
    HK1,
    HostedHeader,
    OpenedHostedKey,
    header_of_blob,
    open_key,
    prove,
    prove_authenticator,
    seal_key,
)
from signer.hosted.errors import (
    BlobForeign,
    BlobFormatUnknown,
    BlobRolledBack,
    HostedError,
    MemoryDamaged,
    NetworkUnknown,
    TokenChanged,
)
from signer.hosted.keys import HostedKey, address_of, new_secret_key, public_key_of_secret
from signer.hosted.memory import DeviceMemory
from signer.hosted.networks import HostedNetwork, Token, hosted_network
from signer.hosted.payments import Ask, HostedPayment, check_payment, sign_payment
from signer.hosted.wording import payment_lines
from signer.keystore import KdfCost, KeystoreError, WrongPassphrase
from signer.protocol.words import clean

__all__ = [
    "BLOB_BYTES_MAX",
    "HK0",
    "HK1",
    "Ask",
    "BlobForeign",
    "BlobFormatUnknown",
    "BlobRolledBack",
    "DeviceMemory",
    "HostedError",
    "HostedHeader",
    "HostedKey",
    "HostedNetwork",
    "HostedPayment",
    "KdfCost",
    "KeystoreError",
    "MemoryDamaged",
    "NetworkUnknown",
    "OpenedHostedKey",
    "Token",
    "TokenChanged",
    "WrongPassphrase",
    "address_of",
    "check_payment",
    "clean",
    "header_of_blob",
    "hosted_network",
    "new_secret_key",
    "open_key",
    "payment_lines",
    "prove",
    "prove_authenticator",
    "public_key_of_secret",
    "seal_key",
    "sign_payment",
]

"""Key files and what opens them: `HK1`, `HK0`, Web3 version 3 (read only), and KEK providers."""

from signer.keystore.aead import seal, unseal
from signer.keystore.errors import (
    AddressMismatch,
    FactorMissing,
    FactorsUnsound,
    FactorUnexpected,
    KdfOutOfRange,
    KeyMismatch,
    KeystoreError,
    LegacyNotAllowed,
    QuorumMissing,
    RewrapFailed,
    TokenKeyExportable,
    TokenUnusable,
    TransitAnswerInvalid,
    WeakTripleKey,
    Web3Invalid,
    WrongPassphrase,
)
from signer.keystore.factors import Factor, FactorKek, KeyFileFactor, PassphraseFactor
from signer.keystore.files import KeyFile, header_of, key_file, key_files, open_key
from signer.keystore.headers import (
    FILE_BYTES_MAX,
    HOME_USES,
    SECRET_BYTES_MAX,
    KeyHeader,
    OpenedKey,
    SecretUse,
    new_header,
    public_value,
)
from signer.keystore.hk0 import decode_hk0, encode_hk0
from signer.keystore.hk1 import FORMAT, decode_key, encode_key
from signer.keystore.kek import (
    KDF_MEMORY_KIB_MAX,
    KDF_MEMORY_KIB_MIN,
    KdfCost,
    Kek,
    PassphraseKek,
    Unlock,
)
from signer.keystore.pkcs11 import Pkcs11Factor, Token
from signer.keystore.rewrapping import rewrap, settle
from signer.keystore.shared import Person, SharedFactor
from signer.keystore.slip39 import Slip39Factor
from signer.keystore.transit import TransitFactor, TransitKey, ciphertext_of
from signer.keystore.web3 import Web3Key, read_web3

__all__ = [
    "FILE_BYTES_MAX",
    "FORMAT",
    "HOME_USES",
    "KDF_MEMORY_KIB_MAX",
    "KDF_MEMORY_KIB_MIN",
    "SECRET_BYTES_MAX",
    "AddressMismatch",
    "Factor",
    "FactorKek",
    "FactorMissing",
    "FactorUnexpected",
    "FactorsUnsound",
    "KdfCost",
    "KdfOutOfRange",
    "Kek",
    "KeyFile",
    "KeyFileFactor",
    "KeyHeader",
    "KeyMismatch",
    "KeystoreError",
    "LegacyNotAllowed",
    "OpenedKey",
    "PassphraseFactor",
    "PassphraseKek",
    "Person",
    "Pkcs11Factor",
    "QuorumMissing",
    "RewrapFailed",
    "SecretUse",
    "SharedFactor",
    "Slip39Factor",
    "Token",
    "TokenKeyExportable",
    "TokenUnusable",
    "TransitAnswerInvalid",
    "TransitFactor",
    "TransitKey",
    "Unlock",
    "WeakTripleKey",
    "Web3Invalid",
    "Web3Key",
    "WrongPassphrase",
    "ciphertext_of",
    "decode_hk0",
    "decode_key",
    "encode_hk0",
    "encode_key",
    "header_of",
    "key_file",
    "key_files",
    "new_header",
    "open_key",
    "public_value",
    "read_web3",
    "rewrap",
    "seal",
    "settle",
    "unseal",
]

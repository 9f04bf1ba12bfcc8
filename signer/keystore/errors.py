"""Every way a key file or what opens it can be wrong, each with its own code."""

from signer.errors import SignerError


class KeystoreError(SignerError):
    """A key file that is damaged, swapped, too costly, or a wrong passphrase."""

    code = "keystore.unreadable"


class WrongPassphrase(KeystoreError):
    """The KEK does not open the file: a wrong passphrase, or a changed file."""

    code = "keystore.wrong_passphrase"


class KdfOutOfRange(KeystoreError):
    """Derivation costs outside what we write or are willing to run."""

    code = "keystore.kdf_out_of_range"


class KeyMismatch(KeystoreError):
    """The decrypted secret is not the one that the header names."""

    code = "keystore.key_mismatch"


class LegacyNotAllowed(KeystoreError):
    """An `HK0` file was to be written without the operator's configuration asking for it."""

    code = "keystore.hk0_not_allowed"


class WeakTripleKey(KeystoreError):
    """A 3DES key whose parts are not three different ones."""

    code = "keystore.hk0_weak_key"


class FactorMissing(KeystoreError):
    """The file wants a factor that was not given."""

    code = "keystore.factor_missing"


class FactorUnexpected(KeystoreError):
    """A factor was given that the file does not want: it may be a file put in place of ours."""

    code = "keystore.factor_unexpected"


class FactorsUnsound(KeystoreError):
    """Factors that must not protect a new file as they are."""

    code = "keystore.factors_unsound"


class QuorumMissing(KeystoreError):
    """Too few people, or shares, to open the file."""

    code = "keystore.quorum_missing"


class TokenUnusable(KeystoreError):
    """A PKCS#11 token that is absent, refuses its PIN, or cannot wrap."""

    code = "keystore.token_unusable"


class TokenKeyExportable(KeystoreError):
    """A token's key that could leave the token, or be read."""

    code = "keystore.token_key_exportable"


class TransitAnswerInvalid(KeystoreError):
    """A file of the transit engine that is not its answer to our request."""

    code = "keystore.transit_answer_invalid"


class Web3Invalid(KeystoreError):
    """A Web3 keystore of a shape, version or cipher that is not read."""

    code = "keystore.web3_invalid"


class AddressMismatch(KeystoreError):
    """A Web3 keystore whose key belongs to another address than it says."""

    code = "keystore.address_mismatch"


class RewrapFailed(KeystoreError):
    """New key files that do not give back the same secrets; the old ones still count."""

    code = "keystore.rewrap_failed"

"""What can go wrong on the way to a signer; each class says what a retry means."""

from wallet.errors import WalletError


class SigningError(WalletError):
    """Root of this package's errors."""

    code = "signing.error"


class SignerSilent(SigningError):
    """No answer: the signer may or may not have signed. Recall before asking again."""

    code = "signing.silent"


class SignerUnready(SigningError):
    """The signer did not take the request up (its own code in details); asking again is safe."""

    code = "signing.unready"


class AnswerRefused(SigningError):
    """An answer that is not what it claims to be: wrong key, wrong request or malformed."""

    code = "signing.bad_answer"


class SignerRolledBack(AnswerRefused):
    """A signer's log is not ahead of what it said before: it was put back or copied. Stop it."""

    code = "signing.rolled_back"


class KeyFileError(SigningError):
    """The coordinator's key file is missing, malformed or readable by others."""

    code = "signing.key_file"

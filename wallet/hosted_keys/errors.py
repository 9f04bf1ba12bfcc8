"""Every way that the service says no about a hosted key."""

from wallet.errors import Conflict, Invalid, NotFound, TooMany


class HostedKeyNotFound(NotFound):
    """No hosted key has this id, or it was deleted."""

    code = "hosted_key.not_found"


class HostedKeyExists(Conflict):
    """The id, or the key's address on this network, was taken before; a deleted key's stays so."""

    code = "hosted_key.exists"


class AddressMismatch(Invalid):
    """The address is not that of the public key on this network."""

    code = "hosted_key.address_mismatch"


class ProofWrong(Invalid):
    """The hosted key itself did not sign for this blob."""

    code = "hosted_key.proof_wrong"


class BlobFormatRefused(Invalid):
    """A blob in a format that the operator does not allow, or in none that is known."""

    code = "hosted_key.format"


class VersionStale(Conflict):
    """A blob whose version is not exactly the next one."""

    code = "hosted_key.version_stale"


class SecondFactorWrong(Invalid):
    """The code is not that of the enrolled authenticator now."""

    code = "second_factor.wrong"


class SecondFactorUsed(Invalid):
    """The code was good once already; wait for the next one."""

    code = "second_factor.used"


class SecondFactorLocked(TooMany):
    """Too many codes in a row were wrong; `details.retry_after_s` says how long to wait."""

    code = "second_factor.locked"


class HostedPaymentNotFound(NotFound):
    """The hosted key has no payment of this id."""

    code = "hosted_payment.not_found"


class HostedFundsMissing(Conflict):
    """The address has too little that is confirmed and free, fee included."""

    code = "hosted_payment.insufficient_funds"


class HostedUnpayable(Invalid):
    """The payment cannot be one transaction as it is asked for."""

    code = "hosted_payment.unpayable"


class HostedWouldRevert(Conflict):
    """The chain says that the call would fail."""

    code = "hosted_payment.would_revert"


class PaymentExpired(Conflict):
    """It was prepared too long ago: fees and coins may have changed, prepare it again."""

    code = "hosted_payment.expired"


class AlreadySubmitted(Conflict):
    """Another signed form of it was submitted before."""

    code = "hosted_payment.already_submitted"


class CoinsTaken(Conflict):
    """A coin or nonce of it is used by another payment meanwhile; prepare it again."""

    code = "hosted_payment.superseded"


class NotAsPrepared(Invalid):
    """The signed bytes are not the prepared transaction, signed by the hosted key."""

    code = "hosted_payment.not_as_prepared"


class NoChangeAsked(Conflict):
    """Nothing was asked of the authenticator that could be taken back."""

    code = "hosted_key.no_change_asked"

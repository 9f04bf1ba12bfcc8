"""Every way a multisig setup stops, each with its own code."""

from signer.errors import SignerError


class BsmsError(SignerError):
    """A record that is not one of BIP-129."""

    code = "bsms.malformed"


class BadToken(BsmsError):
    """A token of another form, or of another session than the record's."""

    code = "bsms.token"


class BadMac(BsmsError):
    """A record that was changed on the way, or encrypted with another token."""

    code = "bsms.mac"


class UnknownVersion(BsmsError):
    """A record of a version whose rules are not known here."""

    code = "bsms.version"


class BadLabel(BsmsError):
    """A description that is too long or that a terminal would obey."""

    code = "bsms.label"


class BadSignature(BsmsError):
    """A key record that its own key did not sign."""

    code = "bsms.signature"


class DuplicateKeyRecord(BsmsError):
    """One key in two records: fewer people than it seems."""

    code = "bsms.duplicate_key"


class WrongKeyCount(BsmsError):
    """More or fewer records than people were asked for."""

    code = "bsms.key_count"


class UnknownRestrictions(BsmsError):
    """Path restrictions other than a receive and a change branch."""

    code = "bsms.path_restrictions"


class KeyMissing(BsmsError):
    """A vault in which the very key that this signer gave is not."""

    code = "bsms.key_missing"


class WrongFirstAddress(BsmsError):
    """A first address that this signer does not derive from the descriptor."""

    code = "bsms.first_address"


class NoSession(BsmsError):
    """A second round without a first one."""

    code = "bsms.no_session"


class SessionExpired(BsmsError):
    """A second round too long after the first: tokens are too short to be kept for long."""

    code = "bsms.session_expired"


class SessionTampered(BsmsError):
    """A session file that this home did not write."""

    code = "bsms.session_tampered"

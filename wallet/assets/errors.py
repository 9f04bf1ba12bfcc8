"""Every way registered assets say no, each with its own code."""

from wallet.errors import Conflict, Invalid, NotFound, WalletError
from wallet.ledger import errors as ledger
from wallet.ledger.errors import LedgerError


class NotAllowed(WalletError):
    """The caller is known, and may not do this to that account or for that gateway."""

    code = "asset.not_allowed"


class ActNotAllowed(NotAllowed):
    """The authority over an account does not let the caller do this to it."""

    code = "account.not_allowed"


class NotYourGateway(NotAllowed):
    """The caller's key acts neither as this gateway nor as an agent of it."""

    code = "gateway.not_yours"


class GatewayNotFound(NotFound):
    """No gateway has this id."""

    code = "gateway.not_found"


class GatewayExists(Conflict):
    """The id names a gateway already, for ever."""

    code = "gateway.exists"


class BadGateway(Invalid):
    """An id or name of a gateway that would not be kept as it stands."""

    code = "gateway.malformed"


class KeyUnknown(Invalid):
    """No API key has this id, or it was revoked."""

    code = "gateway.unknown_key"


class KeyActsAlready(Conflict):
    """The key acts for this gateway already."""

    code = "gateway.key_acts_already"


class NoAgent(NotFound):
    """The key is no agent of this gateway."""

    code = "gateway.no_agent"


class AssetNotRegistered(NotFound):
    """No registered asset has this code."""

    code = "asset.not_registered"


class AssetExists(Conflict):
    """The gateway has registered this symbol already; its terms are for ever."""

    code = "asset.exists"


class CodeTaken(Conflict):
    """The code names an asset of a chain."""

    code = "asset.code_taken"


class BadSymbol(Invalid):
    """A symbol or name that would not be kept as it stands."""

    code = "asset.malformed"


class BadTerms(Invalid):
    """A currency has a mirrored asset and no quota, a physical asset the reverse."""

    code = "asset.bad_terms"


class BadDecimals(Invalid):
    """Decimals that are missing, too many, or other than those of the mirrored asset."""

    code = "asset.bad_decimals"


class MirrorUnknown(Invalid):
    """The deployment follows no such asset on any chain."""

    code = "asset.mirror_unknown"


class MirrorTaken(Conflict):
    """The gateway mirrors this chain asset already, by another registered one."""

    code = "asset.mirror_taken"


class BadUnits(Invalid):
    """An amount, quota or limit below the least or above what a ledger keeps."""

    code = "asset.bad_amount"


class BadReason(Invalid):
    """A reason that is empty, too long or not printable: who reads it later must understand it."""

    code = "freeze.bad_reason"


class AssetUnknown(Invalid):
    """Neither the configuration nor any gateway has an asset of this code."""

    code = "asset.unknown"


class TrustNotNeeded(Invalid):
    """Assets of a chain need no trust, so nobody can state any."""

    code = "trust_line.not_needed"


class FrozenAlready(Conflict):
    """The account is frozen in this asset."""

    code = "freeze.exists"


class NotFrozen(Conflict):
    """The account is not frozen in this asset."""

    code = "freeze.not_frozen"


class QuotaExceeded(Conflict):
    """With this issue more would have been issued than the quota that was registered."""

    code = "asset.quota_exceeded"


class ExternalIdTaken(Conflict):
    """An external id names one issue or redemption of an asset for ever."""

    code = "asset.external_id_taken"


class NotHeld(Conflict):
    """The account has less available than is to be redeemed."""

    code = "asset.insufficient_funds"


class AccountFrozen(Conflict):
    """The account is frozen in this asset: nothing new may leave or arrive."""

    code = "asset.account_frozen"


class TrustMissing(Conflict):
    """The holder has stated no trust line for this asset, or withdrew it."""

    code = "asset.trust_missing"


class LimitExceeded(Conflict):
    """The account would be worth more than the limit its holder stated."""

    code = "asset.limit_exceeded"


BY_LEDGER: dict[type[LedgerError], type[Conflict]] = {
    ledger.AccountFrozen: AccountFrozen,
    ledger.TrustMissing: TrustMissing,
    ledger.LimitExceeded: LimitExceeded,
}
"""The error of each refusal by an account's terms."""

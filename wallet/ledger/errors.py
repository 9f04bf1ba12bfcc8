"""Every way the ledger says no, each with its own code. A refused batch changes nothing."""

from wallet.errors import WalletError


class LedgerError(WalletError):
    """Root of the ledger's errors."""

    code = "ledger.error"


class UnknownOwner(LedgerError):
    """An owner whose place in the chart of accounts is not known."""

    code = "ledger.unknown_owner"


class BadTransfer(LedgerError):
    """A transfer that cannot be meant: wrong amount, same account on both sides, empty batch."""

    code = "ledger.bad_transfer"


class InsufficientFunds(LedgerError):
    """An account that may not go below zero would."""

    code = "ledger.insufficient_funds"


class HoldUnknown(LedgerError):
    """A post or void of something that is not a hold."""

    code = "ledger.hold_unknown"


class HoldEnded(LedgerError):
    """A post or void of a hold that was posted or voided before."""

    code = "ledger.hold_ended"


class HoldExceeded(LedgerError):
    """A post of more than was held."""

    code = "ledger.hold_exceeded"


class HoldExpired(LedgerError):
    """A post of a hold whose time was over; it can only be voided."""

    code = "ledger.hold_expired"


class AccountFrozen(LedgerError):
    """An account that a person has frozen: nothing goes out of it or into it."""

    code = "ledger.account_frozen"


class TrustMissing(LedgerError):
    """A registered asset for somebody who has no trust line for it."""

    code = "ledger.trust_missing"


class LimitExceeded(LedgerError):
    """More than an account may hold."""

    code = "ledger.limit_exceeded"


class TransferExists(LedgerError):
    """A transfer id that another batch used."""

    code = "ledger.transfer_exists"


class CauseConflict(LedgerError):
    """A cause that was posted before with other transfers."""

    code = "ledger.cause_conflict"


class LedgerBusy(LedgerError):
    """More batches wait than are worth waiting for."""

    code = "ledger.busy"


class FollowsOnly(LedgerError):
    """A mirror without the ids posted before its image: what it posted could be a second time."""

    code = "ledger.follows_only"


class LedgerBroken(LedgerError):
    """The stored books contradict themselves: stop and look, never go on."""

    code = "ledger.broken"

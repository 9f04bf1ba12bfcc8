"""Why a payment is not built now; each reason has its own code and says what a retry means."""

from wallet.errors import Conflict, WalletError


class NotBuilt(WalletError):
    """Root of the reasons why nothing was built; the order may be tried again later."""

    code = "payment.not_built"


class FundsMissing(NotBuilt):
    """The source has too little that is confirmed and free; waiting or a refill helps."""

    code = "payment.funds_missing"


class FeeOverCap(NotBuilt):
    """The chain asks more than a cap allows: hold, do not loop; cheaper hours help."""

    code = "payment.fee_over_cap"


class SenderBusy(NotBuilt):
    """The sender's previous payment is not signed yet; its nonce comes first."""

    code = "payment.sender_busy"


class PolicyRefused(NotBuilt):
    """The policy does not allow the exact transaction; `details` has its reason's code."""

    code = "payment.policy_refused"


class WouldRevert(NotBuilt):
    """The chain says the call would fail; sending it would only burn gas."""

    code = "payment.would_revert"


class WithdrawalsPaused(NotBuilt):
    """A person, or a reorganisation, paused the asset; a person lifts it (wallet.pauses)."""

    code = "payment.paused"


class AccountFrozen(NotBuilt):
    """The account is frozen in the asset; the withdrawal waits until a person lifts that."""

    code = "payment.account_frozen"


class TokenRefuses(NotBuilt):
    """The token answers false: it would take the gas and move nothing."""

    code = "payment.token_refuses"


class TokenBusy(NotBuilt):
    """A payment of this token is under way, and its token's evidence bears only one at a time."""

    code = "payment.token_busy"


class UnknownSource(NotBuilt):
    """No vault of this name is configured, or it is of another kind."""

    code = "payment.unknown_source"


class BadOrder(NotBuilt):
    """Intents that do not fit the order: another network, asset, purpose or source."""

    code = "payment.bad_order"


class NotOffline(Conflict):
    """Answers are attached by hand only to payments of offline signers."""

    code = "payment.not_offline"

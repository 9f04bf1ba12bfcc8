"""Why a loss is not shared out; each reason has its own code, and then nothing was posted."""

from wallet.errors import Conflict, Invalid, NotFound


class NoLoss(Invalid):
    """A loss of nothing, or of less."""

    code = "apportionment.no_loss"


class NoGains(Invalid):
    """Nobody gained: there is nobody to share the loss."""

    code = "apportionment.no_gains"


class BadGain(Invalid):
    """A gain of nothing, or of less: such an account bears no share and must be left out."""

    code = "apportionment.bad_gain"


class AccountTwice(Invalid):
    """An account is named twice; its gains are one number."""

    code = "apportionment.account_twice"


class LossExceedsGains(Conflict):
    """The loss is more than all gains together: somebody would lose more than they gained."""

    code = "apportionment.loss_exceeds_gains"


class AccountUnknown(Invalid):
    """A gain, or the receiver, names an account that does not exist; `details` says which."""

    code = "apportionment.account_unknown"


class ReceiverAmongGains(Invalid):
    """The account that receives the shares would also pay one."""

    code = "apportionment.receiver_among_gains"


class ShareNotCovered(Conflict):
    """Accounts have less available than their share; `details` names the first of them."""

    code = "apportionment.not_covered"


class ExternalIdTaken(Conflict):
    """An external id names one apportionment for ever, and this one asks for something else."""

    code = "apportionment.external_id_taken"


class ApportionmentNotFound(NotFound):
    """No apportionment has this external id."""

    code = "apportionment.not_found"

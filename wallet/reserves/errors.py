"""Why a publication cannot be made; each class says what to do."""

from wallet.errors import Conflict, Invalid, NotFound


class LiabilitiesDiffer(Conflict):
    """The accounts do not add up to the ledger's own total: nothing may be published."""

    code = "reserves.liabilities_differ"


class NegativeLiability(Conflict):
    """An account that is owed less than nothing would hide what others are owed."""

    code = "reserves.negative"


class AccountTwice(Conflict):
    """An account in two places: its user would find only one of them."""

    code = "reserves.account_twice"


class SumTooLarge(Conflict):
    """A total that does not fit into the tree's sums."""

    code = "reserves.too_large"


class NotPublished(NotFound):
    """There is no such publication, or it was not finished."""

    code = "reserves.not_found"


class AlreadyThere(Conflict):
    """The folder holds a publication already; each has a folder and a seed of its own."""

    code = "reserves.exists"


class NotIncluded(NotFound):
    """The account was owed nothing at the publication's height."""

    code = "reserves.not_included"


class NothingHeld(Conflict):
    """No coin and no account to claim: nothing would be proven."""

    code = "reserves.nothing_held"


class Unsigned(Conflict):
    """Signers have not all answered: ask them, or bring their answers."""

    code = "reserves.unsigned"


class ApprovalsMissing(Conflict):
    """Fewer people than asked for have approved what would be shown."""

    code = "reserves.approvals_missing"


class SignersRefused(Conflict):
    """Too many signers refused a claim; their codes are in the details."""

    code = "reserves.refused"


class BadProof(Conflict):
    """Answers that do not make the proof that was asked for."""

    code = "reserves.bad_proof"


class AnswerUnknown(Invalid):
    """An answer to none of the publication's requests, or by a signer nobody asked."""

    code = "reserves.answer_unknown"


class NotChecked(Conflict):
    """The package made does not pass its own check; it is not published."""

    code = "reserves.not_checked"

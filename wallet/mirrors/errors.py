"""What images, joining and rollbacks refuse, each with its own stable code."""

from wallet.errors import Conflict, Invalid, NotFound, WalletError


class MirrorError(WalletError):
    """Root of this package's errors."""

    code = "mirror.error"


class BadTag(Invalid):
    """A tag that is no plain name."""

    code = "mirror.bad_tag"


class TagTaken(Conflict):
    """An image of this tag is there already; images are never overwritten."""

    code = "mirror.tag_taken"


class ImageNotFound(NotFound):
    """No image of this tag in the folder of images."""

    code = "mirror.not_found"


class NothingToImage(Conflict):
    """A ledger without a single height."""

    code = "mirror.empty_ledger"


class IdsMissing(Conflict):
    """A ledger or image without the ids posted before: only its state can be mirrored."""

    code = "mirror.ids_missing"


class FileProblem(MirrorError):
    """A file that cannot be read or written."""

    code = "mirror.file"


class ImageMalformed(Invalid):
    """A file that is no image, or was cut."""

    code = "mirror.malformed"


class SignatureWrong(Invalid):
    """Signed by another key than the one asked for, or changed after it was signed."""

    code = "mirror.signature"


class PartDamaged(Invalid):
    """A part whose content is not what the signed manifest says."""

    code = "mirror.part_damaged"


class SumNotZero(Invalid):
    """Balances of an asset that do not add up to zero."""

    code = "mirror.sum_not_zero"


class Overdrawn(Invalid):
    """An account that may not go below zero, and is."""

    code = "mirror.overdrawn"


class HoldsDiffer(Invalid):
    """Open holds that are not what the balances say is held."""

    code = "mirror.holds_differ"


class AccountWrong(Invalid):
    """An account or balance that is missing, out of order, or of another kind than its owner's."""

    code = "mirror.account_wrong"


class StandingWrong(Invalid):
    """Users, assets, terms or escrows of an image that cannot be, or that its balances deny."""

    code = "mirror.standing_wrong"


class StateDiffers(Conflict):
    """The ledger at hand had another state at the image's height."""

    code = "mirror.state_differs"


class NotEmpty(Conflict):
    """An image is restored only into a ledger where nothing was ever posted."""

    code = "mirror.not_empty"


class TailMalformed(Invalid):
    """A stream that is no tail of a ledger, or was cut."""

    code = "mirror.tail_malformed"


class TailGap(Conflict):
    """A tail that starts after heights this ledger does not have yet."""

    code = "mirror.tail_gap"


class TailForks(Conflict):
    """A tail of another history than this ledger's."""

    code = "mirror.tail_forks"


class TailRefused(Conflict):
    """A height of a tail that does not hold; `details.height` names the first."""

    code = "mirror.tail_refused"


class StateHashWrong(Conflict):
    """A height of a tail whose rows do not hash to what it says; `details.height` names it."""

    code = "mirror.state_hash"


class HeadWrong(Conflict):
    """A tail that does not end at the height and hash it was signed for."""

    code = "mirror.tail_head"


class NothingToUndo(Conflict):
    """No height above the image: the ledger is where the rollback would take it."""

    code = "mirror.nothing_to_undo"


class NotAsked(NotFound):
    """No rollback of this tag or id waits."""

    code = "mirror.rollback_not_asked"


class RollbackQuorum(Conflict):
    """Fewer approvals than a rollback needs."""

    code = "mirror.rollback_quorum"


class RollbackExpired(Conflict):
    """The time to approve and carry out the rollback is over: ask again."""

    code = "mirror.rollback_expired"


class LedgerMoved(Conflict):
    """The ledger went on after the rollback was asked for: its approvals cover other heights."""

    code = "mirror.ledger_moved"


class ServiceRunning(Conflict):
    """A worker of the service holds a lease: stop it first."""

    code = "mirror.service_running"


class DepositsBooked(Conflict):
    """Deposits were credited or taken back in heights that would be undone; `details` names them.

    `details.causes` of this and the next four are the first hundred batches, with the first height
    that stays in `details.height`.
    """

    code = "mirror.deposits_booked"


class PaymentsBooked(Conflict):
    """Withdrawals were held, paid or given up in heights that would be undone."""

    code = "mirror.payments_booked"


class EscrowsMoved(Conflict):
    """Escrows were begun, released or ended in heights that would be undone."""

    code = "mirror.escrows_moved"


class IssuesDone(Conflict):
    """Registered assets were issued or redeemed in heights that would be undone."""

    code = "mirror.issues_done"


class TransfersMade(Conflict):
    """Moves between sub-accounts, or shares of losses, are in heights that would be undone."""

    code = "mirror.transfers_made"


class CauseUnknown(Conflict):
    """A batch that would be undone has a cause of which nothing says that it may be."""

    code = "mirror.cause_unknown"


class PartitionSealed(Conflict):
    """Heights above the image lie in a sealed partition: they can no longer be taken back."""

    code = "mirror.partition_sealed"


class BeforeOrigin(Conflict):
    """A height below the image this ledger itself began from: its history is not here."""

    code = "mirror.before_origin"

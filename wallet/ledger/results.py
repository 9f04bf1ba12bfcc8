"""What became of each transfer of a batch, by name."""

from enum import StrEnum


class Result(StrEnum):
    """`ok` was posted now and `exists` before, by the same request; all others changed nothing.

    `exists_in_archive` was posted before the image that this ledger began from: the archive says
    whether by the same request.
    """

    OK = "ok"
    EXISTS = "exists"
    EXISTS_WITH_DIFFERENT_KIND = "exists_with_different_kind"
    EXISTS_WITH_DIFFERENT_ACCOUNTS = "exists_with_different_accounts"
    EXISTS_WITH_DIFFERENT_AMOUNT = "exists_with_different_amount"
    EXISTS_WITH_DIFFERENT_HOLD = "exists_with_different_hold"
    EXISTS_WITH_DIFFERENT_EXPIRY = "exists_with_different_expiry"
    EXISTS_IN_ARCHIVE = "exists_in_archive"
    ACCOUNT_UNKNOWN = "account_unknown"
    SAME_ACCOUNT = "same_account"
    ASSET_INVALID = "asset_invalid"
    ASSET_MISMATCH = "asset_mismatch"
    AMOUNT_INVALID = "amount_invalid"
    EXPIRY_INVALID = "expiry_invalid"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    ACCOUNT_FROZEN = "account_frozen"
    TRUST_MISSING = "trust_missing"
    LIMIT_EXCEEDED = "limit_exceeded"
    HOLD_UNKNOWN = "hold_unknown"
    HOLD_ENDED = "hold_ended"
    HOLD_EXCEEDED = "hold_exceeded"
    HOLD_EXPIRED = "hold_expired"
    LINK_OPEN = "link_open"
    LINKED_FAILED = "linked_failed"
    REFUSED_BEFORE = "refused_before"

    @property
    def is_posted(self) -> bool:
        """Whether the transfer is in the books."""
        return self in (Result.OK, Result.EXISTS)

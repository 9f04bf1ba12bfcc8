"""The wallet's errors: `code` is stable and part of the API, `details` may be shown to callers."""

from collections.abc import Mapping


class WalletError(Exception):
    """Root of the wallet's errors."""

    code = "wallet.error"

    def __init__(self, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class NotFound(WalletError):
    """The named thing does not exist, or not for this caller."""

    code = "not_found"


class Conflict(WalletError):
    """The request contradicts what is already there."""

    code = "conflict"


class Invalid(WalletError):
    """The request cannot be meant as it stands."""

    code = "invalid"


class TooMany(WalletError):
    """Asked too often; `details.retry_after_s` says when to ask again."""

    code = "too_many"

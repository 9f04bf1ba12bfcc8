"""The ledger's routes: heights with their state hashes, and values by owner's prefix."""

from dataclasses import dataclass

from wallet.client.decoding import decode
from wallet.client.transport import Transport
from wallet.client.types import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Height:
    """One height: a batch of transfers. `state_hash` (hex) covers all the ledger up to it."""

    height: int
    state_hash: str
    cause: str
    transfers: int
    created_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBalance:
    """The sums of one ledger account in base units; `held` are of open holds."""

    owner: str
    asset: str
    debits_units: int
    credits_units: int
    debits_held_units: int
    credits_held_units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBalances:
    """Some accounts, and where the next ones begin; `at_height` is None for the latest values."""

    at_height: int | None
    data: tuple[LedgerBalance, ...]
    next_cursor: str | None


class LedgerCalls:
    """Every method raises ApiError with the API's code, or NoAnswer."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def heights(
        self, *, hash: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page[Height]:
        """Heights, newest first, or the one with a state hash."""
        query = {"hash": hash, "limit": limit, "cursor": cursor}
        return decode(Page[Height], self._transport.get("/v1/ledger/heights", query))

    def height(self, height: int) -> Height:
        """One height with its state hash."""
        return decode(Height, self._transport.get(f"/v1/ledger/heights/{height}", {}))

    def balances(
        self,
        owner_prefix: str,
        *,
        at_height: int | None = None,
        at: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> LedgerBalances:
        """Values of accounts by owner's prefix: latest, after a height, or at a time (RFC 3339)."""
        query = {
            "owner_prefix": owner_prefix,
            "at_height": at_height,
            "at": at,
            "limit": limit,
            "cursor": cursor,
        }
        return decode(LedgerBalances, self._transport.get("/v1/ledger/balances", query))

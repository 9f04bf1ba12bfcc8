"""What every state that is not an end needs: somebody who moves it on, a time, and a way out."""

from dataclasses import dataclass
from enum import StrEnum

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class Owner(StrEnum):
    """Who takes a thing out of its state."""

    CHAIN = "chain"  # blocks do, the service looks
    SERVICE = "service"
    SIGNERS = "signers"  # the hot signers, asked by the service
    STAFF = "staff"
    KEYHOLDERS = "keyholders"
    USER = "user"  # of a hosted key, or the two of a trade


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """`late_s` after entering the state somebody should look; `way_out` says what ends it then."""

    owner: Owner
    late_s: int
    way_out: str

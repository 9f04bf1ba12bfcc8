"""Who may do what to an account: one question, asked before every act on it.

Today the caller's API scope is the whole answer. Where several people share an account by weights
and thresholds, another `Authority` gives the answer; nobody who asks changes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from wallet.assets.errors import ActNotAllowed


class Act(StrEnum):
    """What may be done to an account in one asset."""

    STATE_TRUST = "state_trust"
    FREEZE = "freeze"  # and the end of a freeze
    REDEEM = "redeem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks: an API key, and the scopes it was created with."""

    key_id: str
    scopes: frozenset[str]


class Authority(Protocol):
    """Answers whether somebody may do something to an account."""

    def require(self, tx: Connection, actor: Actor, act: Act, account_id: str, asset: str) -> None:
        """Return if `actor` may. Raises ActNotAllowed."""


SCOPES = {
    Act.STATE_TRUST: "trust_lines:write",
    Act.FREEZE: "freezes:write",
    Act.REDEEM: "assets:redeem",
}
"""The API scope that each act asks for."""


class ScopeAuthority:
    """Whoever has the scope may do it to every account."""

    def require(self, tx: Connection, actor: Actor, act: Act, account_id: str, asset: str) -> None:
        """As Authority."""
        del tx, asset
        if SCOPES[act] not in actor.scopes:
            raise ActNotAllowed(
                f"got {act} on account {account_id} by a key without {SCOPES[act]}",
                {"act": str(act), "scope": SCOPES[act]},
            )

"""Accounts as shares: salted, cut at random, so that a leaf tells nothing about its owner.

All randomness of a publication is drawn from one secret seed, new for each publication and kept by
the operator alone, so that every proof can be made again and no two publications can be linked.
"""

import hmac
from dataclasses import dataclass, field

from wallet.ledger import chart
from wallet.reserves.verifier.tree import IDENTITY_BYTES, identity

SEED_BYTES = 32
SHARES = 2
"""Leaves of an account: a neighbour sees one random share of a balance, never the balance."""

LEAVES_MIN = 256
"""Places of the smallest tree: a handful of users cannot be counted."""


@dataclass(frozen=True, slots=True)
class Share:
    """One leaf: whose (hidden behind the salt), which of the shares, and how much."""

    number: int
    salt: bytes = field(repr=False)
    identity: bytes
    units: int


class Shares:
    """Cuts accounts into shares, always the same way for one seed."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    def of(self, asset: str, account: str, units: int) -> tuple[Share, ...]:
        """The shares of an account; together exactly its units."""
        first = self._number(f"cut\n{asset}\n{account}") % (units + 1)
        parts = (first, units - first)
        salts = [self.salt(asset, account, number) for number in range(SHARES)]
        return tuple(
            Share(number, salt, identity(salt, asset, account, number), part)
            for number, (salt, part) in enumerate(zip(salts, parts, strict=True))
        )

    def salt(self, asset: str, account: str, number: int) -> bytes:
        """What opens one share's identity; told to its owner only."""
        return self._draw(f"salt\n{asset}\n{account}\n{number}")

    def empty(self, asset: str, place: int) -> bytes:
        """The identity of a leaf that belongs to nobody; nobody can tell it from others."""
        return self._draw(f"empty\n{asset}\n{place}")[:IDENTITY_BYTES]

    def _draw(self, what: str) -> bytes:
        return hmac.digest(self._seed, what.encode(), "sha256")

    def _number(self, what: str) -> int:
        return int.from_bytes(self._draw(what), "big")


def account_name(owner: str) -> str:
    """An owner of the ledger as a leaf names it: a user by the id they know, else the owner.

    All parts of a user's account are one: what they are owed is the sum.
    """
    user = chart.user_of(owner)
    return owner if user is None else user[0]

"""Leases with fencing tokens: of several processes on one database, one does a role's work.

Time only decides when a silent holder may be followed by another. What keeps a stopped and revived
holder from doing harm is the token: it grows with each new holder, and whatever the old one then
writes is compared with it in the same transaction and refused.
"""

from sqlalchemy import Connection, bindparam, insert, select, update

from wallet.clock import Clock
from wallet.errors import Conflict
from wallet.store.database import Database
from wallet.store.schema import leases

LEASE_S = 15
"""How long a holder that says nothing keeps a role; renewed with every pass of its job."""


_TOKEN = select(leases.c.token).where(leases.c.role == bindparam("of"))


class LeaseLost(Conflict):
    """Another process does this role's work now: this one must write nothing more of it."""

    code = "lease.lost"


class Leases:
    """The roles of one run of one process; `holder` names that run."""

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._tokens: dict[str, int] = {}
        self._sure_until_s: dict[str, int] = {}

    def take(self, role: str) -> bool:
        """Take or renew a role; False while another process holds it."""
        now_s = self._clock.now_s()
        if now_s < self._sure_until_s.get(role, 0):
            return True
        with self._database.write() as tx:
            row = tx.execute(select(leases).where(leases.c.role == role)).one_or_none()
            if row is None:
                token = 1
                tx.execute(
                    insert(leases).values(
                        role=role, holder=self._holder, token=token, expires_s=now_s + LEASE_S
                    )
                )
            else:
                is_ours = row.holder == self._holder
                if not is_ours and row.expires_s > now_s:
                    return False
                token = row.token if is_ours else row.token + 1
                tx.execute(
                    update(leases)
                    .where(leases.c.role == role)
                    .values(holder=self._holder, token=token, expires_s=now_s + LEASE_S)
                )
        self._tokens[role] = token
        # Written again only in the second half: nobody else can have taken it before.
        self._sure_until_s[role] = now_s + LEASE_S // 2
        return True

    def check(self, tx: Connection, role: str) -> None:
        """Compare our token with the newest, in the transaction that it guards. Raises LeaseLost.

        A process that never took the role is a person's command, which compare-and-set alone
        guards; one that took it once is held to its token for ever.
        """
        ours = self._tokens.get(role)
        if ours is None:
            return
        newest = tx.execute(_TOKEN, {"of": role}).scalar_one()
        if newest != ours:
            raise LeaseLost(f"got token {ours} of {role}, expected the newest, {newest}")

    def release(self) -> None:
        """Let others follow at once: the end of an orderly stop."""
        with self._database.write() as tx:
            for role, token in self._tokens.items():
                tx.execute(
                    update(leases)
                    .where(leases.c.role == role, leases.c.token == token)
                    .values(expires_s=0)
                )

"""Which accounts exist, remembered: they never go away, so one once seen is asked for no more."""

import re

from sqlalchemy import Connection, bindparam, select

from wallet.store.schema import accounts

REMEMBERED_MAX = 1_000_000
"""Accounts remembered, about 100 bytes each; then it begins anew."""

CHUNK = 400
"""Keys in one IN list, well under every engine's limit of parameters."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_THESE = select(accounts.c.id).where(accounts.c.id.in_(bindparam("these", expanding=True)))


class KnownAccounts:
    """The accounts that were seen to exist."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._known: set[str] = set()
        self._remembered_max = remembered_max

    def unknown(self, tx: Connection, ids: set[str]) -> set[str]:
        """Those of the ids that are no account's."""
        new = ids - self._known
        if not new:
            return set()
        # What is no id at all is not asked for: a database may choke on its characters.
        asked = sorted(id for id in new if _UUID.fullmatch(id))
        found: set[str] = set()
        for start in range(0, len(asked), CHUNK):
            these = {"these": asked[start : start + CHUNK]}
            found.update(str(id) for (id,) in tx.execute(_THESE, these))
        if len(self._known) + len(found) > self._remembered_max:
            self._known = set()
        self._known.update(found)
        return new - found

"""Transfers for measuring the ledger: between many accounts, or all of them from one."""

from collections.abc import Sequence
from random import Random  # noqa: TID251 - the same trades in every run

from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.ledger.transfers import Transfer
from wallet.store.database import Database

ASSET = "BTC"
FUNDS = 10**15
ACCOUNTS = 100_000
OWNERS = [chart.user(str(number)) for number in range(ACCOUNTS)]


class BenchClock:
    """Stands still."""

    def now_s(self) -> int:
        return 1_800_000_000


class Trades:
    """Makes transfers with ids that grow, as RFC 9562 version 7 has them."""

    def __init__(self, first: int = 1) -> None:
        self._random = Random(1)
        self._next = first

    def batch(self, lines: int, *, hot: bool = False) -> Sequence[Transfer]:
        """As many transfers between accounts drawn evenly; `hot`: all from the first."""
        return [self._transfer(hot) for _ in range(lines)]

    def skip(self, lines: int) -> int:
        """Leave out as many ids: the first of them."""
        first, self._next = self._next, self._next + lines
        return first

    def _transfer(self, hot: bool) -> Transfer:
        draw = self._random.randrange
        debit = 0 if hot else draw(ACCOUNTS)
        credit = (debit + 1 + draw(ACCOUNTS - 1)) % ACCOUNTS
        text = f"{self._next:012x}"
        self._next += 1
        return Transfer.single(
            id=f"{text[:8]}-{text[8:]}-7000-8000-000000000000",
            debit=OWNERS[debit],
            credit=OWNERS[credit],
            asset=ASSET,
            units=draw(1, 1000),
        )


def fund(database: Database) -> None:
    """Give every account its funds, in one batch."""
    funds = [single(chart.HOUSE, owner, ASSET, FUNDS) for owner in OWNERS]
    with database.write() as tx:
        post_batch(tx, "funds", funds, 1_800_000_000)

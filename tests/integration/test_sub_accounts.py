"""Moving money between the parts of an account: killed at any step it is moved once or not."""

import pytest

from wallet.addresses.accounts import create_account
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.transfers import Transfer
from wallet.milestones import Milestone, pass_by
from wallet.store.database import Database
from wallet.sub_accounts.moving import Move, Moved, find, move

NOW_S = 1_800_000_000


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("step", ["transfer.posted", "transfer.kept"])
def test_killed_at_a_step_nothing_is_there_and_the_next_try_moves_once(
    database: Database, step: str
) -> None:
    with database.write() as tx:
        account_id = create_account(tx, "ann", NOW_S)
        line = Transfer.single(
            debit=chart.HOT, credit=chart.user(account_id), asset="BTC", units=10
        )
        post_batch(tx, "test", [line], NOW_S)

    def run(milestone: Milestone) -> Moved:
        asked = Move(
            external_id="t-1",
            account_id=account_id,
            asset="BTC",
            units=7,
            source=SubAccount.SPOT,
            target=SubAccount.CONTRACT,
        )
        with database.write() as tx:
            return move(tx, asked, requester="key", now_s=NOW_S, milestone=milestone)

    def has(part: SubAccount) -> int:
        with database.read() as tx:
            return balance(tx, chart.user(account_id, part), "BTC").available

    def die(name: str) -> None:
        if name == step:
            raise Killed

    with pytest.raises(Killed):
        run(die)
    with database.read() as tx:
        assert find(tx, "t-1") is None
    assert (has(SubAccount.SPOT), has(SubAccount.CONTRACT)) == (10, 0)
    assert run(pass_by) == run(pass_by)
    assert (has(SubAccount.SPOT), has(SubAccount.CONTRACT)) == (3, 7)
    with database.read() as tx:
        assert [told.type for told in read_events(tx, 0, 10)] == ["transfer.completed"]

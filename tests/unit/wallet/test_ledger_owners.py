"""Owner names of users: each part of an account has one, and no two parts share one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ledger import chart
from wallet.ledger.chart import SubAccount
from wallet.ledger.errors import UnknownOwner

IDS = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=60)
PARTS = st.sampled_from(SubAccount)


def test_spot_is_the_account_itself() -> None:
    assert chart.user("a") == chart.user("a", SubAccount.SPOT) == "user:a"
    assert chart.user("a", SubAccount.MARGIN) == "user:a/margin"
    assert chart.account("user:a/contract", "BTC").kind is chart.Kind.LIABILITY


@given(IDS, PARTS)
def test_a_name_tells_whose_part_it_is(account_id: str, part: SubAccount) -> None:
    assert chart.user_of(chart.user(account_id, part)) == (account_id, part)


@pytest.mark.parametrize("account_id", ["a/margin", "/", "a/"])
def test_an_id_that_reads_as_a_part_is_refused(account_id: str) -> None:
    with pytest.raises(UnknownOwner):
        chart.user(account_id)


@pytest.mark.parametrize("owner", ["chain:hot", "equity:house", "user:", "users:a", ""])
def test_other_owners_are_no_users(owner: str) -> None:
    assert chart.user_of(owner) is None

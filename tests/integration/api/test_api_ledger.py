"""The ledger over the wire: heights, their hashes, and balances in the past."""

from datetime import UTC, datetime

import pytest

from tests.integration.api.conftest import START_S, World
from wallet.client import ApiError
from wallet.client.client import Client


def at(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat()


@pytest.fixture
def alice(world: World) -> str:
    """An account that got 5 at height 1, and 7 at height 3, ten seconds apart each."""
    client = world.client()
    account, other = client.create_account("alice").id, client.create_account("bob").id
    for owner, units in ((account, 5), (other, 100), (account, 7)):
        world.fund(owner, units)
        world.clock.time_s += 10
    return account


def test_heights_by_number_and_by_hash(world: World, alice: str) -> None:
    ledger = world.client().ledger
    heights = ledger.heights(limit=2)
    assert [one.height for one in heights.data] == [3, 2]
    rest = ledger.heights(limit=2, cursor=heights.next_cursor)
    assert ([one.height for one in rest.data], rest.next_cursor) == ([1], None)
    second = ledger.height(2)
    assert second == heights.data[1]
    assert (second.created_s, second.transfers) == (START_S + 10, 1)
    assert ledger.heights(hash=second.state_hash).data == (second,)
    assert ledger.heights(hash="00" * 32).data == ()
    with pytest.raises(ApiError) as caught:
        ledger.height(4)
    assert (caught.value.status, caught.value.code) == (404, "ledger.height_not_found")


def test_balances_of_the_past(world: World, alice: str) -> None:
    client = world.client()

    def units(**moment: object) -> int:
        (btc,) = client.balances(alice, **moment).data  # type: ignore[arg-type]
        return btc.total_units

    assert [units(at_height=height) for height in range(4)] == [0, 5, 5, 12]
    moments = (-1, 0, 9, 19, 20, 29)
    assert [units(at=at(START_S + after_s)) for after_s in moments] == [0, 5, 5, 5, 12, 12]
    assert units() == 12
    past = client.balances(alice, at_height=1)
    assert (past.at_height, past.as_of_seq, past.data[0].incoming) == (1, None, None)
    now = client.balances(alice)
    assert (now.at_height, now.data[0].incoming) == (None, "0")


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        ({"at_height": 4}, "ledger.bad_range"),
        ({"at": at(START_S + 30)}, "ledger.bad_range"),
        ({"at": at(START_S), "at_height": 1}, "ledger.bad_range"),
        ({"at": "2027-01-15T08:00:00"}, "request.invalid"),
        ({"at_height": -1}, "request.invalid"),
    ],
)
def test_moments_that_are_not_there_are_refused(
    world: World, alice: str, moment: dict[str, object], code: str
) -> None:
    client = world.client()
    for ask in (
        lambda: client.balances(alice, **moment),  # type: ignore[arg-type]
        lambda: client.ledger.balances("user:", **moment),  # type: ignore[arg-type]
    ):
        with pytest.raises(ApiError) as caught:
            ask()
        assert (caught.value.status, caught.value.code) == (422, code)


def test_values_by_prefix_in_pages(world: World, alice: str) -> None:
    ledger = world.client().ledger
    users = ledger.balances("user:", limit=1)
    assert users.data[0].owner == f"user:{alice}"
    assert (users.data[0].credits_units, users.at_height) == (12, None)
    rest = ledger.balances("user:", limit=1, cursor=users.next_cursor)
    assert (rest.data[0].credits_units, rest.next_cursor) == (100, None)
    assert ledger.balances("user:", limit=1, at_height=1).data[0].credits_units == 5
    assert [one.debits_units for one in ledger.balances("chain:").data] == [112]
    assert ledger.balances("USER:").data == ()
    assert ledger.balances("user%").data == ()
    with pytest.raises(ApiError) as caught:
        ledger.balances("user:", cursor="x")
    assert caught.value.code == "request.cursor_invalid"


def test_the_ledger_needs_its_own_scope(world: World) -> None:
    def ask(client: Client) -> None:
        client.ledger.heights()

    ask(world.client(("ledger:read",)))
    with pytest.raises(ApiError) as caught:
        ask(world.client(("balances:read",)))
    assert caught.value.status == 403

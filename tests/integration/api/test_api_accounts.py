"""Accounts, addresses, balances and assets, through the client and over the wire."""

import json
from pathlib import Path

import pytest

from tests.integration.api.conftest import NETWORK, World
from wallet.client import ApiError, every


def test_an_account_is_opened_once_and_found_by_both_ids(world: World) -> None:
    client = world.client()
    opened = client.create_account("user-1")
    assert client.account(opened.id) == opened
    assert client.account_of("user-1") == opened
    with pytest.raises(ApiError) as refused:
        client.create_account("user-1")
    assert (refused.value.status, refused.value.code) == (409, "account.exists")
    assert refused.value.details == {"account_id": opened.id}


def test_every_page_of_a_list_is_walked_newest_first(world: World) -> None:
    client = world.client()
    opened = []
    for number in range(7):
        world.clock.time_s += number % 2  # some share a second
        opened.append(client.create_account(f"user-{number}"))
    pages = every(lambda cursor: client.list_accounts(limit=2, cursor=cursor))
    listed = list(pages)
    assert {account.id for account in listed} == {account.id for account in opened}
    assert len(listed) == 7
    assert [a.created_s for a in listed] == sorted((a.created_s for a in opened), reverse=True)


@pytest.mark.parametrize("cursor", ["AAAA", "bm90LWEtY3Vyc29y", "A"])
def test_a_cursor_of_another_make_is_refused(world: World, cursor: str) -> None:
    with pytest.raises(ApiError) as refused:
        world.client().list_accounts(cursor=cursor)
    assert refused.value.code == "request.cursor_invalid"


def test_every_address_is_fresh_and_found_by_its_text(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1")
    first = client.create_address(account.id, NETWORK, label="till 4")
    second = client.create_address(account.id, NETWORK)
    assert first.address != second.address
    assert first.label == "till 4"
    assert client.address(first.id) == first
    assert client.list_addresses(address=first.address).data == (first,)
    assert len(client.list_addresses(account_id=account.id, network=NETWORK).data) == 2


def test_no_address_is_told_below_its_mark_and_what_is_told_is_marked(
    world: World, tmp_path: Path
) -> None:
    client = world.client()
    account = client.create_account("user-1")
    client.create_address(account.id, NETWORK, idempotency_key="first-address-of-1")
    marks = tmp_path / "address-marks"
    ((counter, told),) = json.loads(marks.read_text()).items()
    assert told == 0
    marks.unlink()
    client.create_address(account.id, NETWORK, idempotency_key="first-address-of-1")
    assert json.loads(marks.read_text()) == {counter: 0}, "an answer that is given again is told"
    marks.write_text(json.dumps({counter: 1}))
    with pytest.raises(ApiError) as refused:
        client.create_address(account.id, NETWORK)
    assert (refused.value.status, refused.value.code) == (409, "address.counter_behind")
    assert len(client.list_addresses(account_id=account.id, network=NETWORK).data) == 1


def test_an_address_needs_an_account_and_a_network_that_exist(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1")
    with pytest.raises(ApiError) as refused:
        client.create_address(account.id, "dogecoin")
    assert (refused.value.status, refused.value.code) == (422, "network.unknown")
    nobody = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(ApiError) as refused:
        client.create_address(nobody, NETWORK)
    assert (refused.value.status, refused.value.code) == (404, "account.not_found")
    assert client.list_addresses().data == ()


def test_balances_show_every_asset(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1")
    world.fund(account.id, 123_456_789)
    (btc,) = client.balances(account.id).data
    assert (btc.asset, btc.total, btc.available, btc.held) == (
        "BTC",
        "1.23456789",
        "1.23456789",
        "0",
    )
    assert btc.total_units == 123_456_789


def test_assets_say_their_terms_and_how_deposits_are_found(world: World) -> None:
    (btc,) = world.client().assets()
    assert btc.evidence_mode == "output"
    assert (btc.withdrawal_amount_min, btc.withdrawal_fee_units) == ("0.0001", 500)
    assert [tier.confirmations for tier in btc.confirmations] == [1, 3]


def test_health_needs_no_key_and_says_the_lag(world: World) -> None:
    health = world.client().health()
    assert health.status == "degraded"
    assert (health.networks[0].node_height, health.networks[0].scanned_height) == (100, None)
    world.chain.height = None
    world.clock.time_s += 10
    assert world.client().health().networks[0].status == "node_unavailable"

"""Idempotency: done once, answered again, in the effect's own transaction."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.api.conftest import NETWORK, World
from wallet.api.idempotency import KEPT_S, forget_answers
from wallet.client import ApiError


def test_the_same_request_is_done_once_and_answered_again(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1", idempotency_key="first-key")
    assert client.create_account("user-1", idempotency_key="first-key") == account
    first = client.create_address(account.id, NETWORK, idempotency_key="second-key")
    assert client.create_address(account.id, NETWORK, idempotency_key="second-key") == first
    assert client.list_addresses().data == (first,)


def test_the_same_key_for_another_request_is_refused(world: World) -> None:
    client = world.client()
    client.create_account("user-1", idempotency_key="first-key")
    with pytest.raises(ApiError) as refused:
        client.create_account("user-2", idempotency_key="first-key")
    assert (refused.value.status, refused.value.code) == (409, "request.idempotency_key_reused")
    assert len(client.list_accounts().data) == 1


def test_a_key_belongs_to_its_caller(world: World) -> None:
    one, other = world.client(), world.client()
    one.create_account("user-1", idempotency_key="first-key")
    with pytest.raises(ApiError) as refused:
        other.create_account("user-1", idempotency_key="first-key")
    assert refused.value.code == "account.exists"


def test_a_refused_request_leaves_nothing_and_may_be_tried_again(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1")
    with pytest.raises(ApiError):
        client.create_address(account.id, "dogecoin", idempotency_key="first-key")
    made = client.create_address(account.id, NETWORK, idempotency_key="first-key")
    assert client.list_addresses().data == (made,)


def test_twins_at_the_same_time_are_one(world: World) -> None:
    account = world.client().create_account("user-1")
    client = world.client()

    def once_more(_: int) -> str:
        return client.create_address(account.id, NETWORK, idempotency_key="twin-key").id

    with ThreadPoolExecutor(max_workers=6) as pool:
        ids = set(pool.map(once_more, range(12)))
    assert len(ids) == 1
    assert len(client.list_addresses().data) == 1


def test_answers_are_kept_a_week(world: World) -> None:
    client = world.client()
    account = client.create_account("user-1", idempotency_key="first-key")
    forget_answers(world.services.db, world.clock.now_s() + KEPT_S)
    assert client.create_account("user-1", idempotency_key="first-key") == account
    forget_answers(world.services.db, world.clock.now_s() + KEPT_S + 1)
    with pytest.raises(ApiError) as refused:
        client.create_account("user-1", idempotency_key="first-key")
    assert refused.value.code == "account.exists"


def test_a_change_without_a_key_is_refused(world: World) -> None:
    client = world.client()
    with pytest.raises(ApiError) as refused:
        client.create_account("user-1", idempotency_key="short")
    assert (refused.value.status, refused.value.code) == (422, "request.invalid")
    assert "Idempotency-Key" in str(refused.value.details)
    assert client.list_accounts().data == ()

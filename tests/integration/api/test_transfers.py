"""/v1/transfers: between spot, margin and contract, and what withdrawals see of them."""

import pytest

from tests.integration.api.conftest import PAYEE, World
from wallet.client import ApiError, Client
from wallet.client.exchange_types import SubAccountTransfer


@pytest.fixture
def client(world: World) -> Client:
    return world.client()


@pytest.fixture
def account_id(world: World, client: Client) -> str:
    """A user with 100,000 units in spot."""
    found = client.create_account("ann").id
    world.fund(found, 100_000)
    return found


def move(
    client: Client,
    account_id: str,
    units: int,
    source: str = "spot",
    target: str = "margin",
    external_id: str = "t-1",
) -> SubAccountTransfer:
    return client.exchange.transfer(
        external_id=external_id,
        account_id=account_id,
        asset="BTC",
        from_sub_account=source,
        to_sub_account=target,
        amount_units=units,
    )


def balances(client: Client, account_id: str) -> dict[str, int]:
    found = client.balances(account_id)
    parts = {part.sub_account: part.available_units for part in found.sub_accounts}
    return {"spot": found.data[0].available_units} | parts


def test_money_moves_between_parts_and_balances_list_them(client: Client, account_id: str) -> None:
    assert balances(client, account_id) == {"spot": 100_000}
    move(client, account_id, 60_000)
    move(client, account_id, 25_000, "margin", "contract", "t-2")
    move(client, account_id, 5_000, "contract", "spot", "t-3")
    assert balances(client, account_id) == {"spot": 45_000, "margin": 35_000, "contract": 20_000}
    (part, _) = client.balances(account_id).sub_accounts
    assert (part.sub_account, part.asset, part.total) == ("margin", "BTC", "0.00035")


def test_the_same_external_id_moves_once(client: Client, account_id: str) -> None:
    moved = move(client, account_id, 60_000)
    assert move(client, account_id, 60_000) == moved == client.exchange.transfer_of("t-1")
    assert balances(client, account_id) == {"spot": 40_000, "margin": 60_000}
    for units, target in [(59_999, "margin"), (60_000, "contract")]:
        with pytest.raises(ApiError) as refused:
            move(client, account_id, units, "spot", target)
        assert (refused.value.status, refused.value.code) == (409, "transfer.external_id_taken")
    assert client.exchange.list_transfers(account_id=account_id).data == (moved,)


@pytest.mark.parametrize(
    ("units", "source", "target", "status", "code"),
    [
        (100_001, "spot", "margin", 409, "ledger.insufficient_funds"),
        (1, "margin", "spot", 409, "ledger.insufficient_funds"),
        (1, "margin", "margin", 422, "transfer.same_sub_account"),
        (1, "spot", "savings", 422, "request.invalid"),
        (0, "spot", "margin", 422, "request.amount_out_of_range"),
        (10**60 + 1, "spot", "margin", 422, "request.amount_out_of_range"),
    ],
)
def test_refusals_have_their_codes(
    client: Client, account_id: str, units: int, source: str, target: str, status: int, code: str
) -> None:
    with pytest.raises(ApiError) as refused:
        move(client, account_id, units, source, target)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert balances(client, account_id)["spot"] == 100_000
    with pytest.raises(ApiError) as refused:
        client.exchange.transfer_of("t-1")
    assert refused.value.code == "transfer.not_found"


@pytest.mark.parametrize(("amount", "units"), [(None, None), ("0.1", 1)])
def test_an_amount_is_given_once(
    client: Client, account_id: str, amount: str | None, units: int | None
) -> None:
    with pytest.raises(ApiError) as refused:
        client.exchange.transfer(
            external_id="t-1",
            account_id=account_id,
            asset="BTC",
            from_sub_account="spot",
            to_sub_account="margin",
            amount=amount,
            amount_units=units,
        )
    assert refused.value.code == "request.amount_missing"


def test_an_asset_that_does_not_exist_is_not_moved(client: Client, account_id: str) -> None:
    with pytest.raises(ApiError) as refused:
        client.exchange.transfer(
            external_id="t-1",
            account_id=account_id,
            asset="DOGE",
            from_sub_account="spot",
            to_sub_account="margin",
            amount_units=1,
        )
    assert (refused.value.status, refused.value.code) == (422, "asset.unknown")


def test_an_account_that_does_not_exist_has_no_parts(client: Client) -> None:
    with pytest.raises(ApiError) as refused:
        move(client, "00000000-0000-4000-8000-000000000000", 1)
    assert refused.value.code == "account.not_found"


def test_only_spot_pays_withdrawals(client: Client, account_id: str) -> None:
    """90,500 are needed: all of it is there, but a part of it in margin."""
    move(client, account_id, 10_000)

    def withdraw() -> str:
        return client.create_withdrawal(
            external_id="w-1",
            account_id=account_id,
            asset="BTC",
            address=PAYEE,
            amount_units=90_000,
        ).status

    with pytest.raises(ApiError) as refused:
        withdraw()
    assert refused.value.code == "withdrawal.insufficient_funds"
    move(client, account_id, 10_000, "margin", "spot", "t-2")
    assert withdraw() == "queued"
    assert balances(client, account_id) == {"spot": 9_500, "margin": 0}
    with pytest.raises(ApiError) as refused:
        move(client, account_id, 9_501, external_id="t-3")
    assert refused.value.code == "ledger.insufficient_funds", "what is held stays where it is"

"""What the exchange's engines do with registered assets."""

import pytest

from tests.integration.api.conftest import World
from wallet.client import Client
from wallet.settlements.wire import TransferOrder

GOLD = "GOLD.zurich"


@pytest.fixture
def client(world: World) -> Client:
    return world.client()


@pytest.fixture
def users(client: Client) -> tuple[str, str]:
    """Ann trusts gold and has 1,000 units of it; Bob has none."""
    ann, bob = (client.create_account(name).id for name in ("ann", "bob"))
    desk = client.registered
    desk.open_gateway("zurich", "Zurich", client.transport._credentials.key_id)
    desk.register_physical("zurich", "GOLD", "gold, grams", 3, quota="1000")
    desk.state_trust(ann, GOLD, limit="500")
    desk.issue(GOLD, ann, "bar-1", amount="1")
    return ann, bob


def move(client: Client, account_id: str, external_id: str) -> None:
    client.exchange.transfer(
        external_id=external_id,
        account_id=account_id,
        asset=GOLD,
        from_sub_account="spot",
        to_sub_account="margin",
        amount="0.3",
    )


def hold(client: Client, ann: str, bob: str, external_id: str) -> str:
    return client.exchange.hold(
        external_id=external_id,
        asset=GOLD,
        payer_id=ann,
        payee_id=bob,
        amount_units=100,
        deadline_s=1_800_003_600,
    ).held


def settle(client: Client, ann: str, bob: str, external_id: str, id: str) -> tuple[str, ...]:
    order = TransferOrder(
        id=f"00000000-0000-4000-8000-{id:>012}",
        debit_account_id=ann,
        debit_sub_account="margin",
        credit_account_id=bob,
        credit_sub_account="contract",
        asset=GOLD,
        units="200",
    )
    return client.exchange.settle(external_id=external_id, transfers=[order]).results


def test_a_registered_asset_goes_wherever_a_coin_does(
    client: Client, users: tuple[str, str]
) -> None:
    ann, bob = users
    client.registered.state_trust(bob, GOLD, limit="10")
    move(client, ann, "t-1")
    (part,) = client.balances(ann).sub_accounts
    assert (part.sub_account, part.asset, part.total) == ("margin", GOLD, "0.3")
    assert hold(client, ann, bob, "e-1") == "0.1"
    assert settle(client, ann, bob, "s-1", "1") == ("ok",)
    gains = {bob: 300}
    shown = client.exchange.preview_apportionment(asset=GOLD, loss_units=200, gains=gains)
    assert (shown.loss, shown.covered) == ("0.2", True)

"""Registered assets over the wire: the life of one, who may do what, and every refusal's code."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.integration.api.conftest import PAYEE, World
from wallet.client import ApiError, Client, every
from wallet.client.registered import RegisteredAssetCalls
from wallet.ledger import chart
from wallet.ledger.balances import balance

GOLD = "GOLD.zurich"
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass
class Desk:
    """The operator, a gateway, its agent, the exchange, and two users' accounts."""

    world: World
    operator: RegisteredAssetCalls
    gateway: RegisteredAssetCalls
    agent: RegisteredAssetCalls
    agent_key: str
    exchange: Client
    alice: str
    bob: str

    @property
    def users(self) -> RegisteredAssetCalls:
        return self.exchange.registered


@pytest.fixture
def desk(world: World) -> Desk:
    operator = world.client(("gateways:write", "gateways:read", "freezes:write", "freezes:read"))
    gateway = world.client(
        ("agents:write", "assets:register", "assets:issue", "assets:read", "freezes:write")
    )
    agent = world.client(("assets:register", "assets:issue", "agents:write"))
    exchange = world.client(
        (
            "accounts:write",
            "assets:read",
            "assets:redeem",
            "balances:read",
            "events:read",
            "trust_lines:write",
            "trust_lines:read",
        )
    )
    operator.registered.open_gateway("zurich", "Zurich Vaults", key_of(gateway))
    return Desk(
        world=world,
        operator=operator.registered,
        gateway=gateway.registered,
        agent=agent.registered,
        agent_key=key_of(agent),
        exchange=exchange,
        alice=exchange.create_account("alice").id,
        bob=exchange.create_account("bob").id,
    )


def key_of(client: Client) -> str:
    return client.transport._credentials.key_id


def refused(status: int, code: str, attempt: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        attempt()
    assert (caught.value.status, caught.value.code) == (status, code)
    return caught.value


def test_the_life_of_a_physical_asset(desk: Desk) -> None:
    """1 kg of gold in mg: a quota of 1,000, trusted, issued, frozen, let go on and redeemed."""
    gold = desk.gateway.register_physical("zurich", "GOLD", "gold, grams", 3, quota="1000")
    assert (gold.asset, gold.locked, gold.quota_units) == (GOLD, True, 1_000_000)
    assert (gold.mirrors, gold.issued, gold.outstanding_units) == (None, "0", 0)
    line = desk.users.state_trust(desk.alice, GOLD, limit="600.5")
    assert (line.limit_units, line.held, line.withdrawn, line.frozen) == (
        600_500,
        "0",
        False,
        False,
    )
    issued = desk.gateway.issue(GOLD, desk.alice, "bar-1", amount="600.5")
    assert (issued.kind, issued.amount, issued.amount_units) == ("issue", "600.5", 600_500)
    over = refused(
        409, "asset.limit_exceeded", lambda: desk.gateway.issue(GOLD, desk.alice, "2", amount="1")
    )
    assert over.details == {}
    frozen = desk.operator.freeze(desk.alice, GOLD, "asked by a court")
    assert (frozen.frozen, frozen.limit, frozen.reason) == (True, "600.5", "asked by a court")
    assert desk.operator.list_freezes(account_id=desk.alice).data == (frozen,)
    assert desk.operator.list_freezes(asset="BTC").data == ()
    refused(
        409,
        "asset.account_frozen",
        lambda: desk.users.redeem(GOLD, desk.alice, "out-1", amount_units=1),
    )
    assert desk.users.trust_lines(desk.alice)[0].frozen
    assert not desk.operator.lift_freeze(desk.alice, GOLD, "settled").frozen
    assert desk.operator.list_freezes().data == ()
    back = desk.users.redeem(GOLD, desk.alice, "out-1", amount="200.5")
    assert back.kind == "redeem"
    now = desk.users.asset(GOLD)
    assert (now.issued, now.redeemed, now.outstanding) == ("600.5", "200.5", "400")
    assert {one.id for one in desk.users.list_issues(GOLD).data} == {issued.id, back.id}
    told = desk.users.terms(desk.alice, GOLD)
    assert [(one.number, one.frozen, one.limit_units) for one in told] == [
        (1, False, 600_500),
        (2, True, 600_500),
        (3, False, 600_500),
    ]
    shown = desk.exchange.balances(desk.alice).data[-1]
    assert (shown.asset, shown.network, shown.total, shown.available) == (
        GOLD,
        "ledger",
        "400",
        "400",
    )
    assert [event.type for event in desk.exchange.events().data] == [
        "gateway.opened",
        "asset.registered",
        "trust_line.stated",
        "asset.issued",
        "account.frozen",
        "account.thawed",
        "asset.redeemed",
    ]


def test_a_currency_mirrors_a_coin_and_cannot_be_paid_out_on_its_chain(desk: Desk) -> None:
    coin = desk.gateway.register_currency("zurich", "BTC", "a coin in Zurich", "BTC")
    assert (coin.asset, coin.decimals, coin.mirrors) == ("BTC.zurich", 8, "BTC")
    assert (coin.quota, coin.locked) == (None, False)
    desk.users.state_trust(desk.bob, coin.asset, limit="1")
    desk.gateway.issue(coin.asset, desk.bob, "1", amount="1")
    everything = desk.world.client()
    refused(
        422,
        "asset.unknown",
        lambda: everything.create_withdrawal(
            external_id="w", account_id=desk.bob, asset=coin.asset, address="x", amount="1"
        ),
    )
    with desk.world.services.db.read() as tx:
        assert balance(tx, chart.user(desk.bob), "BTC").net == 0


def test_issuing_is_done_once(desk: Desk) -> None:
    desk.gateway.register_physical("zurich", "GOLD", "gold", 0, quota_units=10)
    desk.users.state_trust(desk.alice, GOLD, limit_units=10)
    first = desk.gateway.issue(GOLD, desk.alice, "a", amount_units=4, idempotency_key="same-key")
    again = desk.gateway.issue(GOLD, desk.alice, "a", amount_units=4, idempotency_key="same-key")
    assert first == again
    taken = refused(
        409,
        "asset.external_id_taken",
        lambda: desk.gateway.issue(GOLD, desk.alice, "a", amount_units=4),
    )
    assert taken.details == {"issue_id": first.id}
    assert desk.users.asset(GOLD).issued_units == 4


def test_gateways_and_their_agents(desk: Desk) -> None:
    refused(
        403,
        "gateway.not_yours",
        lambda: desk.agent.register_physical("zurich", "GOLD", "gold", 0, quota_units=1),
    )
    appointed = desk.gateway.appoint_agent("zurich", desk.agent_key)
    assert appointed.agents == (desk.agent_key,)
    desk.agent.register_physical("zurich", "GOLD", "gold", 0, quota_units=1)
    refused(403, "gateway.not_yours", lambda: desk.agent.appoint_agent("zurich", desk.agent_key))
    assert desk.gateway.dismiss_agent("zurich", desk.agent_key).agents == ()
    refused(404, "gateway.no_agent", lambda: desk.gateway.dismiss_agent("zurich", desk.agent_key))
    changed = desk.operator.change_gateway_key("zurich", desk.agent_key)
    assert changed.key_id == desk.agent_key
    assert desk.operator.gateway("zurich") == changed
    assert desk.operator.gateways() == (changed,)


def test_every_act_asks_for_a_scope_of_its_own(desk: Desk) -> None:
    """A key with every other scope is refused at the door."""
    desk.gateway.register_physical("zurich", "GOLD", "gold", 0, quota_units=10)
    acts: dict[str, Callable[[RegisteredAssetCalls], object]] = {
        "gateways:write": lambda calls: calls.open_gateway("geneva", "Geneva", desk.agent_key),
        "gateways:read": lambda calls: calls.gateways(),
        "agents:write": lambda calls: calls.appoint_agent("zurich", desk.agent_key),
        "assets:register": lambda calls: calls.register_currency("zurich", "BTC", "b", "BTC"),
        "assets:issue": lambda calls: calls.issue(GOLD, desk.alice, "x", amount_units=1),
        "assets:redeem": lambda calls: calls.redeem(GOLD, desk.alice, "x", amount_units=1),
        "assets:read": lambda calls: calls.asset(GOLD),
        "trust_lines:write": lambda calls: calls.state_trust(desk.alice, GOLD, limit_units=1),
        "trust_lines:read": lambda calls: calls.trust_lines(desk.alice),
        "freezes:write": lambda calls: calls.freeze(desk.alice, GOLD, "why"),
        "freezes:read": lambda calls: calls.list_freezes(),
    }
    for scope, act in acts.items():
        others = tuple(name for name in acts if name != scope)
        without = desk.world.client(others).registered
        error = refused(403, "auth.scope_missing", lambda act=act, w=without: act(w))  # type: ignore[misc]
        assert error.details == {"scope": scope}


def test_registered_assets_are_listed_by_gateway(desk: Desk) -> None:
    other = desk.world.client()
    desk.operator.open_gateway("geneva", "Geneva", key_of(other))
    names = []
    for number in range(3):
        desk.world.clock.time_s += 1
        made = desk.gateway.register_physical("zurich", f"M{number}", "metal", 0, quota_units=1)
        names.append(made.asset)
    geneva = other.registered.register_currency("geneva", "BTC", "b", "BTC")
    pages = every(lambda cursor: desk.users.list_assets(gateway="zurich", limit=2, cursor=cursor))
    assert [one.asset for one in pages] == names[::-1]
    assert len(desk.users.list_assets().data) == 4
    assert desk.users.list_assets(gateway="geneva").data == (geneva,)


def test_refusals_over_the_wire(desk: Desk) -> None:
    desk.gateway.register_physical("zurich", "GOLD", "gold", 2, quota="10")
    g, u, alice = desk.gateway, desk.users, desk.alice
    u.state_trust(alice, GOLD, limit="5")
    for status, code, attempt in (
        (422, "request.invalid", lambda: desk.operator.open_gateway("Zü", "x", desk.agent_key)),
        (409, "gateway.exists", lambda: desk.operator.open_gateway("zurich", "x", desk.agent_key)),
        (422, "gateway.unknown_key", lambda: desk.operator.open_gateway("geneva", "x", NOBODY)),
        (404, "gateway.not_found", lambda: desk.operator.gateway("geneva")),
        (409, "asset.exists", lambda: g.register_physical("zurich", "GOLD", "g", 2, quota="1")),
        (422, "asset.amount_missing", lambda: u.state_trust(alice, GOLD)),
        (
            422,
            "asset.amount_missing",
            lambda: g.issue(GOLD, alice, "1", amount="1", amount_units=1),
        ),
        (422, "asset.bad_amount", lambda: g.issue(GOLD, alice, "1", amount="0")),
        (422, "asset.mirror_unknown", lambda: g.register_currency("zurich", "X", "x", "DOGE")),
        (404, "asset.not_registered", lambda: g.issue("BTC", alice, "1", amount="1")),
        (404, "asset.not_registered", lambda: u.asset("SILVER.zurich")),
        (404, "account.not_found", lambda: g.issue(GOLD, NOBODY, "1", amount="1")),
        (404, "account.not_found", lambda: u.trust_lines(NOBODY)),
        (409, "asset.trust_missing", lambda: g.issue(GOLD, desk.bob, "1", amount="1")),
        (409, "asset.limit_exceeded", lambda: g.issue(GOLD, alice, "1", amount="5.01")),
        (409, "asset.quota_exceeded", lambda: g.issue(GOLD, alice, "1", amount="10.01")),
        (409, "asset.insufficient_funds", lambda: u.redeem(GOLD, alice, "1", amount="0.01")),
        (422, "trust_line.not_needed", lambda: u.state_trust(alice, "BTC", limit="1")),
        (422, "asset.unknown", lambda: u.state_trust(alice, "DOGE", limit="1")),
        (422, "asset.unknown", lambda: u.terms(alice, "DOGE")),
        (409, "freeze.not_frozen", lambda: desk.operator.lift_freeze(alice, GOLD, "why")),
        (422, "freeze.bad_reason", lambda: desk.operator.freeze(alice, GOLD, "a\nb")),
        (403, "gateway.not_yours", lambda: g.freeze(alice, "BTC", "why")),
    ):
        refused(status, code, attempt)
    desk.operator.freeze(alice, "BTC", "why")
    refused(409, "freeze.exists", lambda: desk.operator.freeze(alice, "BTC", "why"))
    assert desk.users.asset(GOLD).issued_units == 0


def test_nothing_is_withdrawn_from_a_frozen_account(desk: Desk) -> None:
    """Nor held for it: after the freeze is lifted the same request is taken in."""
    everything = desk.world.client()
    desk.world.fund(desk.alice, 10**8)
    desk.operator.freeze(desk.alice, "BTC", "a stolen phone")

    def withdraw() -> object:
        return everything.create_withdrawal(
            external_id="w", account_id=desk.alice, asset="BTC", address=PAYEE, amount="0.5"
        )

    refused(409, "withdrawal.account_frozen", withdraw)
    assert everything.balances(desk.alice).data[0].available_units == 10**8
    desk.operator.lift_freeze(desk.alice, "BTC", "found again")
    withdraw()
    assert everything.balances(desk.alice).data[0].held_units == 50_000_500

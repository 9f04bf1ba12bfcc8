"""Gateways, registration, trust, freezes and issues: what is let through, and every refusal."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, update

from tests.assets_world import COIN, GOLD, NATIVE, NOW_S, AssetsWorld
from wallet.addresses.accounts import AccountNotFound
from wallet.assets import errors as e
from wallet.assets import gateways as g
from wallet.assets.authority import Actor
from wallet.assets.freezing import Frozen, freeze, thaw
from wallet.assets.issuing import IssueKind, Order, Sums, issue, outstanding_units, redeem, sums
from wallet.assets.registration import AssetType, NewAsset, get_asset, register
from wallet.assets.trust import list_trust_lines, state_trust
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.balances import asset_totals, balance, off_balance
from wallet.ledger.chart import SubAccount
from wallet.ledger.posting import post_batch
from wallet.ledger.terms.rules import Terms
from wallet.ledger.terms.stated import history, terms_of
from wallet.ledger.transfers import Transfer, single
from wallet.store.database import Database
from wallet.store.schema import api_keys

HOLD = "00000000-0000-4000-8000-000000000001"
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For refusals that are decided before any SQL of their own."""


@pytest.fixture
def world(database: Database) -> AssetsWorld:
    return AssetsWorld(database)


def refused(
    world: AssetsWorld, error: type[Exception], attempt: Callable[[Connection], object]
) -> None:
    """The attempt raises exactly this error, and leaves no event."""
    before = events(world)
    with pytest.raises(error) as caught, world.database.write() as tx:
        attempt(tx)
    assert caught.type is error
    assert events(world) == before


def events(world: AssetsWorld) -> list[tuple[str, str]]:
    with world.database.read() as tx:
        return [(event.type, event.subject) for event in read_events(tx, 0, 100)]


# --- gateways -------------------------------------------------------------------------------------


def test_a_gateway_appoints_and_dismisses_its_agents(world: AssetsWorld) -> None:
    agent = world.key("agent")
    opened = world.open()
    assert (opened.key_id, opened.agents) == (world.gateway.key_id, ())
    with world.database.write() as tx:
        appointed = g.appoint_agent(tx, world.gateway, "zurich", agent.key_id, NOW_S + 1)
    assert appointed.agents == (agent.key_id,)
    world.register(coin(), agent)  # an agent registers as the gateway may
    with world.database.write() as tx:
        dismissed = g.dismiss_agent(tx, world.gateway, "zurich", agent.key_id, NOW_S + 2)
    assert dismissed.agents == ()
    refused(world, e.NotYourGateway, lambda tx: register(tx, world.context, agent, gold()))
    assert [type for type, _ in events(world)] == [
        "gateway.opened",
        "gateway.agent_appointed",
        "asset.registered",
        "gateway.agent_dismissed",
    ]


def test_the_operator_gives_a_gateway_another_key(world: AssetsWorld) -> None:
    world.open()
    new = world.key("new")
    with world.database.write() as tx:
        changed = g.change_key(tx, world.operator, "zurich", new.key_id, NOW_S + 1)
    assert changed.key_id == new.key_id
    refused(world, e.NotYourGateway, lambda tx: register(tx, world.context, world.gateway, gold()))
    world.register(gold(), new)


@ON_SQLITE
@pytest.mark.parametrize("gateway_id", ["", "z", "Zurich", "1zurich", "zur.ich", "z" * 25, "zü"])
def test_a_gateways_id_fits_behind_a_dot(world: AssetsWorld, gateway_id: str) -> None:
    key = world.gateway.key_id
    refused(
        world,
        e.BadGateway,
        lambda tx: g.open_gateway(tx, world.operator, gateway_id, "Zurich", key, NOW_S),
    )


@ON_SQLITE
@pytest.mark.parametrize("name", ["", " ", "a\nb", "n" * 129])
def test_a_gateways_name_can_be_read(world: AssetsWorld, name: str) -> None:
    key = world.gateway.key_id
    refused(
        world,
        e.BadGateway,
        lambda tx: g.open_gateway(tx, world.operator, "zurich", name, key, NOW_S),
    )


@ON_SQLITE
def test_refusals_about_gateways(world: AssetsWorld) -> None:
    me, other = world.gateway, world.key("other")
    world.open()

    def open_it(gateway_id: str, key_id: str) -> Callable[[Connection], object]:
        return lambda tx: g.open_gateway(tx, world.operator, gateway_id, "Name", key_id, NOW_S)

    refused(world, e.GatewayExists, open_it("zurich", other.key_id))
    refused(world, e.KeyUnknown, open_it("geneva", "nobody"))
    with world.database.write() as tx:
        tx.execute(update(api_keys).where(api_keys.c.id == other.key_id).values(revoked_s=NOW_S))
    refused(world, e.KeyUnknown, open_it("geneva", other.key_id))
    refused(world, e.GatewayNotFound, lambda tx: g.get_gateway(tx, "geneva"))
    agent, stranger = world.key("agent"), world.key("stranger")

    def appoint(actor: Actor, key_id: str) -> Callable[[Connection], object]:
        return lambda tx: g.appoint_agent(tx, actor, "zurich", key_id, NOW_S)

    refused(world, e.NotYourGateway, appoint(stranger, agent.key_id))
    refused(world, e.KeyUnknown, appoint(me, other.key_id))
    refused(world, e.KeyActsAlready, appoint(me, me.key_id))
    with world.database.write() as tx:
        g.appoint_agent(tx, me, "zurich", agent.key_id, NOW_S)
    refused(world, e.KeyActsAlready, appoint(me, agent.key_id))
    refused(world, e.NotYourGateway, appoint(agent, stranger.key_id))  # agents appoint nobody

    def dismiss(actor: Actor, key_id: str) -> Callable[[Connection], object]:
        return lambda tx: g.dismiss_agent(tx, actor, "zurich", key_id, NOW_S)

    refused(world, e.NotYourGateway, dismiss(agent, agent.key_id))
    refused(world, e.NoAgent, dismiss(me, stranger.key_id))
    refused(world, e.NoAgent, dismiss(me, me.key_id))

    def change(key_id: str) -> Callable[[Connection], object]:
        return lambda tx: g.change_key(tx, world.operator, "zurich", key_id, NOW_S)

    refused(world, e.KeyUnknown, change(other.key_id))
    refused(world, e.KeyActsAlready, change(me.key_id))
    refused(world, e.KeyActsAlready, change(agent.key_id))


# --- registration ---------------------------------------------------------------------------------


def coin() -> NewAsset:
    return NewAsset(
        gateway="zurich", symbol="BTC", name="a coin", type=AssetType.CURRENCY, mirrors="BTC"
    )


def gold() -> NewAsset:
    return NewAsset(
        gateway="zurich",
        symbol="GOLD",
        name="one gram of gold",
        type=AssetType.PHYSICAL,
        decimals=3,
        quota_units=1_000,
    )


def test_both_types_are_registered(world: AssetsWorld) -> None:
    world.open()
    metal, mirror = world.gold(), world.coin()
    assert (metal.code, metal.decimals, metal.quota_units, metal.locked) == (GOLD, 3, 1_000, True)
    assert (mirror.code, mirror.decimals, mirror.mirrors, mirror.locked) == (COIN, 8, "BTC", False)
    with world.database.read() as tx:
        assert get_asset(tx, GOLD) == metal
        # In the books the quota bounds what the gateway answers for.
        key = (chart.issued("zurich"), GOLD)
        assert terms_of(tx, [key]) == {key: Terms(limit_units=1_000)}
    assert events(world)[-2:] == [("asset.registered", GOLD), ("asset.registered", COIN)]


def test_another_gateway_has_codes_and_mirrors_of_its_own(world: AssetsWorld) -> None:
    world.open()
    world.coin()
    world.open("geneva")
    made = world.register(replace(coin(), gateway="geneva"))
    assert (made.code, made.mirrors) == ("BTC.geneva", "BTC")


@ON_SQLITE
@pytest.mark.parametrize(
    ("error", "new"),
    [
        (e.GatewayNotFound, replace(gold(), gateway="geneva")),
        (e.AssetExists, replace(gold(), symbol="SILVER")),
        (e.BadSymbol, replace(gold(), symbol="")),
        (e.BadSymbol, replace(gold(), symbol="gold")),
        (e.BadSymbol, replace(gold(), symbol="GO.LD")),
        (e.BadSymbol, replace(gold(), symbol="1OZ")),
        (e.BadSymbol, replace(gold(), symbol="G" * 17)),
        (e.BadSymbol, replace(gold(), name="")),
        (e.BadSymbol, replace(gold(), name="go\x00ld")),
        (e.BadSymbol, replace(gold(), name="g" * 129)),
        (e.BadTerms, replace(gold(), quota_units=None)),
        (e.BadTerms, replace(gold(), mirrors="BTC")),
        (e.BadUnits, replace(gold(), quota_units=0)),
        (e.BadUnits, replace(gold(), quota_units=10**60 + 1)),
        (e.BadDecimals, replace(gold(), decimals=None)),
        (e.BadDecimals, replace(gold(), decimals=-1)),
        (e.BadDecimals, replace(gold(), decimals=37)),
        (e.BadTerms, replace(coin(), mirrors=None)),
        (e.BadTerms, replace(coin(), quota_units=1)),
        (e.MirrorUnknown, replace(coin(), mirrors="DOGE")),
        (e.MirrorUnknown, replace(coin(), mirrors="SILVER.zurich")),
        (e.BadDecimals, replace(coin(), decimals=6)),
        (e.MirrorTaken, replace(coin(), symbol="XETH", mirrors="ETH")),
    ],
)
def test_refusals_of_a_registration(
    world: AssetsWorld, error: type[Exception], new: NewAsset
) -> None:
    world.open()
    world.register(replace(gold(), symbol="SILVER"))
    world.register(replace(coin(), symbol="ETH", mirrors="ETH"))
    refused(world, error, lambda tx: register(tx, world.context, world.gateway, new))


@ON_SQLITE
def test_strangers_register_nothing(world: AssetsWorld) -> None:
    world.open()
    stranger = world.key("stranger")
    refused(world, e.NotYourGateway, lambda tx: register(tx, world.context, stranger, gold()))


@ON_SQLITE
def test_a_code_that_an_asset_of_a_chain_has_is_refused(world: AssetsWorld) -> None:
    world.open()
    taken = replace(world.context, native={**NATIVE, GOLD: 3})
    refused(world, e.CodeTaken, lambda tx: register(tx, taken, world.gateway, gold()))


# --- trust ----------------------------------------------------------------------------------------


def test_trust_limits_worked_out(world: AssetsWorld) -> None:
    """A quota of 1,000 mg of gold; Alice trusts 600 of it, Bob 300."""
    world.open()
    world.gold(quota_units=1_000)
    alice, bob = world.account("alice"), world.account("bob")
    with pytest.raises(e.TrustMissing):
        world.issue(alice, 1)
    world.trust(alice, 600)
    world.issue(alice, 600)  # 0 + 600 = 600, the limit
    with pytest.raises(e.LimitExceeded):
        world.issue(alice, 1)  # 600 + 1 > 600
    world.trust(bob, 300)
    with pytest.raises(e.LimitExceeded):
        world.issue(bob, 301)
    world.issue(bob, 300)  # issued so far: 600 + 300 = 900
    world.trust(bob, 10_000)
    with pytest.raises(e.QuotaExceeded):
        world.issue(bob, 101)  # 900 + 101 > 1,000, though Bob would trust it
    world.issue(bob, 100)  # 1,000: the quota
    world.trust(alice, 200)  # below the 600 she holds
    assert world.held(alice).net == 600
    world.redeem(alice, 350)  # what leaves is not held against the limit: 600 - 350 = 250
    with pytest.raises(e.QuotaExceeded):
        world.issue(bob, 1)  # 350 redeemed, and still 1,000 were issued
    world.redeem(alice, 250)  # 0
    line = world.trust(alice, 0)
    assert line.is_withdrawn
    with world.database.read() as tx:
        assert sums(tx, GOLD) == Sums(number=5, issued_units=1_000, redeemed_units=600)
        assert outstanding_units(tx, get_asset(tx, GOLD)) == 400  # Bob's
        assert off_balance(asset_totals(tx)) == []
    assert world.held(bob).net == 400


def test_a_trust_line_counts_what_is_promised(world: AssetsWorld) -> None:
    """Alice trusts 100 and holds 60; a hold of 30 to her leaves room for 10."""
    world.open()
    world.gold()
    alice, bob = world.account("alice"), world.account("bob")
    world.trust(alice, 100)
    world.trust(bob, 100)
    world.issue(alice, 60)
    world.issue(bob, 30)
    promised = Transfer.hold(
        id=HOLD, debit=chart.user(bob), credit=chart.user(alice), asset=GOLD, units=30
    )
    with world.database.write() as tx:
        post_batch(tx, "promise", [promised], NOW_S)
    with pytest.raises(e.LimitExceeded):
        world.issue(alice, 11)  # 60 + 30 + 11 = 101
    world.issue(alice, 10)  # 60 + 30 + 10 = 100
    with world.database.write() as tx:
        post_batch(tx, "kept", [Transfer.post(hold_id=HOLD)], NOW_S)
    assert world.held(alice).net == 100


def test_trust_is_withdrawn_and_given_again(world: AssetsWorld) -> None:
    world.open()
    world.coin()
    alice = world.account("alice")
    assert world.trust(alice, 0, COIN).is_withdrawn
    with pytest.raises(e.TrustMissing):
        world.issue(alice, 1, COIN)
    line = world.trust(alice, 5, COIN)
    assert (line.limit_units, line.held_units, line.is_withdrawn) == (5, 0, False)
    world.issue(alice, 5, COIN)
    line = world.trust(alice, 0, COIN)
    assert (line.limit_units, line.held_units, line.is_withdrawn) == (0, 5, False)
    with pytest.raises(e.LimitExceeded):
        world.issue(alice, 1, COIN)
    with world.database.read() as tx:
        assert list_trust_lines(tx, alice) == [line]


def test_a_trust_line_shows_all_parts_of_an_account(world: AssetsWorld) -> None:
    """60 stay in spot and 30 are on margin: 90 held, and not withdrawn while any are."""
    world.open()
    world.gold()
    alice = world.account("alice")
    world.trust(alice, 100)
    world.issue(alice, 90)
    spot, margin = chart.user(alice), chart.user(alice, SubAccount.MARGIN)
    with world.database.write() as tx:
        post_batch(tx, "move", [single(spot, margin, GOLD, 30)], NOW_S)
    world.redeem(alice, 60)
    line = world.trust(alice, 0)
    assert (line.held_units, line.is_withdrawn) == (30, False)


def test_the_same_limit_again_changes_nothing(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    alice = world.account("alice")
    first = world.trust(alice, 7)
    before = events(world)
    world.clock.time_s += 60
    assert world.trust(alice, 7) == first
    assert events(world) == before
    with world.database.read() as tx:
        assert len(history(tx, chart.user(alice), GOLD)) == 1


@ON_SQLITE
def test_refusals_of_trust(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    alice = world.account("alice")

    def trust(
        asset: str = GOLD, limit_units: int = 1, actor: Actor = world.exchange, account: str = alice
    ) -> Callable[[Connection], object]:
        return lambda tx: state_trust(tx, world.context, actor, account, asset, limit_units)

    refused(world, e.ActNotAllowed, trust(actor=world.key("reader", frozenset({"assets:read"}))))
    refused(world, AccountNotFound, trust(account="nobody"))
    refused(world, e.AssetUnknown, trust("SILVER.zurich"))
    refused(world, e.TrustNotNeeded, trust("BTC"))
    refused(world, e.BadUnits, trust(limit_units=-1))
    refused(world, e.BadUnits, trust(limit_units=10**60 + 1))


# --- freezes --------------------------------------------------------------------------------------


def test_a_frozen_account_neither_gets_nor_gives(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    alice = world.account("alice")
    world.trust(alice, 100)
    world.issue(alice, 40)
    asked = Frozen(account_id=alice, asset=GOLD, reason="asked by a court")
    with world.database.write() as tx:
        made = freeze(tx, world.context, world.operator, asked)
    assert made.terms == Terms(frozen=True, limit_units=100)
    assert (made.change.reason, made.change.changed_by) == (asked.reason, world.operator.key_id)
    with pytest.raises(e.AccountFrozen):
        world.issue(alice, 1)
    with pytest.raises(e.AccountFrozen):
        world.redeem(alice, 1)
    assert world.trust(alice, 50).frozen  # the limit may change, the freeze stays
    with world.database.write() as tx:
        thawed = thaw(tx, world.context, world.operator, replace(asked, reason="settled"))
    assert thawed.terms == Terms(limit_units=50)
    world.redeem(alice, 40)
    assert [type for type, _ in events(world) if type.startswith("account.")] == [
        "account.frozen",
        "account.thawed",
    ]


def test_a_freeze_is_of_one_account_in_one_asset(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    world.coin()
    alice, bob = world.account("alice"), world.account("bob")
    for account in (alice, bob):
        world.trust(account, 100)
        world.trust(account, 100, COIN)
    with world.database.write() as tx:
        asked = Frozen(account_id=alice, asset=GOLD, reason="why")
        freeze(tx, world.context, world.operator, asked)
    world.issue(alice, 1, COIN)
    world.issue(bob, 1)


@ON_SQLITE
def test_refusals_of_freezes(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    world.open("geneva", world.key("geneva"))
    alice = world.account("alice")
    asked = Frozen(account_id=alice, asset=GOLD, reason="why")

    def attempt(
        change: Frozen, actor: Actor = world.operator, act: Callable[..., object] = freeze
    ) -> Callable[[Connection], object]:
        return lambda tx: act(tx, world.context, actor, change)

    nobody = world.key("reader", frozenset({"freezes:read"}))
    refused(world, e.ActNotAllowed, attempt(asked, nobody))
    refused(world, AccountNotFound, attempt(replace(asked, account_id="nobody")))
    refused(world, e.AssetUnknown, attempt(replace(asked, asset="DOGE")))
    for reason in ("", "  ", "a\nb", "r" * 501):
        refused(world, e.BadReason, attempt(replace(asked, reason=reason)))
    refused(world, e.NotFrozen, attempt(asked, act=thaw))
    with world.database.write() as tx:
        freeze(tx, world.context, world.operator, asked)
    refused(world, e.FrozenAlready, attempt(asked))
    with world.database.write() as tx:
        thaw(tx, world.context, world.operator, asked)
    refused(world, e.NotFrozen, attempt(asked, act=thaw))


def test_a_gateway_freezes_in_its_own_assets_only(world: AssetsWorld) -> None:
    """Its key has the scope, but answers for nothing else: neither coins nor others' assets."""
    world.open()
    world.gold()
    other = world.key("geneva")
    world.open("geneva", other)
    world.register(replace(coin(), gateway="geneva"), other)
    alice = world.account("alice")

    def freeze_in(asset: str, actor: Actor) -> Callable[[Connection], object]:
        asked = Frozen(account_id=alice, asset=asset, reason="why")
        return lambda tx: freeze(tx, world.context, actor, asked)

    for asset in ("BTC", "BTC.geneva"):
        refused(world, e.NotYourGateway, freeze_in(asset, world.gateway))
    with world.database.write() as tx:
        freeze_in(GOLD, world.gateway)(tx)
        freeze_in("BTC", world.operator)(tx)


# --- issues ---------------------------------------------------------------------------------------


def test_issue_and_redeem_are_ledger_batches(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    alice = world.account("alice")
    world.trust(alice, 1_000)
    issued = world.issue(alice, 900)
    assert (issued.kind, issued.number, issued.issued_units) == (IssueKind.ISSUE, 1, 900)
    redeemed = world.redeem(alice, 250)
    assert (redeemed.kind, redeemed.number) == (IssueKind.REDEEM, 2)
    assert (redeemed.issued_units, redeemed.redeemed_units) == (900, 250)
    with world.database.read() as tx:
        owed = balance(tx, chart.issued("zurich"), GOLD)
        assert (owed.debits, owed.credits, owed.net) == (900, 250, 650)
        assert balance(tx, chart.user(alice), GOLD).net == 650
    assert events(world)[-2:] == [("asset.issued", issued.id), ("asset.redeemed", redeemed.id)]


def test_a_currency_is_issued_without_bound(world: AssetsWorld) -> None:
    world.open()
    world.coin()
    alice = world.account("alice")
    world.trust(alice, 10**60, COIN)
    world.issue(alice, 10**59, COIN)
    world.issue(alice, 9 * 10**59, COIN)
    assert world.held(alice, COIN).net == 10**60


@ON_SQLITE
def test_refusals_of_issues(world: AssetsWorld) -> None:
    world.open()
    world.gold()
    alice, bob = world.account("alice"), world.account("bob")
    world.trust(alice, 1_000)
    world.issue(alice, 100)
    order = Order(asset=GOLD, account_id=alice, units=1, external_id="one")

    def attempt(
        asked: Order, actor: Actor | None = None, act: Callable[..., object] = issue
    ) -> Callable[[Connection], object]:
        caller = actor or (world.gateway if act is issue else world.exchange)
        return lambda tx: act(tx, world.context, caller, asked)

    with world.database.write() as tx:
        issue(tx, world.context, world.gateway, order)
    fresh = replace(order, external_id="two")
    for act in (issue, redeem):
        refused(world, e.ExternalIdTaken, attempt(order, act=act))
        refused(world, e.AssetNotRegistered, attempt(replace(fresh, asset="BTC"), act=act))
        refused(world, AccountNotFound, attempt(replace(fresh, account_id="nobody"), act=act))
        for units in (0, -1, 10**60 + 1):
            refused(world, e.BadUnits, attempt(replace(fresh, units=units), act=act))
    refused(world, e.NotYourGateway, attempt(fresh, world.exchange))
    refused(world, e.QuotaExceeded, attempt(replace(fresh, units=900)))  # 101 + 900 > 1,000
    refused(world, e.TrustMissing, attempt(replace(fresh, account_id=bob)))
    refused(world, e.NotHeld, attempt(replace(fresh, units=102), act=redeem))  # of 101 held
    refused(world, e.NotHeld, attempt(replace(fresh, account_id=bob), act=redeem))
    gateway_without = Actor(key_id=world.gateway.key_id, scopes=frozenset({"assets:issue"}))
    refused(world, e.ActNotAllowed, attempt(fresh, gateway_without, redeem))


def test_what_is_held_for_another_cannot_be_redeemed(world: AssetsWorld) -> None:
    """100 held, 70 of them promised: 30 can be redeemed and not 31."""
    world.open()
    world.gold()
    alice, bob = world.account("alice"), world.account("bob")
    world.trust(alice, 100)
    world.trust(bob, 100)
    world.issue(alice, 100)
    promised = Transfer.hold(
        id=HOLD, debit=chart.user(alice), credit=chart.user(bob), asset=GOLD, units=70
    )
    with world.database.write() as tx:
        post_batch(tx, "promise", [promised], NOW_S)
    with pytest.raises(e.NotHeld):
        world.redeem(alice, 31)
    world.redeem(alice, 30)

"""Users, assets, terms and escrows: an image carries them, and nobody is fooled about them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.assets_world import GOLD, AssetsWorld
from tests.mirrors_world import COORDINATOR, KEY, image_of
from wallet.assets.errors import AccountFrozen, QuotaExceeded, TrustMissing
from wallet.assets.freezing import Frozen, freeze, thaw
from wallet.assets.gateways import change_key, get_gateway
from wallet.escrow import holding, records
from wallet.escrow.records import Escrow, Order, Party
from wallet.ledger import chart
from wallet.ledger.errors import AccountFrozen as FrozenInLedger
from wallet.ledger.posting import post_batch, single
from wallet.ledger.terms.stated import history, terms_version
from wallet.milestones import pass_by
from wallet.mirrors.checking import check_image
from wallet.mirrors.errors import NotEmpty, PartDamaged, StandingWrong
from wallet.mirrors.image import ImageWriter, open_image
from wallet.mirrors.joining import join
from wallet.mirrors.manifest import DOMAIN
from wallet.mirrors.replaying import replay
from wallet.mirrors.standing import TABLES
from wallet.mirrors.tails import ends_of, records_of
from wallet.store.database import Database

NOW_S = 1_800_000_000
COINS = 10_000


class World:
    """Alice trusts and holds gold, a trade of hers is half released, and bob is frozen in it."""

    def __init__(self, database: Database) -> None:
        self.assets = AssetsWorld(database)
        self.database = database
        self.alice, self.bob = self.assets.account("alice"), self.assets.account("bób \\N \\")
        self.assets.open()
        self.assets.gold(1_000)
        for account in (self.alice, self.bob):
            self.assets.trust(account, 900)
        self.assets.issue(self.alice, 600)
        self.assets.issue(self.bob, 30)
        self.assets.redeem(self.bob, 10)
        with database.write() as tx:
            coins = [single(chart.HOT, chart.user(self.alice), "BTC", COINS)]
            post_batch(tx, "deposit", coins, NOW_S)
        order = Order(
            external_id="trade",
            network="net",
            asset="BTC",
            payer=Party(account_id=self.alice),
            payee=Party(account_id=self.bob),
            units=800,
            fee_basis_points=0,
            deadline_s=NOW_S + 3600,
        )
        escrow = self.escrow(holding.hold, order, requester="key")
        self.escrow(holding.release, escrow.id, 300)
        with database.write() as tx:
            freeze(tx, self.assets.context, self.assets.operator, self.frozen("claimed"))

    def frozen(self, reason: str) -> Frozen:
        return Frozen(account_id=self.bob, asset=GOLD, reason=reason)

    def escrow(self, act: Callable[..., Escrow], *args: object, **named: object) -> Escrow:
        with self.database.write() as tx:
            return act(tx, *args, now_s=NOW_S, milestone=pass_by, **named)


def standing_of(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.read() as tx:
        return {
            t.name: sorted((tuple(row) for row in tx.execute(select(t))), key=repr) for t in TABLES
        }


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path}/other.sqlite")
    database.migrate()
    yield database
    database.close()


def test_who_joins_has_users_assets_terms_and_escrows(
    world: World, other: Database, tmp_path: Path
) -> None:
    made = image_of(world.database, tmp_path / "t1.image")
    check_image(open_image(made.path, KEY))
    join(other, open_image(made.path, KEY), now_s=NOW_S)
    found = standing_of(other)
    assert found == standing_of(world.database)
    assert {name for name, rows in found.items() if rows} >= {
        "accounts",
        "gateways",
        "registered_assets",
        "asset_issues",
        "account_terms",
        "escrows",
    }
    with world.database.read() as theirs, other.read() as ours:
        assert terms_version(ours) == terms_version(theirs)
        owner = chart.user(world.bob)
        assert history(ours, owner, GOLD) == history(theirs, owner, GOLD)
    again = image_of(other, tmp_path / "t2.image")
    assert again.manifest.part("standing").digest == made.manifest.part("standing").digest


def test_a_restored_node_keeps_everybody_to_their_terms(
    world: World, other: Database, tmp_path: Path
) -> None:
    join(other, open_image(image_of(world.database, tmp_path / "t1.image").path, KEY), now_s=NOW_S)
    there = AssetsWorld.__new__(AssetsWorld)
    there.__dict__.update(world.assets.__dict__, database=other)
    with other.read() as tx:
        assert get_gateway(tx, "zurich").key_id == "", "no right comes back with an image"
    key = there.key("zurich again")
    with other.write() as tx:
        assert change_key(tx, there.operator, "zurich", key.key_id, NOW_S).key_id == key.key_id
    with pytest.raises(QuotaExceeded):
        there.issue(world.alice, 371, actor=key)
    with pytest.raises(AccountFrozen):
        there.issue(world.bob, 1, actor=key)
    with pytest.raises(TrustMissing):
        there.issue(there.account("carol"), 1, actor=key)
    given = [single(chart.user(world.alice), chart.user(world.bob), GOLD, 1)]
    with pytest.raises(FrozenInLedger), other.write() as tx:
        post_batch(tx, "past the desk", given, NOW_S)
    here = World.__new__(World)
    here.database = other
    escrow_id = records.id_of("trade")
    assert here.escrow(holding.release, escrow_id, 500).released_units == 800


def test_a_tail_is_not_judged_by_terms_of_another_hour(
    world: World, other: Database, tmp_path: Path
) -> None:
    """Frozen in the image, then freed and paid at the source: the heights are good."""
    made = image_of(world.database, tmp_path / "t1.image")
    join(other, open_image(made.path, KEY), now_s=NOW_S)
    assets = world.assets
    with world.database.write() as tx:
        thaw(tx, assets.context, assets.operator, world.frozen("settled"))
    assets.issue(world.bob, 5)
    with world.database.read() as tx:
        ends = ends_of(tx, made.manifest.height)
        records_kept = list(records_of(tx, ends))
    assert replay(other, ends, records_kept) == made.manifest.height + 1


def test_a_node_with_users_is_no_empty_one(world: World, other: Database, tmp_path: Path) -> None:
    image = open_image(image_of(world.database, tmp_path / "t1.image").path, KEY)
    AssetsWorld(other).account("somebody")
    with pytest.raises(NotEmpty):
        join(other, image, now_s=NOW_S)


# --- Every check ---------------------------------------------------------------------------------

Lines = list[list[Any]]


def remade(path: Path, change: Callable[[Lines], object]) -> Path:
    """The same image with other lines beside the ledger, signed by the right key."""
    image = open_image(path, KEY)
    out = path.with_name("remade.image")
    with ImageWriter(out) as writer:
        for part in image.manifest.parts:
            content = b"".join(image.blocks(part.name))
            if part.name == "standing":
                rows = [json.loads(line) for line in content.splitlines()]
                change(rows)
                content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
            writer.add(part.name, [(content, part.rows)])
        manifest = replace(image.manifest, parts=writer.parts)
        writer.finish(COORDINATOR.attest(DOMAIN, manifest.encode()))
    return out


def of(rows: Lines, table: str) -> list[Any]:
    """The first row of a table."""
    return next(row for row in rows if row[0] == table)


def put(table: str, place: int, value: object) -> Callable[[Lines], object]:
    def change(rows: Lines) -> None:
        of(rows, table)[place] = value

    return change


def without(table: str) -> Callable[[Lines], object]:
    def change(rows: Lines) -> None:
        rows[:] = [row for row in rows if row[0] != table]

    return change


def last_sums(rows: Lines) -> None:
    """One unit more was issued, by all the journal says."""
    last = [row for row in rows if row[0] == "asset_issues"][-1]
    last[7] += 1


def issued_elsewhere(rows: Lines) -> None:
    """Another asset of the gateway has a journal, and its account is nowhere."""
    asset, issue = list(of(rows, "registered_assets")), list(of(rows, "asset_issues"))
    asset[1:3], asset[4] = ["SILVER.zurich", "id-2"], "SILVER"
    issue[1:3] = ["issue-2", "SILVER.zurich"]
    rows.insert(rows.index(of(rows, "asset_issues")), asset)
    rows.insert(rows.index(of(rows, "account_terms")), issue)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(put("accounts", 0, "api_keys"), "no row", id="another table"),
        pytest.param(lambda rows: of(rows, "accounts").append(1), "no row", id="a column more"),
        pytest.param(put("accounts", 3, 1.5), "no column", id="no integer"),
        pytest.param(put("accounts", 3, True), "no column", id="no number"),
        pytest.param(put("accounts", 2, None), "no column", id="nothing"),
        pytest.param(put("escrows", 9, "800"), "no column", id="an amount as text"),
        pytest.param(lambda rows: rows.insert(0, rows[0]), "twice", id="twice"),
        pytest.param(lambda rows: rows.reverse(), "order", id="another order"),
        pytest.param(put("account_terms", 9, 99), "after height", id="terms of later"),
        pytest.param(put("escrows", 14, "open"), "word", id="an unknown status"),
        pytest.param(put("escrows", 9, 801), "of 500 units", id="an escrow of more"),
        pytest.param(put("escrows", 13, 2), "no hold", id="an escrow of another hold"),
        pytest.param(last_sums, "were issued", id="issued more"),
        pytest.param(without("asset_issues"), "0 were issued", id="no journal"),
        pytest.param(without("registered_assets"), "not registered", id="not registered"),
        pytest.param(issued_elsewhere, "no account", id="issued without an account"),
    ],
)
def test_what_cannot_be_though_it_was_signed(
    world: World, tmp_path: Path, change: Callable[[Lines], object], told: str
) -> None:
    path = remade(image_of(world.database, tmp_path / "t1.image").path, change)
    with pytest.raises(StandingWrong, match=told):
        check_image(open_image(path, KEY))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestJoining:
    """What only the database sees, and that nothing of it stays."""

    def test_a_row_that_the_walls_refuse(
        self, world: World, other: Database, tmp_path: Path
    ) -> None:
        def leave_out(rows: Lines) -> None:
            second = next(row for row in rows if row[0] == "account_terms" and row[4] == 2)
            del rows[rows.index(second) - 1]

        path = remade(image_of(world.database, tmp_path / "t1.image").path, leave_out)
        with pytest.raises(StandingWrong, match="terms_out_of_order"):
            join(other, open_image(path, KEY), now_s=NOW_S)
        assert not any(standing_of(other).values())

    def test_bytes_that_are_not_those_of_the_rows(
        self, world: World, other: Database, tmp_path: Path
    ) -> None:
        """Written with spaces, the rows are the same and their digest is another."""
        path = remade(image_of(world.database, tmp_path / "t1.image").path, lambda _rows: None)
        with pytest.raises(PartDamaged):
            join(other, open_image(path, KEY), now_s=NOW_S)
        assert not any(standing_of(other).values())

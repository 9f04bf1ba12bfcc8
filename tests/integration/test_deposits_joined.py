"""Deposits scanned again beside a ledger that has them: a node that joined from an image."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update

from tests.deposit_world import NETWORK, RULES, USER, Bench, FixedClock, make_bench, pay
from tests.mirrors_world import KEY, NOW_S, image_of
from wallet.deposits.holding import reject
from wallet.deposits.recording import deposit_id
from wallet.deposits.watcher import Watcher
from wallet.ledger import chart
from wallet.ledger.errors import CauseConflict
from wallet.milestones import pass_by
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits
from wallet.store.tables.ledger import ledger_batches

OTHER_USER = "user-2"


@pytest.fixture
def source(database: Database) -> Bench:
    return make_bench(database)


def joined(source: Bench, empty: Database, folder: Path) -> Bench:
    """A node that has the ledger of the source, and scans the same chain from its start."""
    image = image_of(source.database, folder / "t1.image")
    join(empty, open_image(image.path, KEY), now_s=NOW_S)
    return make_bench(empty, chain=source.chain)


def height(bench: Bench) -> int:
    with bench.database.read() as tx:
        return int(tx.execute(select(func.max(ledger_batches.c.height))).scalar_one())


def mine_credited(bench: Bench, units: int = 5_000) -> None:
    bench.chain.mine()
    bench.chain.mine(pay(("deposit", units)))
    bench.chain.mine()
    bench.follow()


def lose(bench: Bench) -> None:
    """The block of the deposit leaves the chain, and its credit with it."""
    bench.chain.drop(2)
    for _ in range(3):
        bench.chain.mine(salt=f"{len(bench.chain.blocks)}")
    bench.follow()


@pytest.mark.parametrize("losses", [0, 1])
def test_what_the_ledger_has_is_not_credited_again(
    source: Bench, other: Database, tmp_path: Path, losses: int
) -> None:
    """Also where a reorganisation took the first credit back, and a second one stands."""
    mine_credited(source)
    for _ in range(losses):
        lose(source)
        mine_credited(source)
    node = joined(source, other, tmp_path)
    before = height(node)
    node.follow()
    assert node.rows() == source.rows() == [("credited", 5_000)]
    assert node.owned() == node.owned(chart.HOT) == 5_000
    assert height(node) == before


def test_what_the_ledger_took_back_is_credited_when_it_returns(
    source: Bench, other: Database, tmp_path: Path
) -> None:
    mine_credited(source)
    lose(source)
    assert source.owned() == 0
    node = joined(source, other, tmp_path)
    node.follow()
    assert node.owned() == 0
    mine_credited(node)
    assert node.rows() == [("credited", 5_000)]
    assert node.owned() == node.owned(chart.HOT) == 5_000


def test_a_credit_to_somebody_else_waits_for_a_person_and_keeps_nobody_waiting(
    source: Bench, other: Database, tmp_path: Path
) -> None:
    mine_credited(source)
    node = joined(source, other, tmp_path)
    with other.write() as tx:
        tx.execute(insert(accounts).values(id=OTHER_USER, external_id="v", created_s=0))
        mine = addresses.c.account_id == USER
        tx.execute(update(addresses).where(mine).values(account_id=OTHER_USER))
    node.chain.mine(pay(("hot", 70), nonce=1))
    node.chain.mine()
    node.follow()
    assert sorted(node.rows()) == [("credited", 70), ("held", 5_000)]
    assert (node.owned(), node.owned(chart.user(OTHER_USER))) == (5_000, 0)
    assert node.owned(chart.HOUSE) == 70
    assert node.event_types().count("alert.deposit_held") == 1
    with other.read() as tx:
        held = select(deposits.c.id).where(deposits.c.sub_status == "credited_otherwise")
        id = tx.execute(held).scalar_one()
    with pytest.raises(CauseConflict), other.write() as tx:
        reject(tx, id, "staff", NOW_S)


def test_a_credit_of_what_is_too_little_by_now_waits_for_a_person(
    source: Bench, other: Database, tmp_path: Path
) -> None:
    mine_credited(source)
    node = joined(source, other, tmp_path)
    rules = replace(RULES, asset=replace(RULES.asset, deposit_units_min=10_000))
    node.watcher = Watcher(node.chain, other, {"BTC": rules}, 0, FixedClock(), pass_by)  # type: ignore[arg-type]
    node.follow()
    assert node.rows() == [("held", 5_000)]
    assert (node.owned(), node.owned(chart.UNALLOCATED)) == (5_000, 0)


def test_the_id_of_a_deposit_follows_from_where_it_arrived() -> None:
    """SHA-256 of the three lines, its first sixteen bytes: the same on every machine, for ever."""
    assert deposit_id(NETWORK, "ab" * 32, "out:1") == "ddbdfed2-632c-b962-a200-c0b691cdfdb6"
    others = {
        deposit_id("litecoin-regtest", "ab" * 32, "out:1"),
        deposit_id(NETWORK, "ac" * 32, "out:1"),
        deposit_id(NETWORK, "ab" * 32, "out:2"),
    }
    assert len(others) == 3
    assert deposit_id(NETWORK, "ab" * 32, "out:1") not in others

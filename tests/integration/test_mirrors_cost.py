"""Joining costs what the image costs: twenty times the history behind it changes nothing."""

from pathlib import Path

from sqlalchemy import event

from tests.mirrors_world import ALICE, BOB, KEY, NOW_S, image_of
from wallet.ledger import chart
from wallet.ledger.posting import post_batch, single
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.store.database import Database


def ledger_of(path: Path, times: int) -> Database:
    """Two users whose balances end the same, after more or fewer payments back and forth."""
    database = Database.open(f"sqlite:///{path}")
    database.migrate()
    with database.write() as tx:
        post_batch(tx, "start", [single(chart.HOT, ALICE, "BTC", 10_000)], NOW_S)
        for number in range(times):
            there = [single(ALICE, BOB, "BTC", 1), single(BOB, ALICE, "BTC", 1)]
            post_batch(tx, f"move:{number}", there * 3, NOW_S)
    return database


def rows_written(database: Database, path: Path) -> tuple[int, int, int]:
    """Joins; bytes of the image, statements sent, and rows in the new ledger's tables."""
    image, statements = open_image(path, KEY), 0

    def count(*_args: object) -> None:
        nonlocal statements
        statements += 1

    event.listen(database.engine, "before_cursor_execute", count)
    join(database, image, now_s=NOW_S, following=True)
    event.remove(database.engine, "before_cursor_execute", count)
    with database.read() as tx:
        names = [f"ledger_{name}" for name in ("accounts", "balances", "batches", "transfers")]
        rows = sum(tx.exec_driver_sql(f"SELECT COUNT(*) FROM {n}").scalar_one() for n in names)
    return sum(part.rows for part in image.manifest.parts), statements, rows


def test_it_is_bound_by_the_image_not_by_the_history(tmp_path: Path) -> None:
    costs, sizes = [], []
    for times in (5, 100):
        source = ledger_of(tmp_path / f"{times}.sqlite", times)
        made = image_of(source, tmp_path / f"{times}.image", with_ids=False)
        source.close()
        new = Database.open(f"sqlite:///{tmp_path}/new-{times}.sqlite")
        new.migrate()
        costs.append(rows_written(new, made.path))
        sizes.append(made.path.stat().st_size)
        new.close()
    assert costs[0] == costs[1]
    assert costs[0][2] == 3 + 3 + 1, "accounts, balances, one batch, no transfer"
    assert abs(sizes[0] - sizes[1]) < 30, "numbers with more digits"
    with_ids = []
    for times in (5, 100):
        source = Database.open(f"sqlite:///{tmp_path}/{times}.sqlite")
        parts = image_of(source, tmp_path / f"ids-{times}.image").manifest.parts
        with_ids.append({part.name: part.size for part in parts}["ids"])
        source.close()
    assert with_ids == [16 * (1 + 6 * 5), 16 * (1 + 6 * 100)], "ids are 16 bytes a transfer"

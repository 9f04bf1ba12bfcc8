"""`ledger verify` of a ledger that began from an image: it holds, and what was changed is found."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.mirrors_world import HEIGHTS, KEY, NOW_S, fill, image_of
from wallet.ledger.loading import load_origin
from wallet.ledger.versions.findings import BadRange
from wallet.ledger.versions.history import sums_at
from wallet.ledger.versions.verifying import Verified, verify
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.store.database import Database


@pytest.fixture(params=[False, True], ids=["posting", "following"])
def joined(request: pytest.FixtureRequest, own_database: Database, tmp_path: Path) -> Database:
    """A ledger of two rounds in an image, and on a posting one another round after it."""
    source = Database.open(f"sqlite:///{tmp_path}/source.sqlite")
    source.migrate()
    fill(source)
    image = open_image(image_of(source, tmp_path / "t1.image").path, KEY)
    source.close()
    join(own_database, image, now_s=NOW_S, following=request.param)
    if not request.param:
        fill(own_database, rounds=1, first=2)
    return own_database


def verified(database: Database) -> Verified:
    with database.read() as tx:
        return verify(tx)


def test_it_is_verified_from_the_image_on(joined: Database) -> None:
    with joined.read() as tx:
        origin = load_origin(tx)
    assert origin is not None
    found = verified(joined)
    assert found.finding is None, found.finding
    assert found.first == 2 * HEIGHTS + 1
    assert found.last == (3 if origin.may_post else 2) * HEIGHTS
    if not origin.may_post:
        assert found.state_hash == origin.state_hash


def test_balances_in_the_past_begin_with_the_image(joined: Database, tmp_path: Path) -> None:
    source = Database.open(f"sqlite:///{tmp_path}/source.sqlite")
    with source.read() as theirs, joined.read() as ours:
        now = {n: sums for n, sums in sums_at(ours, 2 * HEIGHTS).items() if any(sums)}
        assert now == sums_at(theirs, 2 * HEIGHTS)
        with pytest.raises(BadRange):
            sums_at(ours, 2 * HEIGHTS - 1)
    source.close()


UNTOUCHED = "SELECT MIN(account) FROM ledger_balances WHERE height <= 8"
CHANGES = [
    pytest.param("UPDATE ledger_accounts SET owner = 'user:mallory' WHERE number = 2", id="owner"),
    pytest.param(
        f"UPDATE ledger_balances SET credits = debits WHERE account = ({UNTOUCHED})", id="balance"
    ),
    pytest.param(
        "DELETE FROM ledger_holds WHERE id IN (SELECT MIN(id) FROM ledger_holds)", id="hold"
    ),
    pytest.param("UPDATE ledger_holds SET expires_s = 1", id="expiry"),
    pytest.param("UPDATE ledger_batches SET state_hash = content WHERE height = 8", id="hash"),
]


@pytest.mark.parametrize("statement", CHANGES)
def test_what_was_changed_of_the_image_is_found(joined: Database, statement: str) -> None:
    if joined.dialect == "postgresql":
        statement = statement.replace("MIN(id)", "MIN(id::text)::uuid")
    with joined.engine.begin() as tx:
        if joined.dialect == "postgresql":
            tx.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            tx.execute(text("PRAGMA query_only = OFF"))
            for (name,) in tx.execute(
                text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            ).all():
                tx.execute(text(f"DROP TRIGGER {name}"))
        assert tx.execute(text(statement)).rowcount > 0
    found = verified(joined).finding
    assert found is not None
    assert found.code in (
        "ledger.verify.origin",
        "ledger.verify.state_hash",
        "ledger.verify.account",
    )

"""Terms as kept: the newest holds, all that was stated stays, and reading them is one query."""

import pytest
from sqlalchemy import Connection, event, insert

from wallet.ledger.terms import stated as kept
from wallet.ledger.terms.rules import NO_TERMS, Terms
from wallet.ledger.terms.stated import Change, Key, registered_among, terms_of
from wallet.store.database import Database
from wallet.store.schema import gateways, registered_assets

GOLD: Key = ("user:alice", "GOLD.zurich")
BTC: Key = ("user:alice", "BTC")
BOB: Key = ("user:bob", "GOLD.zurich")


def change(reason: str, now_s: int = 5) -> Change:
    return Change(changed_by="key", reason=reason, since_height=3, since_s=now_s)


def test_nothing_stated_means_no_terms(database: Database) -> None:
    with database.read() as tx:
        assert terms_of(tx, [GOLD, BTC]) == {GOLD: NO_TERMS, BTC: NO_TERMS}
        assert kept.newest(tx, *GOLD) is None
        assert terms_of(tx, []) == {}


def test_the_newest_terms_hold_and_all_are_kept(database: Database) -> None:
    with database.write() as tx:
        kept.state_limit(tx, *GOLD, 100, change("trust", 5))
        kept.state_frozen(tx, *GOLD, frozen=True, change=change("court", 6))
        kept.state_limit(tx, *GOLD, 0, change("no more", 7))
        kept.state_frozen(tx, *BTC, frozen=True, change=change("court", 8))
        kept.state_frozen(tx, *BTC, frozen=False, change=change("settled", 9))
    with database.read() as tx:
        assert terms_of(tx, [GOLD, BTC, BOB]) == {
            GOLD: Terms(frozen=True, limit_units=0),
            BTC: NO_TERMS,
            BOB: NO_TERMS,
        }
        told = kept.history(tx, *GOLD)
        assert [(s.number, s.terms, s.change.reason, s.change.since_s) for s in told] == [
            (1, Terms(limit_units=100), "trust", 5),
            (2, Terms(frozen=True, limit_units=100), "court", 6),
            (3, Terms(frozen=True, limit_units=0), "no more", 7),
        ]
        assert kept.newest(tx, *GOLD) == told[-1]
        assert told[-1].change == change("no more", 7)
        assert len(tx.execute(kept.select_newest()).all()) == 2


def test_parts_of_an_account_follow_the_whole(database: Database) -> None:
    with database.write() as tx:
        kept.state_frozen(tx, *BTC, frozen=True, change=change("court"))
    margin, contract = ("user:alice/margin", "BTC"), ("user:alice/contract", "BTC")
    with database.read() as tx:
        assert terms_of(tx, [margin, contract, BTC, ("user:bob/margin", "BTC")]) == {
            margin: Terms(frozen=True),
            contract: Terms(frozen=True),
            BTC: Terms(frozen=True),
            ("user:bob/margin", "BTC"): NO_TERMS,
        }


def test_a_change_that_is_rolled_back_never_was(database: Database) -> None:
    def fail(tx: Connection) -> None:
        kept.state_limit(tx, *GOLD, 100, change("trust"))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError), database.write() as tx:
        fail(tx)
    with database.read() as tx:
        assert terms_of(tx, [GOLD]) == {GOLD: NO_TERMS}


def test_many_accounts_are_read_in_few_queries(database: Database) -> None:
    keys = [(f"user:{number}", "GOLD.zurich") for number in range(kept.CHUNK + 1)]
    with database.write() as tx:
        kept.state_limit(tx, *keys[0], 1, change("first"))
        kept.state_limit(tx, *keys[-1], 2, change("last"))
    queries: list[str] = []
    with database.read() as tx:
        event.listen(tx, "before_cursor_execute", lambda *a: queries.append(a[2]))
        found = terms_of(tx, keys)
    assert [k for k in keys if found[k] != NO_TERMS] == [keys[0], keys[-1]]
    assert len(queries) == 2


def test_registered_assets_are_told_from_native_ones(database: Database) -> None:
    with database.write() as tx:
        tx.execute(insert(gateways).values(id="zurich", name="Z", created_by="k", created_s=1))
        tx.execute(
            insert(registered_assets).values(
                code="GOLD.zurich",
                id="gold",
                gateway="zurich",
                symbol="GOLD",
                name="gold",
                type="physical",
                decimals=3,
                quota_units=1,
                locked=1,
                registered_by="k",
                registered_s=1,
            )
        )
    with database.read() as tx:
        assert registered_among(tx, ["BTC", "GOLD.zurich", "BTC"]) == {"GOLD.zurich"}
        assert registered_among(tx, []) == frozenset()

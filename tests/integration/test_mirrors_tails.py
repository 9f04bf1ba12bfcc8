"""Tails: following another ledger height by height, and every way a tail is refused."""

import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from signer.protocol import dump
from tests.mirrors_world import (
    ALICE,
    COORDINATOR,
    HEIGHTS,
    HISTORY,
    KEY,
    NOW_S,
    STATE,
    STRANGER,
    fill,
    image_of,
    open_holds,
    rows_of,
    settlement,
)
from wallet.ledger import chart
from wallet.ledger.books import Books
from wallet.ledger.encoding import GENESIS
from wallet.ledger.judging import Judge
from wallet.ledger.loading import load_for, load_head
from wallet.ledger.posting import post_batch, single
from wallet.ledger.sealing import seal
from wallet.ledger.writing import JOINED_MAX
from wallet.mirrors.errors import (
    BeforeOrigin,
    HeadWrong,
    SignatureWrong,
    StateHashWrong,
    TailForks,
    TailGap,
    TailMalformed,
    TailRefused,
)
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.mirrors.replaying import replay
from wallet.mirrors.tails import (
    DOMAIN,
    MAGIC,
    Ends,
    Record,
    ends_of,
    read_tail,
    records_of,
    write_tail,
)
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_transfers

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Database]:
    """An empty ledger on SQLite, to follow with."""
    database = Database.open(f"sqlite:///{tmp_path}/mirror.sqlite")
    database.migrate()
    yield database
    database.close()


def tail_of(database: Database, after: int = 0) -> bytes:
    """A tail as a file's bytes."""
    file = io.BytesIO()
    with database.read() as tx:
        ends = ends_of(tx, after)
        write_tail(file, ends, records_of(tx, ends), COORDINATOR.attest)
    return file.getvalue()


def follow(database: Database, data: bytes) -> int:
    return replay(database, *read_tail(io.BytesIO(data), KEY))


def changed(
    database: Database, change: Callable[[list[Record]], Iterable[Record]], after: int = 0
) -> tuple[Ends, Iterator[Record]]:
    """A tail whose records were changed."""
    with database.read() as tx:
        ends = ends_of(tx, after)
        return ends, iter(list(change(list(records_of(tx, ends)))))


def test_a_ledger_is_followed_from_its_first_height(database: Database, mirror: Database) -> None:
    fill(database)
    assert follow(mirror, tail_of(database)) == 2 * HEIGHTS
    assert rows_of(mirror) == rows_of(database)
    assert open_holds(mirror) == open_holds(database)
    fill(database, rounds=1, first=2)
    assert follow(mirror, tail_of(database)) == 3 * HEIGHTS, "what it has already is skipped"
    assert follow(mirror, tail_of(database, 5)) == 3 * HEIGHTS
    assert rows_of(mirror) == rows_of(database)


def test_postgresql_follows_sqlite(mirror: Database, postgres: object, database: Database) -> None:
    fill(mirror, rounds=3)
    assert follow(database, tail_of(mirror)) == 3 * HEIGHTS
    assert rows_of(database) == rows_of(mirror)


@pytest.mark.parametrize("following", [False, True])
def test_a_node_joins_from_an_image_and_replays_only_the_tail(
    database: Database, mirror: Database, tmp_path: Path, *, following: bool
) -> None:
    fill(database)
    image = open_image(image_of(database, tmp_path / "t1.image").path, KEY)
    fill(database, rounds=2, first=2)
    join(mirror, image, now_s=NOW_S, following=following)
    assert follow(mirror, tail_of(database, 2 * HEIGHTS)) == 4 * HEIGHTS
    assert rows_of(mirror, *STATE) == rows_of(database, *STATE)
    assert open_holds(mirror) == open_holds(database)
    if not following:
        assert rows_of(mirror, *HISTORY) == rows_of(database, *HISTORY)
    transfers = rows_of(mirror, ledger_transfers)["ledger_transfers"]
    assert transfers == [
        row
        for row in rows_of(database, ledger_transfers)["ledger_transfers"]
        if int(str(row[0])) > 8
    ]
    with mirror.read() as tx, pytest.raises(BeforeOrigin):
        ends_of(tx, 7)
    assert tail_of(mirror, 8)


def test_a_mirror_may_be_followed_in_turn(
    database: Database, mirror: Database, tmp_path: Path
) -> None:
    fill(database)
    join(mirror, open_image(image_of(database, tmp_path / "t1.image").path, KEY), now_s=NOW_S)
    fill(mirror, rounds=1, first=2)
    assert follow(database, tail_of(mirror, 2 * HEIGHTS)) == 3 * HEIGHTS
    assert rows_of(database, *STATE) == rows_of(mirror, *STATE)


def of_height(height: int, **changes: object) -> Callable[[list[Record]], list[Record]]:
    """Change one record."""

    def change(records: list[Record]) -> list[Record]:
        return [
            replace(record, **changes) if record.height == height else record  # type: ignore[arg-type]
            for record in records
        ]

    return change


def lines_of(height: int, old: str, new: str) -> Callable[[list[Record]], list[Record]]:
    """Change the lines of one record."""

    def change(records: list[Record]) -> list[Record]:
        lines = records[height - 1].transfers
        assert any(old in line for line in lines)
        return of_height(height, transfers=[line.replace(old, new) for line in lines])(records)

    return change


LIES = [
    pytest.param(lines_of(1, "\t1000\t", "\t1001\t"), StateHashWrong, 1, id="amount"),
    pytest.param(lines_of(8, "\t3\t0\n", "\t9999\t0\n"), TailRefused, 8, id="overdraft"),
    pytest.param(lines_of(2, "\t20\t", "\t-1\t"), TailRefused, 2, id="negative"),
    pytest.param(lines_of(3, "\tpost\t", "\tvoid\t"), TailRefused, 3, id="void for post"),
    pytest.param(lines_of(3, "\t7\t0\n", "\t8\t0\n"), StateHashWrong, 3, id="posted amount"),
    pytest.param(lines_of(1, "\t1\t2\t", "\t2\t1\t"), TailRefused, 1, id="sides"),
    pytest.param(lines_of(5, "\t1\t2\t", "\t1\t77\t"), TailRefused, 5, id="no account"),
    pytest.param(lines_of(2, "\thold\t", "\tgift\t"), TailRefused, 2, id="kind"),
    pytest.param(of_height(4, cause="settlement:x"), StateHashWrong, 4, id="cause"),
    pytest.param(of_height(4, content=b"c" * 32), StateHashWrong, 4, id="content"),
    pytest.param(of_height(4, state_hash=b"s" * 32), StateHashWrong, 4, id="state hash"),
    pytest.param(of_height(4, accounts=[]), TailRefused, 4, id="account not opened"),
    pytest.param(of_height(6, transfers=[]), TailRefused, 6, id="no transfers"),
    pytest.param(of_height(3, created_s=NOW_S + 1), StateHashWrong, 3, id="time"),
    pytest.param(lambda rs: [*rs[:2], *rs[3:]], TailMalformed, None, id="left out"),
    pytest.param(lambda rs: [*rs[:2], rs[3], rs[2], *rs[4:]], TailMalformed, None, id="order"),
    pytest.param(lambda rs: rs[:-1], HeadWrong, 7, id="cut"),
    pytest.param(lambda rs: [*rs, replace(rs[-1], height=9)], TailMalformed, None, id="longer"),
]


@ON_SQLITE
@pytest.mark.parametrize(("change", "error", "height"), LIES)
def test_a_lying_tail_is_refused_at_its_first_bad_height(
    database: Database,
    mirror: Database,
    change: Callable[[list[Record]], Iterable[Record]],
    error: type[Exception],
    height: int | None,
) -> None:
    fill(database)
    before = rows_of(mirror)
    with pytest.raises(error) as caught:
        replay(mirror, *changed(database, change))
    if height is not None:
        assert caught.value.details["height"] == height  # type: ignore[attr-defined]
    assert rows_of(mirror) == before, "nothing of it is kept"


def test_a_refusal_says_which_rule_of_posting_it_is(database: Database, mirror: Database) -> None:
    fill(database)
    with pytest.raises(TailRefused) as caught:
        replay(mirror, *changed(database, lines_of(8, "\t3\t0\n", "\t9999\t0\n")))
    assert caught.value.details == {"height": 8, "why": "insufficient_funds"}


def test_a_cut_tail_is_none_even_where_nothing_of_it_is_new(
    database: Database, mirror: Database
) -> None:
    fill(database)
    follow(mirror, tail_of(database))
    with pytest.raises(HeadWrong):
        replay(mirror, *changed(database, lambda records: records[:-1]))


def test_another_history_that_holds_by_itself_is_not_the_one_signed(
    database: Database, mirror: Database
) -> None:
    """Made with the engine, so every hash is right: only the signed end tells."""
    fill(database)
    with database.read() as tx:
        ends = ends_of(tx, 0)
        records = list(records_of(tx, ends))
    with pytest.raises(HeadWrong):
        replay(mirror, replace(ends, to_hash=b"o" * 32), iter(records))
    assert rows_of(mirror)["ledger_batches"] == []


def test_an_id_posted_before_is_found(database: Database, mirror: Database) -> None:
    """A height that hashes as it should, with a transfer that another height had."""
    fill(database, rounds=1)
    follow(mirror, tail_of(database))
    with mirror.read() as tx:
        ends, taken = ends_of(tx, HEIGHTS), settlement(0)[:1]
        books = Books()
        load_head(tx, books)
        load_for(tx, books, taken)
        sealed = seal(books, Judge(books, now_s=NOW_S).whole(taken), "again", b"c" * 32, NOW_S)
    head = replace(ends, to=sealed.height, to_hash=sealed.state_hash)
    record = Record(
        height=sealed.height,
        cause=sealed.cause,
        content=sealed.content,
        created_s=NOW_S,
        state_hash=sealed.state_hash,
        accounts=[],
        transfers=sealed.transfers.text.decode().splitlines(keepends=True),
    )
    with pytest.raises(TailRefused) as caught:
        replay(mirror, head, iter([record]))
    assert caught.value.details == {"height": HEIGHTS + 1, "why": "database"}


def test_two_large_heights_are_written_in_one_transaction(
    database: Database, mirror: Database
) -> None:
    """More balances than PostgreSQL takes as arrays, twice before the commit."""
    users = [chart.user(f"u{number}") for number in range(JOINED_MAX + 1)]
    with mirror.write() as tx:
        for cause in ("first", "second"):
            post_batch(tx, cause, [single(chart.HOT, user, "BTC", 1) for user in users], NOW_S)
    assert replay_each(database, mirror) == 2
    assert rows_of(database, *STATE) == rows_of(mirror, *STATE)


def replay_each(database: Database, source: Database) -> int:
    """As follow, with every height written as soon as it is judged."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wallet.mirrors.replaying.LINES", 1)
        return follow(database, tail_of(source))


def test_where_a_tail_does_not_fit(database: Database, mirror: Database) -> None:
    fill(database)
    with pytest.raises(TailGap):
        follow(mirror, tail_of(database, 3))
    with mirror.write() as tx:
        post_batch(tx, "its own", [single(chart.HOT, ALICE, "BTC", 1)], NOW_S)
    with pytest.raises(TailForks):
        follow(mirror, tail_of(database, 1))
    with database.read() as tx, pytest.raises(TailGap):
        ends_of(tx, 99)
    with pytest.raises(TailRefused) as caught:
        follow(mirror, tail_of(database))
    assert caught.value.details["height"] == 2


@ON_SQLITE
def test_a_file_that_is_no_tail(database: Database, mirror: Database) -> None:
    fill(database)
    good = tail_of(database)
    for bad in (b"", b"x" + good, good[:40], good[:-1], good[:-60]):
        with pytest.raises(TailMalformed):
            follow(mirror, bad)
    with pytest.raises(SignatureWrong):
        read_tail(io.BytesIO(good), STRANGER.public_key)
    assert rows_of(mirror)["ledger_batches"] == []
    with database.read() as tx:
        assert ends_of(tx, 0).after_hash == GENESIS


ENDS = Ends(after=0, after_hash=GENESIS, to=1, to_hash=b"h" * 32)


def headed(body: bytes, packed: bytes = b"") -> bytes:
    """A file with a signed head, and what is behind it."""
    sealed = COORDINATOR.attest(DOMAIN, body).encode()
    return MAGIC + len(sealed).to_bytes(8, "big") + sealed + packed


def told(text: bytes) -> bytes:
    """A file that says this of its heights."""
    return headed(ENDS.encode(), zlib.compress(text))


BATCH = b"batch\t1\tc\t00\t1\nstate\t00\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"GLAYTOS-TAIL-2\n", "no tail of a ledger", id="magic"),
        pytest.param(MAGIC + b"\1" * 8, "a head of", id="length"),
        pytest.param(headed(dump({"v": 1})), "does not parse", id="head"),
        pytest.param(headed(ENDS.encode(), b"plain text"), "does not unpack", id="packing"),
        pytest.param(told(b"batch"), "ends within a line", id="half a line"),
        pytest.param(told(b"x" * 2_000 + b"\n"), "a line of more than", id="long line"),
        pytest.param(told(b"height\t1\n"), "expected a line of batch", id="mark"),
        pytest.param(told(b"batch\t1\tc\n"), "with 5 fields", id="fields"),
        pytest.param(
            told(BATCH + b"accounts\t-1\n"), "got -1 accounts, expected at most", id="count"
        ),
        pytest.param(
            told(BATCH + b"accounts\t3\n"), "got 0 accounts, expected 3", id="missing lines"
        ),
        pytest.param(
            told(BATCH.replace(b"\t1\tc", b"\tone\tc") + b"accounts\t0\ntransfers\t0\n"),
            "a record that does not parse",
            id="record",
        ),
    ],
)
def test_each_way_in_which_a_file_is_no_tail_is_told(data: bytes, why: str) -> None:
    with pytest.raises(TailMalformed, match=why):
        list(read_tail(io.BytesIO(data), KEY)[1])

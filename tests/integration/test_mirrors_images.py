"""Images: what is in one, who joins from it, and what an image or a restore is refused for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.mirrors_world import (
    ALICE,
    BOB,
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
    uuid,
)
from wallet.ledger import chart
from wallet.ledger.errors import FollowsOnly, HoldUnknown, TransferExists
from wallet.ledger.posting import Result, Transfer, post_batch, post_each, single
from wallet.mirrors.checking import check_beside, check_image
from wallet.mirrors.errors import (
    AccountWrong,
    FileProblem,
    HoldsDiffer,
    IdsMissing,
    ImageMalformed,
    NotEmpty,
    NothingToImage,
    Overdrawn,
    PartDamaged,
    SignatureWrong,
    StateDiffers,
    SumNotZero,
    TagTaken,
)
from wallet.mirrors.image import MAGIC, ImageWriter, open_image, read_manifest
from wallet.mirrors.joining import join
from wallet.mirrors.making import make_image
from wallet.mirrors.manifest import DOMAIN, Manifest
from wallet.store.database import Database
from wallet.store.tables.ledger import ledger_transfers


def test_a_node_that_joins_has_the_state_and_goes_on_hashing_as_the_source(
    database: Database, other: Database, tmp_path: Path
) -> None:
    fill(database)
    made = image_of(database, tmp_path / "t1.image")
    join(other, open_image(made.path, KEY), now_s=NOW_S)
    assert rows_of(other, *STATE, *HISTORY) == rows_of(database, *STATE, *HISTORY)
    assert open_holds(other) == open_holds(database)
    assert rows_of(other, ledger_transfers) == {"ledger_transfers": []}
    for ledger in (database, other):
        fill(ledger, rounds=1, first=2)
    assert rows_of(other, *STATE, *HISTORY) == rows_of(database, *STATE, *HISTORY)
    assert len(rows_of(other, ledger_transfers)["ledger_transfers"]) == 8


def test_a_joined_ledger_posts_nothing_a_second_time(
    database: Database, other: Database, tmp_path: Path
) -> None:
    fill(database)
    join(other, open_image(image_of(database, tmp_path / "t1.image").path, KEY), now_s=NOW_S)
    with other.write() as tx:
        again = post_each(tx, "settlement:1", settlement(1), NOW_S)
        assert again.repeated
        assert again.height == 2 * HEIGHTS
        fresh = post_each(tx, "settlement:once more", settlement(1), NOW_S)
        assert fresh.results == [
            Result.EXISTS_IN_ARCHIVE,
            Result.INSUFFICIENT_FUNDS,
            Result.EXISTS_IN_ARCHIVE,
        ]
        assert fresh.height == 0
    taken = Transfer.single(id=uuid(10_000), debit=ALICE, credit=BOB, asset="BTC", units=3)
    with pytest.raises(TransferExists), other.write() as tx:
        post_batch(tx, "other cause", [taken], NOW_S)
    with pytest.raises(HoldUnknown), other.write() as tx:
        post_batch(tx, "late", [Transfer.post(hold_id=uuid(1001))], NOW_S)
    with other.write() as tx:
        post_batch(tx, "in time", [Transfer.post(hold_id=uuid(1000))], NOW_S)


def test_a_mirror_without_ids_only_follows(
    database: Database, other: Database, tmp_path: Path
) -> None:
    fill(database)
    made = image_of(database, tmp_path / "t1.image", with_ids=False)
    image = open_image(made.path, KEY)
    with pytest.raises(IdsMissing):
        join(other, image, now_s=NOW_S)
    join(other, image, now_s=NOW_S, following=True)
    assert rows_of(other, *STATE) == rows_of(database, *STATE)
    with pytest.raises(FollowsOnly), other.write() as tx:
        post_batch(tx, "new", [single(chart.HOT, ALICE, "BTC", 1)], NOW_S)
    with pytest.raises(IdsMissing):
        image_of(other, tmp_path / "t2.image")
    again = image_of(other, tmp_path / "t2.image", with_ids=False)
    assert again.manifest.fingerprint == made.manifest.fingerprint


def test_an_image_of_a_joined_ledger_is_as_one_of_the_source(
    database: Database, other: Database, tmp_path: Path
) -> None:
    fill(database)
    join(other, open_image(image_of(database, tmp_path / "t1.image").path, KEY), now_s=NOW_S)
    for ledger in (database, other):
        fill(ledger, rounds=1, first=2)
    manifests = [
        image_of(ledger, tmp_path / f"{ledger.dialect}-{n}.image").manifest
        for n, ledger in enumerate((database, other))
    ]
    digests = [[part.digest for part in manifest.parts] for manifest in manifests]
    assert digests[0] == digests[1]
    assert manifests[0].fingerprint == manifests[1].fingerprint


def test_restoring_needs_an_empty_ledger(
    database: Database, other: Database, tmp_path: Path
) -> None:
    fill(database)
    image = open_image(image_of(database, tmp_path / "t1.image").path, KEY)
    with pytest.raises(NotEmpty):
        join(database, image, now_s=NOW_S)
    join(other, image, now_s=NOW_S)
    with pytest.raises(NotEmpty):
        join(other, image, now_s=NOW_S)


def test_what_does_not_come_out_as_the_image_is_not_kept(
    database: Database, other: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(database)
    image = open_image(image_of(database, tmp_path / "t1.image").path, KEY)
    monkeypatch.setattr("wallet.mirrors.joining.fingerprint_of", lambda _tx: b"?" * 32)
    with pytest.raises(PartDamaged):
        join(other, image, now_s=NOW_S)
    assert not any(rows_of(other).values())


def test_what_an_image_is_taken_of_and_over(database: Database, tmp_path: Path) -> None:
    with pytest.raises(NothingToImage):
        image_of(database, tmp_path / "t1.image")
    assert list(tmp_path.glob("*image*")) == []
    fill(database, rounds=1)
    first = image_of(database, tmp_path / "t1.image").path.read_bytes()
    with pytest.raises(TagTaken):
        image_of(database, tmp_path / "t1.image")
    assert (tmp_path / "t1.image").read_bytes() == first
    assert read_manifest(tmp_path / "t1.image").height == HEIGHTS


def test_an_image_beside_its_ledger(database: Database, other: Database, tmp_path: Path) -> None:
    fill(database, rounds=1)
    manifest = image_of(database, tmp_path / "t1.image").manifest
    with database.read() as tx:
        assert check_beside(tx, manifest)
        with pytest.raises(StateDiffers):
            check_beside(tx, replace(manifest, state_hash=b"x" * 32))
    with other.read() as tx:
        assert not check_beside(tx, manifest)


def test_taking_an_image_holds_up_no_writer_and_sees_one_moment(
    database: Database, tmp_path: Path
) -> None:
    fill(database, rounds=1)
    wrote: list[int] = []

    def write_between(part: str, _done: int, _total: int) -> None:
        wrote.append(len(wrote))
        with database.write() as tx:
            post_batch(tx, f"{part}:{len(wrote)}", [single(chart.HOT, ALICE, "BTC", 1)], NOW_S)

    made = make_image(
        database,
        tmp_path / "t1.image",
        tag="t1",
        attest=COORDINATOR.attest,
        now_s=NOW_S,
        progress=write_between,
    )
    assert len(wrote) >= 5
    assert made.manifest.height == HEIGHTS
    check_image(open_image(made.path, KEY))


def halved(holds: bytes) -> bytes:
    """The one hold as two of half of it, under one id: the sums stay."""
    half = holds.replace(b"\t20\t", b"\t10\t")
    return half + half


def shortened(batches: bytes) -> bytes:
    """Without the last batch, whose two transfers the one before it claims."""
    *kept, before, _last = batches.splitlines(keepends=True)
    return b"".join([*kept, before.replace(b"\t1\t", b"\t3\t", 1)])


# --- Every check of a file -----------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
class TestRefusals:
    """A file made by a wrong hand; the engines have no part in it."""

    def test_another_key(self, database: Database, tmp_path: Path) -> None:
        fill(database, rounds=1)
        path = image_of(database, tmp_path / "t1.image").path
        with pytest.raises(SignatureWrong):
            open_image(path, STRANGER.public_key)

    def test_a_changed_manifest(self, database: Database, tmp_path: Path) -> None:
        fill(database, rounds=1)
        path = image_of(database, tmp_path / "t1.image").path
        path.write_bytes(path.read_bytes().replace(b"settlement:0", b"settlement:9"))
        with pytest.raises(SignatureWrong):
            open_image(path, KEY)

    @pytest.mark.parametrize("cut", [1, 30, 500])
    def test_a_cut_file(self, database: Database, tmp_path: Path, cut: int) -> None:
        fill(database, rounds=1)
        path = image_of(database, tmp_path / "t1.image").path
        path.write_bytes(path.read_bytes()[:-cut])
        with pytest.raises(ImageMalformed):
            open_image(path, KEY)

    def test_every_byte_of_the_parts_counts(self, database: Database, tmp_path: Path) -> None:
        fill(database, rounds=1)
        path = image_of(database, tmp_path / "t1.image").path
        good = path.read_bytes()
        image = open_image(path, KEY)
        kept = 0
        for part in image.manifest.parts:
            content = b"".join(image.blocks(part.name))
            for place in range(part.offset, part.offset + part.stored):
                path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
                try:
                    assert b"".join(image.blocks(part.name)) == content
                    kept += 1
                except PartDamaged:
                    continue
        assert kept < 10, "bits that pad a compressed stream to whole bytes say nothing"

    @pytest.mark.parametrize(
        ("part", "change", "error"),
        [
            ("accounts", lambda b: b.replace(b"\t0\t1\n", b"\t1\t1\n", 1), AccountWrong),
            ("accounts", lambda b: b.replace(b"liability", b"equity", 1), AccountWrong),
            ("accounts", lambda b: b.replace(b"user:alice", b"nobody:al", 1), AccountWrong),
            ("accounts", lambda b: b.split(b"\n", 1)[1], AccountWrong),
            ("accounts", lambda b: b.rsplit(b"\n", 2)[0] + b"\n", AccountWrong),
            ("accounts", lambda b: b.replace(b"\t1\n", b"\t9\n", 1), AccountWrong),
            ("balances", lambda b: b.split(b"\n", 1)[1], AccountWrong),
            ("balances", lambda b: b.rsplit(b"\n", 2)[0] + b"\n", AccountWrong),
            ("balances", lambda b: b.replace(b"\t0\t", b"\t-1\t", 1), AccountWrong),
            ("balances", lambda b: b.replace(b"\t1000\t", b"\t2\t", 1), Overdrawn),
            ("balances", lambda b: b.replace(b"\t1000\t", b"\t1001\t", 1), SumNotZero),
            ("holds", lambda b: b.replace(b"\t20\t", b"\t21\t"), HoldsDiffer),
            ("holds", lambda _b: b"", HoldsDiffer),
            ("holds", lambda b: b + b, HoldsDiffer),
            ("holds", halved, HoldsDiffer),
            ("batches", lambda b: b.replace(b"1\tsettlement", b"9\tsettlement", 1), PartDamaged),
            ("batches", shortened, PartDamaged),
            ("batches", lambda b: b.split(b"\n", 1)[1], PartDamaged),
            ("batches", lambda b: b.rsplit(b"\n", 2)[0] + b"\n", PartDamaged),
            ("batches", lambda b: b[:-1], PartDamaged),
            ("ids", lambda b: b[16:], PartDamaged),
        ],
    )
    def test_a_state_that_cannot_be_though_it_was_signed(
        self,
        database: Database,
        tmp_path: Path,
        part: str,
        change: Callable[[bytes], bytes],
        error: type[Exception],
    ) -> None:
        fill(database, rounds=1)
        made = image_of(database, tmp_path / "t1.image")
        with pytest.raises(error):
            check_all(remade(made.path, part, change))

    def test_a_fingerprint_of_another_state(self, database: Database, tmp_path: Path) -> None:
        fill(database, rounds=1)
        made = image_of(database, tmp_path / "t1.image")
        path = remade(made.path, "", bytes, fingerprint=b"f" * 32)
        with pytest.raises(PartDamaged):
            check_all(path)

    def test_parts_that_lie_elsewhere(self, database: Database, tmp_path: Path) -> None:
        fill(database, rounds=1)
        made = image_of(database, tmp_path / "t1.image")
        moved = [replace(part, offset=part.offset + 1) for part in made.manifest.parts]
        path = remade(made.path, "", bytes, parts=tuple(moved))
        with pytest.raises(ImageMalformed):
            open_image(path, KEY)


def test_a_tag_is_taken_before_a_byte_is_written_and_also_in_the_meantime(tmp_path: Path) -> None:
    path = tmp_path / "t1.image"
    sealed = COORDINATOR.attest(DOMAIN, b"m")
    with ImageWriter(path) as writer:
        path.write_bytes(b"another's")
        with pytest.raises(TagTaken):
            writer.finish(sealed)
    with pytest.raises(TagTaken):
        ImageWriter(path).__enter__()
    assert path.read_bytes() == b"another's"


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(FileProblem):
        open_image(tmp_path / "none", KEY)
    (tmp_path / "file").touch()
    with pytest.raises(FileProblem):
        ImageWriter(tmp_path / "file" / "t1.image").__enter__()


def test_an_end_that_is_no_manifest(tmp_path: Path) -> None:
    path = tmp_path / "t1.image"
    path.write_bytes(MAGIC + b"noise" * 9 + (5).to_bytes(8, "big") + MAGIC)
    with pytest.raises(ImageMalformed, match="no manifest"):
        read_manifest(path)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_part_that_ends_within_a_line(database: Database, tmp_path: Path) -> None:
    fill(database, rounds=1)
    path = remade(image_of(database, tmp_path / "t1.image").path, "batches", lambda b: b[:-1])
    with pytest.raises(PartDamaged, match="within a line"):
        list(open_image(path, KEY).lines("batches"))


def check_all(path: Path) -> None:
    check_image(open_image(path, KEY))


def remade(path: Path, part: str, change: Callable[[bytes], bytes], **changes: object) -> Path:
    """The same image with one part changed, its digests right and signed by the right key."""
    image = open_image(path, KEY)
    out = path.with_name("remade.image")
    with ImageWriter(out) as writer:
        for known in image.manifest.parts:
            content = b"".join(image.blocks(known.name))
            content = change(content) if known.name == part else content
            writer.add(known.name, [(content, known.rows)])
        manifest: Manifest = replace(image.manifest, parts=writer.parts)
        manifest = replace(manifest, **changes)  # type: ignore[arg-type]
        writer.finish(COORDINATOR.attest(DOMAIN, manifest.encode()))
    return out


def refused(database: Database, code: str, *statements: str) -> None:
    def attack() -> None:
        with database.write() as tx:
            for statement in statements:
                tx.execute(text(statement))

    with pytest.raises(DBAPIError) as caught:
        attack()
    assert code in str(caught.value.orig)


def test_the_walls_know_an_origin(database: Database, other: Database, tmp_path: Path) -> None:
    """Nobody gives a used ledger another past, changes it, or closes restored heights wrongly."""
    ones, twos = (
        f"decode(repeat('0{n}', 32), 'hex')" if other.dialect == "postgresql" else f"x'{n * 64}'"
        for n in "12"
    )
    begun = (
        "INSERT INTO ledger_origin (height, state_hash, fingerprint, image, may_post, created_s) "
        f"VALUES (3, {ones}, {ones}, {ones}, 1, 0)"
    )
    batch = "INSERT INTO ledger_batches VALUES ({0}, 'again', 1, {1}, 0, {1})"
    refused(other, "ledger.origin", begun, batch.format(3, twos))
    refused(other, "ledger.batch_out_of_order", begun, batch.format(2, ones))
    refused(other, "ledger.batch_incomplete", begun, batch.format(3, ones), batch.format(4, ones))
    fill(database)
    join(other, open_image(image_of(database, tmp_path / "t1.image").path, KEY), now_s=NOW_S)
    refused(other, "ledger.not_empty", begun.replace("(3,", "(99,"))
    refused(other, "store.immutable", "UPDATE ledger_origin SET may_post = 0")
    refused(other, "store.immutable", "DELETE FROM ledger_origin")
    refused(other, "store.immutable", "DELETE FROM ledger_batches WHERE height = 8")

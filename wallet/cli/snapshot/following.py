"""Joining from an image, and following a ledger by its tail."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from wallet.cli.snapshot.images import app
from wallet.cli.snapshot.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    Into,
    PublicKey,
    bars,
    database_at,
    deployment_of,
    emit,
    expected_key,
    image_named,
)
from wallet.clock import SystemClock
from wallet.ledger.loading import head_height
from wallet.mirrors.errors import FileProblem
from wallet.mirrors.image import open_image
from wallet.mirrors.joining import join
from wallet.mirrors.replaying import replay
from wallet.mirrors.tails import ends_of, read_tail, records_of, write_tail
from wallet.signing.coordinator import load_coordinator
from wallet.store.database import Database

__all__ = ["app"]

PIPE = "-"
"""A file's name for the standard input or output."""


@app.command()
def restore(
    image: Annotated[str, typer.Argument(help="A file, or the tag of one in data_dir/images.")],
    into: Into,
    config: Config = DEFAULT_CONFIG,
    public_key: PublicKey = "",
    tail_from: Annotated[
        str, typer.Option(help="Then follow at once: the source's database, as for --into.")
    ] = "",
    *,
    follow_only: Annotated[
        bool, typer.Option("--follow-only", help="Leave the ids out: quicker, and cannot post.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make an empty database the ledger that an image holds, and replay what came after.

    The image is checked whole before a row is written; then all of it is written in one
    transaction, so a restore that is killed leaves the database empty, to be started again. The
    new ledger begins at the image's height: its transfers up to there are in the source or its
    archives. How long it takes depends on the image, not on the history behind it.
    """
    key = expected_key(config, public_key)
    opened = open_image(image_named(config, image), key)
    with database_at(into, create=True) as database:
        with bars(hidden=as_json) as progress:
            join(
                database,
                opened,
                now_s=SystemClock().now_s(),
                following=follow_only,
                progress=progress,
            )
        height = opened.manifest.height
        if tail_from:
            with database_at(tail_from) as source:
                height = _follow(database, source)
    body = {"image_height": opened.manifest.height, "height": height, "may_post": not follow_only}
    emit(as_json, body, f"restored height {opened.manifest.height}, now at height {height}")


@app.command()
def tail(
    out: Annotated[str, typer.Argument(help="New file, or - for the standard output.")],
    after: Annotated[int, typer.Option("--from", min=0, help="The height before the first one.")],
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Write the heights after one as a signed stream, for a mirror to replay.

    A mirror that is at height H asks for --from H. The stream is compressed and says in its signed
    head at which height and hash it ends.
    """
    settings, _ = deployment_of(config)
    coordinator = load_coordinator(settings.coordinator_key_file)
    with (
        database_at(settings.database_url) as database,
        database.read() as tx,
        bars(hidden=as_json or out == PIPE) as told,
    ):
        ends = ends_of(tx, after)
        with _new_file(out) as file:
            write_tail(
                file,
                ends,
                records_of(tx, ends),
                coordinator.attest,
                lambda height: told("heights", height - ends.after, ends.to - ends.after),
            )
    if out != PIPE:
        body = {"file": out, "after": ends.after, "to": ends.to, "to_hash": ends.to_hash.hex()}
        emit(as_json, body, f"{out}: heights {ends.after + 1} to {ends.to}")


@app.command("replay")
def replay_tail(
    file: Annotated[str, typer.Argument(help="A tail, or - for the standard input.")],
    into: Into,
    config: Config = DEFAULT_CONFIG,
    public_key: PublicKey = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Bring a ledger to the end of a tail, or of the archive that a rollback left.

    Every height is judged by the rules of posting and must hash to what the tail says. The first
    one that does not is named, and nothing of the tail is kept. Heights the ledger has already are
    skipped, so the same tail twice is no harm.
    """
    key = expected_key(config, public_key)
    with database_at(into) as database, _opened(file) as stream:
        height = replay(database, *read_tail(stream, key))
    emit(as_json, {"height": height}, f"now at height {height}")


def _follow(database: Database, source: Database) -> int:
    with database.read() as tx:
        after = head_height(tx)
    with source.read() as tx:
        ends = ends_of(tx, after)
        return replay(database, ends, records_of(tx, ends))


@contextmanager
def _new_file(name: str) -> Iterator[BinaryIO]:
    if name == PIPE:
        yield sys.stdout.buffer
        return
    try:
        file = Path(name).open("xb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise FileProblem(f"cannot write {name} as a new file: {error.strerror}") from error
    with file:
        yield file


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == PIPE:
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise FileProblem(f"cannot read {name}: {error.strerror}") from error
    with file:
        yield file

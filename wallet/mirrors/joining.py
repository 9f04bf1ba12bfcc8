"""Joining: an empty ledger becomes what an image holds, whole or not at all."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, insert, select, update

from wallet.ledger.loading import load_origin
from wallet.milestones import Milestone, pass_by
from wallet.mirrors import rows
from wallet.mirrors.checking import ID_BYTES, Checked, check_image
from wallet.mirrors.errors import IdsMissing, NotEmpty, PartDamaged
from wallet.mirrors.image import Image, Progress, silent
from wallet.mirrors.making import fingerprint_of, standing_digest_of
from wallet.mirrors.standing import has_standing, write_standing
from wallet.store.database import Database
from wallet.store.tables.ledger import (
    ledger_accounts,
    ledger_balances,
    ledger_batches,
    ledger_origin,
    ledger_totals,
)
from wallet.store.tables.partitions import ledger_checkpoints, ledger_partitions

_STAGED = (
    "CREATE TEMPORARY TABLE ledger_restored (account bigint PRIMARY KEY, debits {units}, "
    "credits {units}, debits_held {units}, credits_held {units}, height bigint)"
)
_SET = (
    "UPDATE ledger_balances SET debits = n.debits, credits = n.credits, "
    "debits_held = n.debits_held, credits_held = n.credits_held, height = n.height "
    "FROM ledger_restored n WHERE ledger_balances.account = n.account"
)
_TYPES = {"postgresql": "numeric", "sqlite": "text"}


def join(
    database: Database,
    image: Image,
    *,
    now_s: int,
    following: bool = False,
    progress: Progress = silent,
    milestone: Milestone = pass_by,
) -> None:
    """Restore an image into an empty ledger, in one transaction, and hold it against the image.

    `following` leaves out the causes and ids posted before: quicker and smaller, and nothing can
    be posted there but the tail of the source. The cost is that of the image, however long the
    history behind it. Raises NotEmpty, IdsMissing, and what check_image raises.
    """
    if not following and not image.manifest.has_ids:
        raise IdsMissing(
            f"image {image.manifest.tag} holds no ids: join from it to follow only, or take one "
            "that holds them"
        )
    checked = check_image(image, progress)
    with database.write() as tx:
        _refuse_unless_empty(tx)
        _restore(tx, image, checked, now_s=now_s, following=following)
        milestone("image:restored")
        if fingerprint_of(tx) != image.manifest.fingerprint:
            raise PartDamaged("the restored state is not the image's: nothing was kept")
        if standing_digest_of(tx) != image.manifest.part("standing").digest:
            raise PartDamaged("what stands beside the ledger is not the image's: nothing was kept")
    milestone("image:joined")


def _refuse_unless_empty(tx: Connection) -> None:
    used = tx.execute(select(ledger_accounts.c.number).limit(1)).first()
    if used is not None or load_origin(tx) is not None or has_standing(tx):
        raise NotEmpty(
            "got a ledger that has accounts or users already, expected an empty one: restore into "
            "a new database, or go back to a tag with `glaytos-wallet snapshot rollback`"
        )


def _restore(
    tx: Connection, image: Image, checked: Checked, *, now_s: int, following: bool
) -> None:
    manifest = image.manifest
    tx.execute(
        insert(ledger_origin).values(
            height=manifest.height,
            state_hash=manifest.state_hash,
            fingerprint=manifest.fingerprint,
            image=image.digest,
            may_post=int(not following),
            created_s=now_s,
        )
    )
    rows.write_lines(tx, rows.ACCOUNTS, image.lines("accounts"))
    stage_balances(tx, image)
    driver: Any = tx.connection.driver_connection
    driver.execute(_SET)
    driver.execute("DROP TABLE ledger_restored")
    rows.write_lines(tx, rows.HOLDS, image.lines("holds"))
    write_standing(tx, image.lines("standing"))
    set_totals(tx, checked)
    if following:
        tx.execute(
            insert(ledger_batches).values(
                height=manifest.height,
                cause=manifest.cause,
                transfers=manifest.transfers,
                content=manifest.content,
                created_s=manifest.batch_created_s,
                state_hash=manifest.state_hash,
            )
        )
    else:
        rows.write_lines(tx, rows.IDS, _ids(image))
        rows.write_lines(tx, rows.BATCHES, image.lines("batches"))
    if tx.dialect.name == "postgresql":
        _seal_history(tx, manifest.height)


def _seal_history(tx: Connection, height: int) -> None:
    """Let partitions begin after the image, with its balances as what the first one builds on."""
    b = ledger_balances.c
    columns = (b.account, b.height, b.debits, b.credits, b.debits_held, b.credits_held)
    tx.execute(insert(ledger_checkpoints).from_select([c.name for c in columns], select(*columns)))
    tx.execute(insert(ledger_partitions).values(first_height=1, last_height=height, transfers=0))


def stage_balances(tx: Connection, image: Image) -> None:
    """Put an image's balances into the temporary table ledger_restored."""
    driver: Any = tx.connection.driver_connection
    driver.execute(_STAGED.format(units=_TYPES[tx.dialect.name]))
    rows.write_lines(tx, rows.BALANCES, image.lines("balances"), "ledger_restored")


def set_totals(tx: Connection, checked: Checked) -> None:
    """Set the sums of each asset and kind to an image's."""
    for (asset, kind), sums in checked.totals.items():
        named = (ledger_totals.c.asset == asset) & (ledger_totals.c.kind == kind)
        tx.execute(
            update(ledger_totals)
            .where(named)
            .values(
                debits=sums[0],
                credits=sums[1],
                debits_held=sums[2],
                credits_held=sums[3],
                height=checked.heights[asset, kind],
            )
        )


def _ids(image: Image) -> Iterator[bytes]:
    """Lines of id, height and line: ids lie in the file in the order of the batches."""
    places = _places(image)
    rest = b""
    for block in image.blocks("ids"):
        data = rest + block
        whole = len(data) - len(data) % ID_BYTES
        data, rest = data[:whole], data[whole:]
        digits = data.hex()
        lines = []
        for start in range(0, len(digits), 2 * ID_BYTES):
            height, line = next(places)
            id = digits[start : start + 2 * ID_BYTES]
            lines.append(
                f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}\t{height}\t{line}\n"
            )
        yield "".join(lines).encode()


def _places(image: Image) -> Iterator[tuple[int, int]]:
    """Height and line of every transfer, in order."""
    for block in image.lines("batches"):
        for text in block.decode().splitlines():
            height, _cause, transfers, *_ = text.split("\t")
            for line in range(int(transfers)):
                yield int(height), line

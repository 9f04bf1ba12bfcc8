"""Taking images, listing them, and checking one."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wallet.cli.snapshot.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    PublicKey,
    bars,
    database_at,
    deployment_of,
    emit,
    expected_key,
    image_named,
)
from wallet.clock import SystemClock
from wallet.mirrors.checking import check_beside, check_image
from wallet.mirrors.folder import Listed
from wallet.mirrors.image import open_image
from wallet.mirrors.making import make_image
from wallet.mirrors.manifest import Manifest
from wallet.signing.coordinator import load_coordinator
from wallet.treasury.wording import time_text

app = typer.Typer(
    help="Images of the ledger: take one, check it, join from it, follow, go back to it.",
    no_args_is_help=True,
)


@app.command()
def create(
    tag: Annotated[str, typer.Option(help="Its name, for example before-upgrade.")],
    config: Config = DEFAULT_CONFIG,
    *,
    state_only: Annotated[
        bool, typer.Option("--state-only", help="Without ids: who joins can only follow.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take an image of the ledger as it is now, while the service runs.

    One file in data_dir/images: every account, balance and open hold at the last height, the users,
    registered assets, terms and escrows beside them, its state hash, the digest of each part, and
    the service's signature. Not the transfers: those stay where they are. Nor any API key: a
    gateway's key is named anew at a node that was restored (`assets change-gateway-key`). With the
    ids posted before (16 bytes a transfer) a ledger restored from it may post; without them it can
    only follow this one. Nothing that is written waits for it.
    """
    settings, folder = deployment_of(config)
    path, coordinator = folder.chosen(tag), load_coordinator(settings.coordinator_key_file)
    with database_at(settings.database_url) as database, bars(hidden=as_json) as progress:
        made = make_image(
            database,
            path,
            tag=tag,
            attest=coordinator.attest,
            now_s=SystemClock().now_s(),
            with_ids=not state_only,
            progress=progress,
        )
    body = {**_manifest_json(made.manifest), "file": str(made.path), "digest": made.digest.hex()}
    height, size = made.manifest.height, made.path.stat().st_size
    emit(as_json, body, f"{made.path}: height {height}, {size} bytes, digest {made.digest.hex()}")


@app.command("list")
def list_images(config: Config = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Every image in data_dir/images, the newest first. Signatures are checked by `verify`."""
    found = deployment_of(config)[1].listed()
    if as_json:
        typer.echo(json.dumps([_listed_json(one) for one in found], indent=1))
        return
    table = Table("tag", "height", "taken", "accounts", "may post", "bytes")
    for one in found:
        if one.manifest is None:
            table.add_row(one.tag, "no image, or cut", "", "", "", str(one.size))
            continue
        table.add_row(
            one.tag,
            str(one.manifest.height),
            time_text(one.manifest.created_s),
            str(one.manifest.part("accounts").rows),
            "yes" if one.manifest.has_ids else "no",
            str(one.size),
        )
    Console().print(table)


@app.command()
def verify(
    image: Annotated[str, typer.Argument(help="A file, or the tag of one in data_dir/images.")],
    config: Config = DEFAULT_CONFIG,
    public_key: PublicKey = "",
    *,
    alone: Annotated[
        bool, typer.Option("--alone", help="Only the file: no database is at hand.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check an image whole: signature, digest of every part, sums, bounds, holds, fingerprint.

    Debits and credits of each asset add up to the same, nobody is below zero who may not be, open
    holds are what the balances say is held, and escrows and issues are covered by them. Unless
    --alone, the state hash is compared with the ledger's own at that height. Ends with code 1 and
    the reason where anything differs.
    """
    opened = open_image(image_named(config, image), expected_key(config, public_key))
    with bars(hidden=as_json) as progress:
        check_image(opened, progress)
    compared = False
    if not alone:
        with database_at(deployment_of(config)[0].database_url) as database, database.read() as tx:
            compared = check_beside(tx, opened.manifest)
    beside = "and is the ledger's own" if compared else "not compared with a ledger"
    body = {**_manifest_json(opened.manifest), "good": True, "compared": compared}
    body["digest"] = opened.digest.hex()
    text = f"{opened.manifest.tag}: height {opened.manifest.height} holds, {beside}"
    emit(as_json, body, text)


def _manifest_json(manifest: Manifest) -> dict[str, object]:
    return {
        "tag": manifest.tag,
        "height": manifest.height,
        "state_hash": manifest.state_hash.hex(),
        "fingerprint": manifest.fingerprint.hex(),
        "created_s": manifest.created_s,
        "may_post": manifest.has_ids,
        "parts": {part.name: {"rows": part.rows, "bytes": part.stored} for part in manifest.parts},
    }


def _listed_json(one: Listed) -> dict[str, object]:
    manifest = {} if one.manifest is None else _manifest_json(one.manifest)
    return {**manifest, "tag": one.tag, "file": str(one.path), "bytes": one.size}

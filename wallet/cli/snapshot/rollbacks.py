"""Going back to a tag: asking for it, approving it, and carrying it out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from wallet.bootstrap import new_id
from wallet.cli.snapshot.following import app
from wallet.cli.snapshot.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    bars,
    database_at,
    deployment_of,
    emit,
)
from wallet.cli.treasury.options import KeyFile, PassphraseFile, Yes, unlock
from wallet.clock import SystemClock
from wallet.mirrors.errors import NotAsked
from wallet.mirrors.rollback import Rollback, RollbackDesk
from wallet.signing.coordinator import load_coordinator

__all__ = ["app"]

AskerKey = Annotated[
    Path | None, typer.Option("--key", "-k", help="Your staff key file: ask in your own name.")
]
Archive = Annotated[
    Path | None,
    typer.Option(help="New file for the undone heights: carry out what was approved."),
]


@app.command()
def rollback(
    to: Annotated[str, typer.Option(help="The tag of an image in data_dir/images.")],
    key: AskerKey = None,
    archive: Archive = None,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take the ledger back to a tag: with --key ask for it, with --archive carry it out.

    A rollback undoes every batch above the image, and nothing else: it is for settlements that
    were posted wrongly, soon after they were. Chains, users and gateways do not go back, so it is
    refused where a deposit, a withdrawal, an escrow, an issue or a move between sub-accounts was
    booked above the tag: post a settlement then that puts the wrong one right. The event
    `ledger.rolled_back` tells which heights are undone; what was right in them is in the archive.

    1. Stop every process of the service, API and workers.
    2. `snapshot rollback --to TAG --key FILE`: one of the staff asks; a day is left for the rest.
    3. `snapshot approve ID --key FILE`: others approve exactly these heights, as many as treasury
       requests need; who asked does not count.
    4. `snapshot rollback --to TAG --archive FILE`: the undone heights go to a signed file, then out
       of the ledger, in one transaction. Killed at any moment it is all or nothing; run it again.
    5. `glaytos-wallet ledger verify`, then `glaytos-wallet reconcile`, before the service starts.

    Refused, too, while a worker runs, when the ledger went on after it was asked for, and below a
    sealed partition or the image that the ledger itself began from. `snapshot replay FILE` on the
    ledger puts the archive back whole.
    """
    if (key is None) == (archive is None):
        raise typer.BadParameter("give --key to ask for it, or --archive to carry it out")
    with _desk(config) as desk:
        if key is not None:
            _print(desk.ask(to, unlock(key, passphrase_file)), as_json=as_json)
            return
        found = desk.newest(to)
        if archive is None:
            raise NotAsked(f"no archive was named for the rollback to {to}")
        if not yes:
            heights = f"{found.ends.after + 1} to {found.ends.to}"
            typer.confirm(f"Undo heights {heights} of the ledger?", default=False, abort=True)
        with bars(hidden=as_json) as progress:
            _print(desk.carry_out(found.id, archive, progress), as_json=as_json)


@app.command()
def approve(
    rollback_id: Annotated[str, typer.Argument(help="Id of a rollback that was asked for.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Sign a yes to exactly one rollback with your own staff key.

    It names the image and the heights that are undone; no payment and no other rollback can use it.
    """
    with _desk(config) as desk:
        _print(desk.approve(rollback_id, unlock(key, passphrase_file)), as_json=as_json)


@contextmanager
def _desk(config: Path) -> Iterator[RollbackDesk]:
    settings, folder = deployment_of(config)
    coordinator = load_coordinator(settings.coordinator_key_file)
    with database_at(settings.database_url) as database:
        yield RollbackDesk(
            database=database,
            clock=SystemClock(),
            folder=folder,
            key=coordinator.public_key,
            attest=coordinator.attest,
            staff=settings.staff,
            approvals_required=settings.approvals_required,
            new_id=new_id,
        )


def _print(found: Rollback, *, as_json: bool) -> None:
    body: dict[str, object] = {
        "id": found.id,
        "tag": found.tag,
        "status": found.status,
        "to_height": found.ends.after,
        "from_height": found.ends.to,
        "digest": found.digest.hex(),
        "requester": found.requester,
        "approvers": list(found.approvers),
        "approvals_required": found.approvals_required,
    }
    counted = f"{len(found.approvers)} of {found.approvals_required} approvals"
    heights = f"heights {found.ends.after + 1} to {found.ends.to}"
    emit(as_json, body, f"{found.id} {found.status}: undoes {heights} for {found.tag}, {counted}")

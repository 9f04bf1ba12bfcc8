"""`glaytos-wallet reserves`: what is owed and what is held, published and checked."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from signer.protocol import check_words
from wallet.bootstrap import opened
from wallet.cli.treasury.options import KeyFile, PassphraseFile, unlock
from wallet.reserves.context import Progress as Report
from wallet.reserves.owed.proving import proof_json
from wallet.reserves.preparing import prepare
from wallet.reserves.publication import FOLDER, Publication, write_whole
from wallet.reserves.publishing import publish
from wallet.reserves.signing import Signing, Waiting
from wallet.reserves.verifier.__main__ import (
    me_json,
    me_text,
    node_of,
    report_json,
    report_text,
)
from wallet.reserves.verifier.checking import check_package, check_user, read_proof
from wallet.reserves.verifier.failures import Failed
from wallet.reserves.verifier.nodes import check_on_chain
from wallet.reserves.verifier.package import STATEMENT, canonical, read_package

app = typer.Typer(
    help="Proof of reserves. `make` publishes a package out of the ledger and the vaults, `answer`"
    " takes what offline signers said, `prove` gives a user their own file; `check` and `check-me`"
    " need no service, no database and no settings."
)

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
Folder = Annotated[Path, typer.Argument(help="The publication's folder, as `make` named it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Package = Annotated[Path, typer.Argument(help="The package, as published.")]


DEFAULT_CONFIG = Path("config/wallet.toml")


@app.command()
def make(
    operator: Annotated[str, typer.Option(help="Who publishes, in words.")],
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A new folder, or one to take up; else one named by the time, in the data"
            " directory's `reserves`, where a running service asks its hot signers."
        ),
    ] = None,
    behind: Annotated[
        int,
        typer.Option(help="Blocks to stay behind the last scanned, where chains may still turn."),
    ] = 0,
    approvals: Annotated[
        int,
        typer.Option(help="Ask no signer before so many people approved (`reserves approve`)."),
    ] = 0,
    wait: Annotated[
        int, typer.Option(help="Seconds to wait for hot signers, which a running service asks.")
    ] = 60,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make the public package: what is owed, what is held, and the signatures that show it.

    Liabilities are read at one height of the ledger, holdings at one block of each chain. Hot
    signers are asked at once; offline signers get a request file each: carry it to them, sign it
    there with `glaytos-signer sign`, bring the answers back with `reserves answer`, and run this
    again with the same folder. What they sign is no transaction: no chain can take it.

    The package is written once it passes every check of its own verifier; less held than owed is
    refused (`sums.short`). Ends with code 1 while answers are missing. The folder keeps a seed and
    the trees: keep them, or users' proofs cannot be made again. The seed opens every leaf: nobody
    else may read it.
    """
    with opened(config) as deployment, _bars(as_json) as progress:
        context = deployment.reserves
        where = folder or deployment.settings.data_dir.joinpath(
            FOLDER, _stamp(deployment.clock.now_s())
        )
        if where.joinpath(STATEMENT).exists():
            publication = Publication.open(where)
        else:
            publication = prepare(
                context, where, operator=operator, behind_blocks=behind, progress=progress
            )
        signing = Signing(context, publication)
        waiting = asked(lambda: signing.sign(progress, approvals), wait, time.sleep)
        report = None if waiting else publish(context, publication, progress)
    if report is None:
        typer.echo(_waiting(publication, waiting, as_json))
        raise typer.Exit(1)
    body = {"package": str(publication.package), **report_json(report)}
    text = f"Published {publication.package}\n{report_text(report)}"
    typer.echo(json.dumps(body, indent=1) if as_json else text)


def asked(
    sign: Callable[[], list[Waiting]], wait_s: int, sleep: Callable[[int], object]
) -> list[Waiting]:
    """Ask until no hot signer is missing, or the seconds are over; who is missing then."""
    waiting = sign()
    for _ in range(wait_s):
        if all(one.is_offline for one in waiting):
            break
        sleep(1)
        waiting = sign()
    return waiting


def _waiting(publication: Publication, waiting: Sequence[Waiting], as_json: bool) -> str:
    """Who still has to answer, and how."""
    if as_json:
        rows = [
            {
                "source": one.source,
                "signer": one.signer,
                "offline": one.is_offline,
                "request": str(one.request),
            }
            for one in waiting
        ]
        body = {"folder": str(publication.folder), "package": None, "waiting": rows}
        return json.dumps(body, indent=1)
    lines = [
        f"  {one.signer} for {one.source}: "
        + (f"carry {one.request} to it" if one.is_offline else "did not answer")
        for one in waiting
    ]
    head = f"Prepared in {publication.folder}; run this again with that folder. Still missing:"
    return "\n".join([head, *lines])


@app.command()
def approve(
    folder: Folder,
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Approve, with your own staff key, that these vaults are shown to be ours.

    An approval moves nothing and cannot be used for anything else. It is needed where the signers'
    policies ask for it: `reserves make --approvals N` prepares, and asks nobody before that.
    """
    with opened(config) as deployment:
        publication = Publication.open(folder)
        for claim in publication.claims:
            what = f"{len(claim.coins)} coins" if claim.coins else "an account"
            typer.echo(f"  {claim.source} on {claim.network}: {what}")
        typer.echo(f"Statement {publication.digest.hex()}")
        typer.echo(f"Check words: {check_words(publication.digest)}")
        staff, clock = unlock(key, passphrase_file), deployment.clock
        signing = Signing(deployment.reserves, publication)
        done = signing.approve(lambda digest: staff.approve(digest, clock.now_s()))
    typer.echo(f"{staff.id} approved {done} requests")


@app.command()
def answer(
    folder: Folder,
    files: Annotated[list[Path], typer.Argument(help="Answers of offline signers.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Keep the answers that were carried back from offline signers; each is checked first."""
    with opened(config) as deployment:
        signing = Signing(deployment.reserves, Publication.open(folder))
        for path in files:
            kept = signing.attach(path.read_bytes())
            typer.echo(f"Kept the answer of {kept.signer} for {kept.source}")


@app.command()
def prove(
    folder: Folder,
    account: Annotated[str, typer.Argument(help="The account's id, as its user knows it.")],
    out: Annotated[Path, typer.Option(help="Where to write the proof.")],
) -> None:
    """Write a user's own proof: salts and paths that find their balance in what is owed.

    It shows that account's balance at the publication's height to whoever has it: give it to its
    user only. They check it with `reserves check-me` or with the package itself.
    """
    publication = Publication.open(folder)
    proof = proof_json(account, publication.digest, publication.trees())
    write_whole(out, canonical(proof))
    typer.echo(f"Wrote {out}: {', '.join(proof['shares'])}")


@app.command()
def check(
    package: Package,
    node: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK=URL",
            help="A node of your own: blocks, coins, balances and Safes are looked up there."
            " NETWORK=@FILE reads the address from a file, where it holds a password.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a package: every signature, every sum, and claims against what is owed.

    Without a node, what is held is claimed at a named block by those who hold the keys; with one it
    is seen. Ends with code 1, naming every check that failed. The same runs without this program:
    `python PACKAGE.zip check PACKAGE.zip`.
    """
    try:
        nodes = [node_of(one) for one in node or ()]
    except (OSError, ValueError) as error:
        raise typer.BadParameter("expected NETWORK=URL or NETWORK=@FILE") from error
    try:
        read = read_package(package)
        with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
            task = bars.add_task("checking proofs")
            report = check_package(
                read, lambda done, total: bars.update(task, completed=done, total=total)
            )
        for network, url in nodes:
            check_on_chain(report, network, url, read.proofs)
    except Failed as failed:
        raise _ended(failed, as_json) from failed
    typer.echo(json.dumps(report_json(report), indent=1) if as_json else report_text(report))
    if not report.holds:
        raise typer.Exit(1)


@app.command("check-me")
def check_me(
    package: Package,
    proof: Annotated[Path, typer.Argument(help="The file that you were given.")],
    account: Annotated[str, typer.Option(help="Your account's id, as you know it.")],
    as_json: AsJson = False,
) -> None:
    """Check that your own balance is part of what the package says is owed.

    Compare the amounts with what you know. The proof must be for your own account: the account is
    part of every leaf, so that no leaf can be shown to two people.
    """
    try:
        found = check_user(read_package(package), read_proof(proof), account)
    except Failed as failed:
        raise _ended(failed, as_json) from failed
    typer.echo(json.dumps(me_json(found), indent=1) if as_json else me_text(found))


@contextmanager
def _bars(as_json: bool) -> Iterator[Report]:
    """Progress bars on the terminal's error stream; none for programs."""
    with Progress(console=Console(stderr=True), transient=True, disable=as_json) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done)

        yield progress


def _stamp(now_s: int) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H%M%SZ")


def _ended(failed: Failed, as_json: bool) -> typer.Exit:
    body = {"holds": False, "failures": [{"code": failed.code, "text": failed.text}]}
    typer.echo(json.dumps(body, indent=1) if as_json else f"FAILED {failed}")
    return typer.Exit(1)

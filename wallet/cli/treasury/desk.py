"""`glaytos-wallet treasury`: what staff approve, the files they carry, and the hot bounds."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chains.units import to_text, to_units
from policies import Mode
from signer.protocol import APPROVAL, MESSAGE_BYTES_MAX, Proposal, Purpose, Sealed
from wallet.bootstrap import open_staff_desk
from wallet.cli.treasury.options import (
    DEFAULT_CONFIG,
    AsJson,
    Config,
    KeyFile,
    PassphraseFile,
    SubjectId,
    Yes,
    passphrase_of,
    read,
    unlock,
    write_new,
)
from wallet.clock import SystemClock
from wallet.treasury import wording
from wallet.treasury.approvals import Tally
from wallet.treasury.planning import Look, Wanted
from wallet.treasury.runway import runway_json
from wallet.treasury.staff_desk import Shown, StaffDesk
from wallet.treasury.staff_keys import create_staff_key
from wallet.treasury.thresholds import asset_named, make_threshold

app = typer.Typer(
    help="Cold and hot money: approve what moves, carry files to the offline signers, set bounds."
)


@app.command("list")
def list_requests(
    config: Config = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="Finished requests too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What waits for approval, and (with --all) the newest treasury requests of any state."""
    desk = open_staff_desk(config)
    waiting = desk.waiting()
    newest = desk.recent(50) if everything else []
    if as_json:
        rows = [_tally_json(desk, tally) for tally in waiting]
        recent = [
            {"id": r.id, "purpose": str(r.purpose), "asset": r.asset, "status": str(r.status)}
            for r in newest
        ]
        typer.echo(json.dumps({"waiting": rows, "recent": recent}, indent=1))
        return
    console = Console()
    table = Table("id", "what", "amount", "approvals", "ends", title="waiting for approval")
    for tally in waiting:
        intent = tally.subject.intent
        table.add_row(
            tally.subject.id,
            wording.VERBS[intent.purpose],
            wording.amount_text(desk.assets, intent.asset, intent.total_units),
            escape(wording.tally_text(tally)),
            wording.time_text(tally.subject.expires_s),
        )
    console.print(table)
    if everything:
        table = Table("id", "what", "amount", "status", "detail", title="newest requests")
        for request in newest:
            amount = wording.amount_text(desk.assets, request.asset, request.units)
            table.add_row(
                request.id, str(request.purpose), amount, request.status, request.sub_status
            )
        console.print(table)


@app.command()
def runway(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """How many hours the hot money of each asset lasts, by queue and usual outflow."""
    desk = open_staff_desk(config)
    found = desk.runways()
    if as_json:
        typer.echo(json.dumps([runway_json(one) for one in found], indent=1))
        return
    table = Table("asset", "hot", "queued", "usually leaves in an hour", "lasts")
    for one in found:
        units = (one.hot_units, one.queued_units, one.usual_units_hour)
        texts = [wording.amount_text(desk.assets, one.asset, each) for each in units]
        table.add_row(one.asset, *texts, wording.runway_text(one))
    Console().print(table)


@app.command()
def show(subject_id: SubjectId, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """One request in words, as its approvals cover it, and how far it has got."""
    desk = open_staff_desk(config)
    shown = desk.show(subject_id)
    if as_json:
        typer.echo(json.dumps(_shown_json(desk, shown), indent=1))
        return
    _print_shown(desk, shown)


@app.command()
def approve(
    subject_id: SubjectId,
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Read a request and sign a yes to exactly that with your own key."""
    desk = open_staff_desk(config)
    shown = desk.show(subject_id)
    if not as_json:
        _print_shown(desk, shown)
    if not yes:
        typer.confirm("Approve exactly this?", default=False, abort=True)
    tally = desk.approve(shown.subject.intent, unlock(key, passphrase_file))
    if as_json:
        typer.echo(json.dumps(_tally_json(desk, tally)))
    else:
        typer.echo(f"approved: {wording.tally_text(tally)}")


@app.command()
def request(
    purpose: Annotated[Purpose, typer.Argument(help="refill or sweep.")],
    asset: Annotated[str, typer.Argument(help="For example BTC.")],
    amount: Annotated[str, typer.Argument(help="Decimal, for example 1.25.")],
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask for a movement between hot and cold; others have to approve it."""
    desk = open_staff_desk(config)
    units = to_units(amount, asset_named(desk.assets, asset).decimals)
    member = unlock(key, passphrase_file)
    wanted = Wanted(purpose=purpose, asset=asset, units=units, requester=member.id)
    made = desk.ask(wanted, member)
    body = {"id": made.id, "status": str(made.status), "approvals": made.approvals_required}
    typer.echo(json.dumps(body) if as_json else f"{made.id} {made.status}")


@app.command()
def cancel(
    subject_id: SubjectId,
    key: KeyFile,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
) -> None:
    """Call a request off, or reject a withdrawal that waits for approval."""
    desk = open_staff_desk(config)
    _print_shown(desk, desk.show(subject_id))
    if not yes:
        typer.confirm("Call this off?", default=False, abort=True)
    typer.echo(desk.call_off(subject_id, unlock(key, passphrase_file)))


@app.command()
def export(
    request_id: SubjectId,
    out: Annotated[Path, typer.Option("--out", "-o", help="New file for the offline signers.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write an approved request's file, to carry to the offline signers."""
    made = open_staff_desk(config).export(request_id)
    write_new(out, made.data)
    if as_json:
        body = {"file": str(out), "digest": made.digest.hex(), "signers": list(made.signers)}
        typer.echo(json.dumps(body))
        return
    typer.echo(f"{out} for {', '.join(made.signers)}\nrequest digest {made.digest.hex()}")


@app.command("import")
def import_answers(
    files: Annotated[list[Path], typer.Argument(help="Answer files of offline signers.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Take in what offline signers answered; the same file twice is no harm."""
    desk = open_staff_desk(config)
    rows = []
    for file in files:
        taken = desk.take_answer(read(file, MESSAGE_BYTES_MAX))
        said = "signed" if taken.signed else f"refused ({taken.code})"
        rows.append({"request": taken.request_id, "signer": taken.signer_id, "said": said})
        if not as_json:
            typer.echo(f"{taken.request_id} {taken.signer_id} {said}")
    if as_json:
        typer.echo(json.dumps(rows))


@app.command()
def thresholds(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Where every asset stands: hot against its bounds, cold, and what is due."""
    desk = open_staff_desk(config)
    looks = desk.looks()
    if as_json:
        typer.echo(json.dumps([_look_json(look) for look in looks], indent=1))
        return
    table = Table("asset", "hot", "cold", "owed", "min", "target", "max", "set by", "due")
    for look in looks:
        decimals = asset_named(desk.assets, look.asset).decimals
        units = (look.facts.hot_units, look.facts.cold_units, look.facts.liabilities_units)
        bounds = look.threshold.bounds.bounds(look.facts.liabilities_units)
        texts = [to_text(value, decimals) for value in (*units, *bounds)]
        due = f"{look.due.direction} {to_text(look.due.units, decimals)}" if look.due else ""
        table.add_row(look.asset, *texts, escape(look.threshold.changed_by), due)
    Console().print(table)


@app.command("set-threshold")
def set_threshold(
    asset: Annotated[str, typer.Argument(help="For example BTC.")],
    low: Annotated[str, typer.Option("--min", help="Below it a refill is asked for.")],
    target: Annotated[str, typer.Option(help="Where a sweep or refill ends.")],
    high: Annotated[str, typer.Option("--max", help="Above it hot is swept to cold.")],
    key: KeyFile,
    mode: Annotated[
        Mode, typer.Option(help="absolute: decimals; share: parts per million of what is owed.")
    ] = Mode.ABSOLUTE,
    config: Config = DEFAULT_CONFIG,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Change the hot bounds of an asset, from now on."""
    desk = open_staff_desk(config)
    decimals = asset_named(desk.assets, asset).decimals if mode is Mode.ABSOLUTE else 0
    low_units, target_units, high_units = (to_units(t, decimals) for t in (low, target, high))
    bounds = make_threshold(mode, low_units, target_units, high_units)
    desk.change_bounds(asset, bounds, unlock(key, passphrase_file))
    typer.echo(f"{asset}: {mode} {low} / {target} / {high}")


@app.command("approve-policy")
def approve_policy(
    proposal_file: Annotated[Path, typer.Argument(help="A signer's proposal (GP1).")],
    key: KeyFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="New file for the signer.")],
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Read what new limits of a signer change, and sign a yes to exactly that.

    Works from the file alone; the signer checks that it is what it would activate.
    """
    proposal = Proposal.decode(read(proposal_file, MESSAGE_BYTES_MAX))
    lines = proposal.lines()
    if not as_json:
        typer.echo("\n".join(lines))
    if not yes:
        typer.confirm("Approve exactly this?", default=False, abort=True)
    approval = unlock(key, passphrase_file).approve(proposal.digest, SystemClock().now_s())
    write_new(out, Sealed(APPROVAL, approval.body, approval.sig).encode())
    if as_json:
        body = {"digest": proposal.digest.hex(), "approver": approval.approver, "lines": lines}
        typer.echo(json.dumps(body))
        return
    typer.echo(f"approved by {approval.approver}: {out}")


@app.command("staff-key")
def staff_key(
    staff_id: Annotated[str, typer.Argument(help="Your name on the roster, for example anna.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New key file.")],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make your own approval key; give the printed public key to the roster, never the file."""
    passphrase = passphrase_of(passphrase_file, repeat=True)
    made = create_staff_key(out, staff_id, passphrase, os.urandom)
    typer.echo(f"{made.id} {made.public_key.hex()}")


def _print_shown(desk: StaffDesk, shown: Shown) -> None:
    table = Table(show_header=False, title=f"{shown.subject.kind} {shown.subject.id}")
    for label, value in _lines(desk, shown):
        table.add_row(label, escape(value))
    Console().print(table)


def _lines(desk: StaffDesk, shown: Shown) -> list[tuple[str, str]]:
    lines = wording.intent_lines(desk.assets, shown.subject.intent)
    lines.append(("status", shown.subject.status))
    if shown.request is not None and shown.request.sub_status:
        lines.append(("detail", shown.request.sub_status))
    lines.append(("approvals", wording.tally_text(shown.tally)))
    lines += [(f"signer {name}", said) for name, said in shown.answers.items()]
    if shown.txid is not None:
        lines.append(("txid", shown.txid))
    return lines


def _tally_json(desk: StaffDesk, tally: Tally) -> dict[str, Any]:
    subject, intent = tally.subject, tally.subject.intent
    decimals = asset_named(desk.assets, intent.asset).decimals
    return {
        "id": subject.id,
        "kind": subject.kind,
        "status": subject.status,
        "purpose": str(intent.purpose),
        "network": intent.network,
        "asset": intent.asset,
        "amount": to_text(intent.total_units, decimals),
        "amount_units": str(intent.total_units),
        "payees": [[payee.address, str(payee.units)] for payee in intent.payees],
        "fee_units_max": str(intent.fee_units_max),
        "intent_digest": intent.digest.hex(),
        "approvals": list(tally.approvers),
        "approvals_required": subject.approvals_required,
        "requester": subject.requester,
        "expires_s": subject.expires_s,
    }


def _shown_json(desk: StaffDesk, shown: Shown) -> dict[str, Any]:
    body = _tally_json(desk, shown.tally)
    body["answers"] = dict(shown.answers)
    body["txid"] = shown.txid
    body["sub_status"] = shown.request.sub_status if shown.request is not None else ""
    return body


def _look_json(look: Look) -> dict[str, Any]:
    low, target, high = look.threshold.bounds.bounds(look.facts.liabilities_units)
    return {
        "asset": look.asset,
        "mode": str(look.threshold.bounds.mode),
        "hot_units": str(look.facts.hot_units),
        "arriving_units": str(look.facts.arriving_units),
        "leaving_units": str(look.facts.leaving_units),
        "cold_units": str(look.facts.cold_units),
        "liabilities_units": str(look.facts.liabilities_units),
        "min_units": str(low),
        "target_units": str(target),
        "max_units": str(high),
        "changed_by": look.threshold.changed_by,
        "due": {"direction": str(look.due.direction), "units": str(look.due.units)}
        if look.due
        else None,
    }

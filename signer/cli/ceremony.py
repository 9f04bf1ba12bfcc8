"""`ceremony plan | key | begin | next | status | verify`: make keys in front of witnesses."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from signer import selfcheck
from signer.ceremony.deposits import FILE_BYTES_MAX as DEPOSIT_BYTES_MAX
from signer.ceremony.deposits import evidence_of_deposit
from signer.ceremony.plan import (
    PLAN_BYTES_MAX,
    Participant,
    Plan,
    PlanInvalid,
    Role,
    Step,
    StepKind,
    plan_text,
)
from signer.ceremony.rules import ROLES, EvidenceWrong, fields_of, people_of
from signer.ceremony.transcript import Progress, Sign, Transcript
from signer.cli import terminal
from signer.cli.terminal import AsJson, KdfMemory, PassFile, say, say_json, told_errors
from signer.config import check_name
from signer.entropy import new_secret
from signer.errors import SignerError
from signer.keystore import FILE_BYTES_MAX, KeyHeader, SecretUse, decode_key, encode_key, header_of
from signer.prompting import kek_from, new_kek_from
from signer.protocol import MESSAGE_BYTES_MAX, IdentityKey, clean, public_key_of
from signer.storage import alone_with, read_limited, write_atomic

app = typer.Typer(
    no_args_is_help=True,
    help="A scripted key ceremony: every step shown, checked and signed by those who saw it.",
)

TranscriptFile = Annotated[Path, typer.Option("--transcript", help="The transcript file.")]
KeyFiles = Annotated[
    list[Path], typer.Option("--key", help="A participant's key file; once for each who signs.")
]
PassFiles = Annotated[
    list[Path] | None,
    typer.Option("--passphrase-file", help="Their passphrases in the same order; else asked for."),
]


class FileExists(SignerError):
    """A plan, key or transcript that would overwrite another."""

    code = "ceremony.file_exists"


class NotAParticipant(SignerError):
    """A key file of somebody who is not in the plan."""

    code = "ceremony.not_a_participant"


@app.command()
def plan(
    out: Annotated[Path, typer.Option(help="Where to write the plan (TOML).")],
    participant: Annotated[
        list[str], typer.Option(help="NAME:ROLE:KEY as `ceremony key` tells it; may be repeated.")
    ],
    signer: Annotated[list[str], typer.Option(help="A signer whose key is made; repeatable.")],
    vault: Annotated[list[str], typer.Option(help="A vault they will hold; repeatable.")],
    test_deposit: Annotated[
        list[str] | None, typer.Option(help="A vault that a test deposit is paid to; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(help="The ceremony's name.")] = "ceremony",
    as_json: AsJson = False,
) -> None:
    """Write a plan with all steps that the rules demand; edit it, then print and agree on it."""
    with told_errors(as_json):
        _check_new(out)
        people = [_participant(each) for each in participant]
        text = plan_text(name, people, signer, vault, test_deposit or ())
        made = Plan.parse(text.encode())
        write_atomic(out, made.text)
        say({"sha256": made.sha256.hex(), "steps": len(made.steps)}, as_json)


@app.command()
def key(
    name: Annotated[str, typer.Option(help="The participant's name.")],
    role: Annotated[Role, typer.Option(help="What they are there for.")],
    out: Annotated[Path, typer.Option(help="Where to write the encrypted key file.")],
    passphrase_file: PassFile = None,
    kdf_memory_mib: KdfMemory = 64,
    as_json: AsJson = False,
) -> None:
    """Make a participant's signing key, encrypted, and tell its public half for the plan."""
    with told_errors(as_json):
        _check_new(out)
        kek = new_kek_from(passphrase_file, None, kdf_memory_mib)
        secret = new_secret(os.urandom, 32, "ceremony participant")
        public = public_key_of(secret)
        header = KeyHeader(
            kid=f"ceremony/{check_name(name, 'participant')}",
            use=SecretUse.IDENTITY,
            asset="*",
            network="*",
            path="m",
            public_hash=hashlib.sha256(public).digest(),
            created_s=terminal.now_s(),
            policy_id="",
        )
        write_atomic(out, encode_key(header, secret, kek, os.urandom))
        say({"participant": f"{name}:{role}:{public.hex()}"}, as_json)


@app.command()
def begin(
    plan_file: Annotated[Path, typer.Option("--plan", help="The agreed plan.")],
    transcript: TranscriptFile,
    keys: KeyFiles,
    passphrase_files: PassFiles = None,
    as_json: AsJson = False,
) -> None:
    """Open the transcript: everybody signs the plan."""
    with told_errors(as_json), alone_with(transcript):
        _check_new(transcript)
        opened = Transcript(Plan.parse(read_limited(plan_file, PLAN_BYTES_MAX)))
        people = _people(opened.plan, keys, passphrase_files)
        _write(transcript, opened.extended({}, people, terminal.now_s()), as_json)


@app.command("next")
def next_step(
    transcript: TranscriptFile,
    keys: KeyFiles,
    passphrase_files: PassFiles = None,
    evidence: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of the evidence; repeatable.")
    ] = None,
    step: Annotated[str, typer.Option(help="The step you think is next; else it stops.")] = "",
    deposit: Annotated[
        Path | None,
        typer.Option(help="For a test deposit: what `getrawtransaction TXID true` answered."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Do the next step: what it must show is asked for, and those it names sign it."""
    with told_errors(as_json), alone_with(transcript):
        opened = _read(transcript)
        progress = opened.progress()
        opened.check_due(step)
        given = _evidence(evidence or ())
        if progress.due is not None:
            _tell(progress.due, as_json)
            given |= _own_evidence(progress.due)
            given |= _deposit_evidence(progress, deposit)
            if not as_json:
                given |= _asked(opened.plan, progress, given)
        people = _people(opened.plan, keys, passphrase_files)
        _write(transcript, opened.extended(given, people, terminal.now_s()), as_json)


@app.command()
def status(transcript: TranscriptFile, as_json: AsJson = False) -> None:
    """Where the ceremony stands and what is next; everything before it is verified."""
    with told_errors(as_json):
        opened = _read(transcript)
        _say_progress(opened, opened.progress(), as_json)


@app.command()
def verify(
    transcript: TranscriptFile,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="The plan it must be about; else shown by hash.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check chain, signatures, evidence and that no step is missing. Needs no key."""
    with told_errors(as_json):
        opened = _read(transcript)
        progress = opened.complete()
        if plan_file and read_limited(plan_file, PLAN_BYTES_MAX) != opened.plan.text:
            raise PlanInvalid("got a transcript of another plan")
        _say_progress(opened, progress, as_json)


def _participant(text: str) -> Participant:
    name, _, rest = text.partition(":")
    role, _, key_text = rest.partition(":")
    try:
        return Participant(check_name(name, "participant"), Role(role), bytes.fromhex(key_text))
    except ValueError as error:
        raise PlanInvalid(f"got participant {text[:80]!r}, expected NAME:ROLE:KEY") from error


def _check_new(path: Path) -> None:
    if path.exists():
        raise FileExists(f"got {path}, which exists already, expected a new file")


def _read(path: Path) -> Transcript:
    return Transcript.decode(read_limited(path, MESSAGE_BYTES_MAX))


def _write(path: Path, longer: Transcript, as_json: bool) -> None:
    """Only here does a step become done; killed before, it is simply still due."""
    write_atomic(path, longer.encode())
    _say_progress(longer, longer.progress(), as_json)


def _people(
    plan: Plan, keys: Sequence[Path], passphrase_files: Sequence[Path] | None
) -> dict[str, Sign]:
    """Each participant's way to sign; their key files are opened one after the other."""
    files = passphrase_files or ()
    if files and len(files) != len(keys):
        raise EvidenceWrong(f"got {len(files)} passphrase files for {len(keys)} keys")
    known = {person.key: person.name for person in plan.participants}
    people: dict[str, Sign] = {}
    for place, path in enumerate(keys):
        data = read_limited(path, FILE_BYTES_MAX)
        if not files:
            typer.echo(f"{clean(header_of(data).kid)} signs:", err=True)
        opened = decode_key(data, kek_from(files[place] if files else None, None))
        name = known.get(public_key_of(opened.secret))
        if name is None or opened.header.use is not SecretUse.IDENTITY:
            raise NotAParticipant(f"got the key of {opened.header.kid}, expected one in the plan")
        people[name] = IdentityKey(opened.secret).sign
    return people


def _evidence(texts: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or name in given:
            raise EvidenceWrong(f"got {text[:80]!r}, expected NAME=VALUE, each name once")
        given[name] = value
    return given


def _own_evidence(step: Step) -> dict[str, str]:
    """What the machine itself can say: that its known answers held, just now."""
    if step.kind is not StepKind.SOFTWARE:
        return {}
    selfcheck.require()
    return {"selfcheck": f"passed {len(selfcheck.run())} checks"}


def _deposit_evidence(progress: Progress, file: Path | None) -> Mapping[str, str]:
    """What the node's file shows of a deposit to the first address that all signers showed."""
    due = progress.due
    if file is None or due is None:
        return {}
    if due.kind is not StepKind.TEST_DEPOSIT:
        raise EvidenceWrong(f"got a deposit for step {due.id}, expected none")
    data = read_limited(file, DEPOSIT_BYTES_MAX)
    return evidence_of_deposit(data, progress.facts.first_addresses[due.subject])


def _asked(plan: Plan, progress: Progress, given: Mapping[str, str]) -> dict[str, str]:
    """Fields that nobody gave, asked for at the keyboard."""
    if progress.due is None:
        return {}
    fields = fields_of(plan, progress.due, progress.facts)
    return {name: str(typer.prompt(name, err=True)) for name in fields if name not in given}


def _tell(step: Step, as_json: bool) -> None:
    if not as_json:
        typer.echo(f"step {step.id} {clean(step.subject)}: {clean(step.say)}", err=True)


def _say_progress(transcript: Transcript, progress: Progress, as_json: bool) -> None:
    due = progress.due
    facts: dict[str, Any] = {
        "ceremony": transcript.plan.name,
        "plan_sha256": transcript.plan.sha256.hex(),
        "done": list(progress.done),
        "complete": due is None and bool(progress.done),
        "head": progress.head.hex(),
    }
    if due is not None:
        facts |= {
            "next": due.id,
            "say": due.say,
            "fields": list(fields_of(transcript.plan, due, progress.facts)),
            "signed_by": sorted({*ROLES[due.kind], *people_of(transcript.plan, due, {})}),
        }
    if as_json:
        say_json(facts)
    else:
        say(facts, as_json)

"""`inspect`, `sign`, `recall`, `serve-stdio`: requests and their answers."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from signer import languages, selfcheck, stdio
from signer.cli import terminal
from signer.cli.terminal import (
    AsJson,
    HomePath,
    PassFd,
    PassFile,
    UnlockFile,
    opened_home,
    say,
    say_json,
    told_errors,
)
from signer.engine import Engine, Review
from signer.errors import Refused
from signer.foreign.requests import is_foreign, read_foreign, require_sealed
from signer.foreign.words import foreign_lines
from signer.home import Home, HomeError
from signer.keystore import Kek
from signer.languages import Language, Message
from signer.prompting import confirmed, kek_from
from signer.protocol import (
    ANSWER,
    MESSAGE_BYTES_MAX,
    REQUEST,
    Sealed,
    SignAnswer,
    SignRequest,
)
from signer.storage import read_limited, write_atomic

app = typer.Typer()

AnswerFile = Annotated[Path, typer.Option("--out", help="Where the sealed answer (SA1) goes.")]
RequestFile = Annotated[Path, typer.Option("--request", help="A sealed request file (SR1).")]
LanguageTag = Annotated[
    Language | None, typer.Option("--language", help="What you read; else as signer.toml says.")
]


@app.command()
def inspect(
    home: HomePath,
    request: Annotated[
        Path,
        typer.Option(help="A sealed request (SR1), an EIP-712 JSON or an eth-sign-request file."),
    ],
    language: LanguageTag = None,
    as_json: AsJson = False,
) -> None:
    """Explain a request from its decoded bytes, with every check but without any key.

    Typed data (EIP-712) and what arrived as `ur:eth-sign-request` are shown too, in English; they
    are never signed as they come: only a sealed request carries an intent and its approvals.
    """
    with told_errors(as_json), opened_home(home) as opened:
        data = _read_request(request)
        if is_foreign(data):
            foreign = read_foreign(data)
            digest, lines = foreign.content.signing_hash, foreign_lines(foreign, opened)
        else:
            review = _engine(opened, lambda _: False, _no_kek, language).review(data)
            digest, lines = review.request_digest, list(review.lines)
        if as_json:
            say_json({"ok": True, "digest": digest.hex(), "lines": lines})
        else:
            for line in lines:
                typer.echo(line)


@app.command()
def sign(
    home: HomePath,
    request: RequestFile,
    out: AnswerFile,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; only if the policy says unattended.")
    ] = False,
    language: LanguageTag = None,
    as_json: AsJson = False,
) -> None:
    """Check a request, show it, ask, and sign. The default answer is no."""
    with told_errors(as_json), opened_home(home) as opened:
        selfcheck.require()
        if yes and not opened.activated().policy.unattended:
            raise Refused("person.required", "the policy wants a person: leave out --yes")
        data = _read_request(request)
        require_sealed(data)
        words = language or opened.activated().language

        def shown(review: Review) -> bool:
            return yes or _agreed(review, words)

        kek = partial(kek_from, passphrase_file, passphrase_fd, unlock)
        engine = _engine(opened, shown, kek, words)
        answer = engine.sign(data)
        write_atomic(out, answer)
        _say_answer(answer, out, as_json)


@app.command()
def recall(home: HomePath, request: RequestFile, out: AnswerFile, as_json: AsJson = False) -> None:
    """Give again the recorded answer to exactly this request, after a crash or a lost file."""
    with told_errors(as_json), opened_home(home) as opened:
        sealed = Sealed.decode(_read_request(request), REQUEST)
        request_id = SignRequest.decode(sealed.body).request_id
        engine = _engine(opened, lambda _: False, _no_kek)
        answer = engine.recall(request_id, sealed.digest)
        write_atomic(out, answer)
        _say_answer(answer, out, as_json)


@app.command("serve-stdio")
def serve_stdio(
    home: HomePath,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
) -> None:
    """Answer framed requests on standard input; only for a policy that says unattended."""
    with told_errors(False), opened_home(home) as opened:
        selfcheck.require()
        if not opened.activated().policy.unattended:
            raise Refused("person.required", "the policy wants a person at this signer")
        opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
        engine = _engine(opened, lambda _: True, _no_kek)
        stdio.serve(engine, opened, sys.stdin.buffer, sys.stdout.buffer)


def _engine(
    home: Home,
    confirm: Callable[[Review], bool],
    unlock: Callable[[], Kek],
    language: Language | None = None,
) -> Engine:
    return Engine(home, terminal.now_s, confirm, unlock, language)


def _agreed(review: Review, language: Language) -> bool:
    """Whether a person said yes to the whole, and once more to a payee that looks like another."""
    asked = [(review.lines, Message.SIGN)]
    if review.alarms:
        asked.append((review.lines[: 2 * len(review.alarms)], Message.SIGN_LOOK_ALIKE))
    yes, answers = languages.accepted(language), languages.say(language, Message.ANSWERS)
    return all(
        confirmed(lines, languages.say(language, question), yes, answers)
        for lines, question in asked
    )


def _no_kek() -> Kek:
    raise HomeError("got a command that needs no key, expected it not to unlock")


def _read_request(path: Path) -> bytes:
    return read_limited(path, MESSAGE_BYTES_MAX)


def _say_answer(answer: bytes, out: Path, as_json: bool) -> None:
    body = SignAnswer.decode(Sealed.decode(answer, ANSWER).body)
    say(
        {
            "result": str(body.result),
            "code": body.code,
            "request_id": body.request_id,
            "signatures": len(body.signatures),
            "counter": body.counter,
            "out": str(out),
        },
        as_json,
    )

"""`glaytos-signer`: what a keyholder types. Secrets come by prompt, file or descriptor only."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from chains.errors import ChainError
from chains.hd import parse_path, path_text
from policies.errors import PolicyError
from signer import registry, selfcheck, stdio
from signer.config import CONFIG_BYTES_MAX, ConfigError, load_config
from signer.display import clean, grouped
from signer.engine import Engine, Review
from signer.errors import ProtocolError, Refused, SignerError
from signer.guards.facts import RegisteredVault, Role
from signer.home import Home, HomeError, create
from signer.keystore import Kek
from signer.process import harden
from signer.prompting import confirmed, kek_from, new_kek_from
from signer.protocol import (
    ANSWER,
    MESSAGE_BYTES_MAX,
    REQUEST,
    Sealed,
    SignAnswer,
    SignRequest,
)
from signer.registry import KeyUse
from signer.storage import read_limited, write_atomic

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="""Offline signer. It keeps its own memory and limits, checks approvals itself, shows what
    the bytes really do, and says no by default.

    A keyholder's life: `init` makes a home with keys; `configure` activates limits and policy;
    `xpub` gives account keys for a vault; `register` takes the finished vault; `address` shows a
    receive address to compare; `inspect` explains a request; `sign` signs it.""",
)

HomePath = Annotated[Path, typer.Option("--home", help="The signer's home folder.")]
PassFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Read the passphrase from this file.")
]
PassFd = Annotated[
    int | None, typer.Option("--passphrase-fd", help="Read the passphrase from this descriptor.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer as one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripted set-up.")]
AnswerFile = Annotated[Path, typer.Option("--out", help="Where the sealed answer (SA1) goes.")]
RequestFile = Annotated[Path, typer.Option("--request", help="A sealed request file (SR1).")]


@app.command("selfcheck")
def selfcheck_command(as_json: AsJson = False) -> None:
    """Run the known-answer tests that every other command relies on."""
    checks = selfcheck.run()
    if as_json:
        _say_json({check.name: check.ok for check in checks})
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def init(
    home: HomePath,
    signer_id: Annotated[str, typer.Option("--id", help="This signer's name, e.g. hot-a.")],
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    entropy_file: Annotated[
        Path | None,
        typer.Option(help="A second source of randomness: dice rolls or noise from elsewhere."),
    ] = None,
    kdf_memory_mib: Annotated[
        int, typer.Option(help="Argon2id memory in MiB; 64 at least, 1024 for a cold signer.")
    ] = 1024,
    as_json: AsJson = False,
) -> None:
    """Make a new home: seed, identity and state keys, encrypted, and an empty log."""
    with _errors(as_json):
        selfcheck.require()
        second = read_limited(entropy_file, 1024 * 1024) if entropy_file is not None else None
        kek = new_kek_from(passphrase_file, passphrase_fd, kdf_memory_mib)
        create(home, signer_id, kek, os.urandom, _now(), second)
        with _opened(home) as opened:
            state = opened.state
            _say(
                {
                    "signer_id": state.signer_id,
                    "identity": state.identity.hex(),
                    "fingerprint": state.fingerprint,
                },
                as_json,
            )


@app.command()
def configure(
    home: HomePath,
    config: Annotated[Path, typer.Option(help="signer.toml: coordinators, networks, approvers.")],
    policy: Annotated[Path, typer.Option(help="policy.toml: what may be paid and who approves.")],
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Activate limits and policy; their hashes are pinned in the log until the next activation."""
    with _errors(as_json), _opened(home, any_config=True) as opened:
        config_text = read_limited(config, CONFIG_BYTES_MAX)
        policy_text = read_limited(policy, CONFIG_BYTES_MAX)
        new = load_config(config_text, policy_text)
        lines = [
            f"policy {new.policy.name}, hash {new.policy.hash}",
            f"signer.toml SHA-256 {new.config_sha256.hex()}",
            f"signs without a person: {'YES' if new.policy.unattended else 'no'}",
        ]
        _ask(yes, lines, "Activate? Compare the hashes with a second person.")
        opened.unlock(kek_from(passphrase_file, passphrase_fd))
        opened.configure(config_text, policy_text, _now())
        _say({"policy_hash": new.policy.hash, "config_sha256": new.config_sha256.hex()}, as_json)


@app.command()
def xpub(
    home: HomePath,
    network: Annotated[str, typer.Option(help="The one network this key will be for.")],
    use: Annotated[KeyUse, typer.Option(help="What it will be part of.")] = KeyUse.MULTISIG,
    account: Annotated[int, typer.Option(help="Account number; one for each vault.")] = 0,
    path: Annotated[str, typer.Option(help="Another path, all hardened, e.g. 87h/0h/0h.")] = "",
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    as_json: AsJson = False,
) -> None:
    """Issue an account key and bind it to a network for ever; asking again gives it again."""
    with _errors(as_json), _opened(home) as opened:
        _, coin_type = registry.key_numbers(network, opened.networks)
        steps = parse_path(path.removeprefix("m/")) if path else ()
        steps = steps or registry.standard_path(use, coin_type, account)
        known = opened.state.accounts.get(steps)
        if known is None or known.network != network:
            opened.unlock(kek_from(passphrase_file, passphrase_fd))
            known = opened.account(network, steps, _now())
        origin = f"[{opened.state.fingerprint}{path_text(known.path)[1:]}]{known.xpub}"
        _say({"network": network, "path": path_text(known.path), "key": origin}, as_json)


@app.command()
def register(
    home: HomePath,
    file: Annotated[list[Path], typer.Option(help="The vault file (TOML); may be repeated.")],
    role: Annotated[list[Role], typer.Option(help="What the vault is for; one for each file.")],
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Register vaults, each after showing all its keys, which one is ours, and its first address.

    With --json the answer for one file is one object a line.
    """
    with _errors(as_json), _opened(home) as opened:
        if len(file) != len(role):
            raise ConfigError(
                f"got {len(file)} files and {len(role)} roles, expected one role each"
            )
        texts = [read_limited(path, CONFIG_BYTES_MAX) for path in file]
        for text, what in zip(texts, role, strict=True):
            _ask(yes, _vault_lines(opened, opened.parse_vault(text, what)), "Register this vault?")
        opened.unlock(kek_from(passphrase_file, passphrase_fd))
        for text, what in zip(texts, role, strict=True):
            vault, first, proof = opened.register(text, what, _now())
            _say(
                {
                    "vault": vault.name,
                    "role": str(vault.role),
                    "first_address": first,
                    "own_path": path_text(vault.own.path) if vault.own else "",
                    "proof": proof.hex(),
                },
                as_json,
            )


@app.command()
def address(
    home: HomePath,
    vault: Annotated[str, typer.Option(help="A registered vault.")],
    index: Annotated[int, typer.Option(help="Address index.")] = 0,
    branch: Annotated[int, typer.Option(help="0 receive, 1 change.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Derive an address from a registered vault, to compare with what others show."""
    with _errors(as_json), _opened(home) as opened:
        found = opened.vaults.get(vault)
        if found is None:
            raise HomeError(f"got vault {vault!r}, expected one of {sorted(opened.vaults)}")
        text = registry.address_at(found.vault, opened.networks, branch, index)
        _say({"address": text, "grouped": grouped(text), "path": f"{branch}/{index}"}, as_json)


@app.command()
def inspect(home: HomePath, request: RequestFile, as_json: AsJson = False) -> None:
    """Explain a request from its decoded bytes, with every check but without any key."""
    with _errors(as_json), _opened(home) as opened:
        review = _engine(opened, lambda _: False, _no_kek).review(_read_request(request))
        if as_json:
            _say_json({"ok": True, "digest": review.request_digest.hex(), "lines": review.lines})
        else:
            for line in review.lines:
                typer.echo(line)


@app.command()
def sign(
    home: HomePath,
    request: RequestFile,
    out: AnswerFile,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; only if the policy says unattended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check a request, show it, ask, and sign. The default answer is no."""

    def shown(review: Review) -> bool:
        return yes or confirmed(review.lines, "Sign exactly this?")

    with _errors(as_json), _opened(home) as opened:
        selfcheck.require()
        if yes and not opened.activated().policy.unattended:
            raise Refused("person.required", "the policy wants a person: leave out --yes")
        engine = _engine(opened, shown, lambda: kek_from(passphrase_file, passphrase_fd))
        answer = engine.sign(_read_request(request))
        write_atomic(out, answer)
        _say_answer(answer, out, as_json)


@app.command()
def recall(home: HomePath, request: RequestFile, out: AnswerFile, as_json: AsJson = False) -> None:
    """Give again the recorded answer to exactly this request, after a crash or a lost file."""
    with _errors(as_json), _opened(home) as opened:
        sealed = Sealed.decode(_read_request(request), REQUEST)
        request_id = SignRequest.decode(sealed.body).request_id
        engine = _engine(opened, lambda _: False, _no_kek)
        answer = engine.recall(request_id, sealed.digest)
        write_atomic(out, answer)
        _say_answer(answer, out, as_json)


@app.command()
def status(home: HomePath, as_json: AsJson = False) -> None:
    """Who this signer is, what it has registered, and how far its log goes."""
    with _errors(as_json), _opened(home) as opened:
        _say(
            {
                "signer_id": opened.state.signer_id,
                "identity": opened.state.identity.hex(),
                "fingerprint": opened.state.fingerprint,
                "policy_hash": opened.config.policy.hash if opened.config else "",
                "vaults": sorted(opened.vaults),
                "counter": opened.log.counter,
                "log_head": opened.log.head.hex(),
            },
            as_json,
        )


@app.command("serve-stdio")
def serve_stdio(
    home: HomePath, passphrase_file: PassFile = None, passphrase_fd: PassFd = None
) -> None:
    """Answer framed requests on standard input; only for a policy that says unattended."""
    with _errors(False), _opened(home) as opened:
        selfcheck.require()
        if not opened.activated().policy.unattended:
            raise Refused("person.required", "the policy wants a person at this signer")
        opened.unlock(kek_from(passphrase_file, passphrase_fd))
        engine = _engine(opened, lambda _: True, _no_kek)
        stdio.serve(engine, opened, sys.stdin.buffer, sys.stdout.buffer)


def main() -> None:
    """Harden the process, then run the command."""
    for warning in harden():
        typer.echo(f"warning: {warning}", err=True)
    app()


def _engine(home: Home, confirm: Callable[[Review], bool], unlock: Callable[[], Kek]) -> Engine:
    return Engine(home, _now, confirm, unlock)


def _no_kek() -> Kek:
    raise HomeError("got a command that needs no key, expected it not to unlock")


def _now() -> int:
    return int(time.time())


def _read_request(path: Path) -> bytes:
    return read_limited(path, MESSAGE_BYTES_MAX)


def _ask(yes: bool, lines: list[str], question: str) -> None:
    if not yes and not confirmed(lines, question):
        raise Refused("person.declined", "the person at the signer said no")


def _vault_lines(home: Home, vault: RegisteredVault) -> list[str]:
    origins = registry.origins_of(vault.vault)
    own = vault.own.xpub if vault.own else ""
    lines = [f"vault {vault.name}, {vault.role}, on {vault.network}"]
    threshold = getattr(vault.vault, "threshold", 1)
    lines.append(f"{threshold} of {len(origins)} keys must sign")
    for place, origin in enumerate(origins, start=1):
        mark = "  <- OURS" if origin.key.text == own else ""
        lines.append(f"{place}. {origin.text}{mark}")
    if vault.own is None:
        lines.append("no key is ours: it will only be known as a destination")
    lines.append(f"first address {grouped(registry.first_address(vault.vault, home.networks))}")
    return lines


@contextmanager
def _opened(path: Path, any_config: bool = False) -> Iterator[Home]:
    home = Home(path, any_config=any_config)
    try:
        yield home
    finally:
        home.close()


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    """Every expected failure as code and words on standard error, exit code 1."""
    try:
        yield
    except (SignerError, ProtocolError, ChainError, PolicyError) as error:
        detail = error.detail if isinstance(error, Refused) else str(error)
        if as_json:
            _say_json({"ok": False, "code": error.code, "detail": clean(detail)})
        typer.echo(f"{error.code}: {clean(detail)}", err=True)
        raise typer.Exit(1) from error


def _say_answer(answer: bytes, out: Path, as_json: bool) -> None:
    body = SignAnswer.decode(Sealed.decode(answer, ANSWER).body)
    _say(
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


def _say(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _say_json(values)
        return
    for name, value in values.items():
        typer.echo(f"{name}: {clean(str(value))}")


def _say_json(values: dict[str, Any]) -> None:
    typer.echo(json.dumps(values, sort_keys=True))

"""`bsms token|key|combine|round2`: setting up a multisig vault by BIP-129."""

import os
from pathlib import Path
from typing import Annotated

import typer

from chains.hd import parse_path, path_text
from chains.utxo.descriptors import Template
from signer import registry
from signer.bsms import session as sessions
from signer.bsms.cipher import RECORD_BYTES_MAX, Mode, Token, unwrap, wrap
from signer.bsms.errors import BadToken, WrongKeyCount
from signer.bsms.joining import confirmation, give_key, take_vault, utxo_params
from signer.bsms.records import DescriptorRecord, KeyRecord, combined
from signer.bsms.session import Session
from signer.cli import terminal
from signer.cli.terminal import (
    AsJson,
    HomePath,
    PassFd,
    PassFile,
    UnlockFile,
    Yes,
    ask,
    opened_home,
    say,
    told_errors,
)
from signer.cli.vaults import vault_lines
from signer.guards.facts import Role
from signer.home import Home
from signer.prompting import kek_from
from signer.registry import KeyUse
from signer.storage import read_limited, write_atomic

app = typer.Typer(
    no_args_is_help=True,
    help="""Set up a multisig vault with other signers (BIP-129).

    The coordinator makes a `token` and tells it to every signer. Each signer answers with its
    `key` record. The coordinator puts them together with `combine`. Each signer checks the result
    and registers it with `round2`. In the end all people compare what their signers showed.""",
)

TokenFile = Annotated[Path, typer.Option(help="A file with the session's token in hex.")]
_TOKEN_BYTES_MAX = 64


@app.command()
def token(
    mode: Annotated[Mode, typer.Option(help="How much the records hide.")] = Mode.STANDARD,
    as_json: AsJson = False,
) -> None:
    """Make a token for one session; tell it to the signers by another way than the records."""
    with told_errors(as_json):
        made = Token.new(mode, os.urandom)
        say({"token": made.text, "decimal": str(int.from_bytes(made.raw, "big"))}, as_json)


@app.command()
def key(
    home: HomePath,
    network: Annotated[str, typer.Option(help="The one network this key will be for.")],
    token_file: TokenFile,
    label: Annotated[str, typer.Option(help="Describes the key; 80 characters at most.")],
    out: Annotated[Path, typer.Option(help="Where the key record goes.")],
    use: Annotated[KeyUse, typer.Option(help="What it will be part of.")] = KeyUse.MULTISIG,
    account: Annotated[int, typer.Option(help="Account number; one for each vault.")] = 0,
    path: Annotated[str, typer.Option(help="Another path, all hardened, e.g. 87h/0h/0h.")] = "",
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Round 1: issue an account key, sign its record with it, and open the session for a day."""
    with told_errors(as_json), opened_home(home) as opened:
        _, coin_type = registry.key_numbers(network, opened.networks)
        steps = parse_path(path.removeprefix("m/")) if path else ()
        steps = steps or registry.standard_path(use, coin_type, account)
        secret = _token(token_file)
        opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
        known = opened.account(network, steps, terminal.now_s())
        wanted = Session(
            token=secret,
            network=network,
            key=f"[{opened.state.fingerprint}{path_text(known.path)[1:]}]{known.xpub}",
            label=label,
            created_s=_now_s(opened),
        )
        record = give_key(opened, known, wanted)
        write_atomic(out, wrap(record.text, secret))
        say({"key": record.key, "label": label, "encrypted": secret.encrypts}, as_json)


@app.command()
def combine(
    home: HomePath,
    network: Annotated[str, typer.Option(help="The vault's network.")],
    record: Annotated[list[Path], typer.Option(help="A key record; one for each signer.")],
    token_file: Annotated[list[Path], typer.Option(help="One token, or one for each record.")],
    out: Annotated[list[Path], typer.Option(help="Descriptor record; one for each token.")],
    signers: Annotated[int, typer.Option(help="How many signers there must be.")],
    threshold: Annotated[int, typer.Option(help="How many of them must sign.")],
    nested: Annotated[bool, typer.Option(help="Inside P2SH, for old wallets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Between the rounds, as coordinator: check the key records and write the descriptor record."""
    with told_errors(as_json), opened_home(home) as opened:
        tokens = [_token(file) for file in token_file]
        if len(tokens) not in (1, len(record)) or len(out) != len(tokens):
            raise WrongKeyCount(
                f"got {len(record)} records, {len(tokens)} tokens and {len(out)} outputs,"
                " expected one token or as many as records, and an output for each token"
            )
        each = tokens * len(record) if len(tokens) == 1 else tokens
        records = [
            KeyRecord.parse(unwrap(read_limited(file, RECORD_BYTES_MAX), secret))
            for file, secret in zip(record, each, strict=True)
        ]
        params = utxo_params(opened.networks, network)
        template = Template.SH_WSH_MULTI if nested else Template.WSH_MULTI
        made = combined(records, each, signers, threshold, template, params)
        for file, secret in zip(out, tokens, strict=True):
            write_atomic(file, wrap(made.text, secret))
        say({"first_address": made.first_address, "descriptor": made.descriptor}, as_json)


@app.command()
def round2(
    home: HomePath,
    file: Annotated[Path, typer.Option(help="The coordinator's descriptor record.")],
    name: Annotated[str, typer.Option(help="The vault's name.")],
    role: Annotated[Role, typer.Option(help="What the vault is for.")],
    custodian: Annotated[
        list[str] | None, typer.Option(help="Who keeps a key; one for each, in their order.")
    ] = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Round 2: check a descriptor record against the key that was given, and register the vault."""
    with told_errors(as_json), opened_home(home) as opened:
        keys = opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
        session = sessions.read(opened.path, keys.state_key)
        session.check_age(_now_s(opened))
        data = read_limited(file, RECORD_BYTES_MAX)
        record = DescriptorRecord.parse(unwrap(data, session.token))
        text, vault = take_vault(opened, record, session, name, custodian or [])
        lines = vault_lines(opened, opened.parse_vault(text, role))
        lines.append(confirmation(record, session, vault))
        ask(yes, lines, "Register this vault? Compare all of it on every signer.")
        entry, first, proof = opened.register(text, role, terminal.now_s())
        sessions.close(opened.path)
        say(
            {
                "vault": entry.name,
                "role": str(entry.role),
                "first_address": first,
                "threshold": vault.threshold,
                "signers": len(vault.keys),
                "own_path": path_text(entry.own.path) if entry.own else "",
                "proof": proof.hex(),
            },
            as_json,
        )


def _token(file: Path) -> Token:
    try:
        return Token.parse(read_limited(file, _TOKEN_BYTES_MAX).decode().strip())
    except UnicodeDecodeError:
        raise BadToken("got a token file that is not text") from None


def _now_s(home: Home) -> int:
    """Never before the last record: setting the clock back makes no session younger."""
    return max(terminal.now_s(), home.log.last_time_s)

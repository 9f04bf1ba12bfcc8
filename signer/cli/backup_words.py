"""`backup bip39-export | bip39-import`: words of other wallets, with a warning each time."""

import os
from pathlib import Path
from typing import Annotated

import typer

from signer import selfcheck
from signer.backup import phrases
from signer.backup.card import seed_facts
from signer.backup.shares import BackupError
from signer.cli import terminal
from signer.cli.terminal import (
    AsJson,
    HomePath,
    KdfMemory,
    PassFd,
    PassFile,
    ask,
    opened_home,
    say,
    told_errors,
)
from signer.derive import master
from signer.founding import check_free, create
from signer.prompting import kek_from, new_kek_from, phrase_from
from signer.state import BackupEvent

app = typer.Typer()

_OTHER_WALLET = (
    "warning: BIP-39 words typed into another wallet give ANOTHER WALLET than this seed:"
    " other addresses, other keys. They are not a SLIP-39 backup."
)


@app.command("bip39-export")
def bip39_export(
    home: HomePath,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    as_json: AsJson = False,
) -> None:
    """Show the seed's own bytes as BIP-39 words, to be imported here with --holds-seed only."""
    with told_errors(as_json), opened_home(home) as found:
        kek = kek_from(passphrase_file, passphrase_fd)
        found.unlock(kek)
        phrase = phrases.phrase_of(found.seed(kek))
        other = master(phrases.seed_of(phrase, "")).fingerprint.hex()
        typer.echo(_OTHER_WALLET, err=True)
        lines = [f"this wallet: {found.state.fingerprint}", f"the words elsewhere: {other}"]
        ask(False, lines, "Show the seed on this screen?")
        found.note_backup(BackupEvent.EXPORT, "bip39", terminal.now_s())
        facts = {"words": phrase, "fingerprint": found.state.fingerprint, "other_wallet": other}
        say(facts, as_json)


@app.command("bip39-import")
def bip39_import(
    home: HomePath,
    signer_id: Annotated[str, typer.Option("--id", help="The new home's signer name.")],
    words_file: Annotated[
        Path | None, typer.Option(help="Read the words from this file; else they are asked for.")
    ] = None,
    holds_seed: Annotated[
        bool, typer.Option(help="The words came from bip39-export: they hold the seed itself.")
    ] = False,
    bip39_passphrase: Annotated[
        bool, typer.Option(help="Ask for the words' BIP-39 passphrase.")
    ] = False,
    bip39_passphrase_file: Annotated[
        Path | None, typer.Option(help="Read the BIP-39 passphrase from this file.")
    ] = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    kdf_memory_mib: KdfMemory = 1024,
    as_json: AsJson = False,
) -> None:
    """Make a home whose seed is the BIP-39 seed of words: the wallet they are elsewhere."""
    with told_errors(as_json):
        selfcheck.require()
        check_free(home)
        typer.echo(_OTHER_WALLET, err=True)
        phrase = phrase_from(words_file, "words").decode(errors="replace")
        protected = bip39_passphrase or bip39_passphrase_file is not None
        if holds_seed and protected:
            raise BackupError("got a BIP-39 passphrase, expected none where words hold the seed")
        password = phrase_from(bip39_passphrase_file, "BIP-39 passphrase") if protected else b""
        seed = phrases.imported(phrase, password, holds_seed=holds_seed)
        kek = new_kek_from(passphrase_file, passphrase_fd, kdf_memory_mib)
        origin = "BIP-39 words that hold the seed" if holds_seed else "BIP-39 words"
        create(home, signer_id, kek, os.urandom, terminal.now_s(), seed=seed, origin=origin)
        say(seed_facts(seed), as_json)

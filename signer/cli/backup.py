"""`backup split | recover | drill | share-check ...`: a seed as shares, and back."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from shamir_mnemonic import Share

from signer import selfcheck
from signer.backup import possession, store
from signer.backup.card import Card, VaultCopy, WrongSeed, check_value, check_words, seed_facts
from signer.backup.pile import Assembled, assemble
from signer.backup.shares import (
    EXPONENT,
    BackupError,
    Scheme,
    checked_passphrase,
    opened,
    share_name,
    split,
)
from signer.cli import backup_shares, backup_words, terminal
from signer.cli.terminal import (
    AsJson,
    HomePath,
    KdfMemory,
    PassFd,
    PassFile,
    opened_home,
    say,
    say_json,
    told_errors,
)
from signer.config import check_name
from signer.founding import check_free, create
from signer.home import Home
from signer.prompting import kek_from, new_kek_from, phrase_from
from signer.state import BackupEvent
from signer.storage import write_atomic

app = typer.Typer(no_args_is_help=True, help="A seed as shares, and back; proofs and drills.")
app.add_typer(backup_shares.app)
app.add_typer(backup_words.app)

SharePlaces = Annotated[
    list[Path], typer.Option("--shares", help="Share files or folders of them; may be repeated.")
]
BackupPassFile = Annotated[
    Path | None,
    typer.Option(help="The passphrase of the backup, from a file; asked for if it has one."),
]
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Home, clear the screen, and clear what scrolled off it."""


class NothingToCheck(BackupError):
    """A recovery without a card or a fingerprint to hold the seed against."""

    code = "backup.unchecked"


class NoTerminal(BackupError):
    """Shares are shown to a person, and here is none."""

    code = "backup.no_terminal"


@app.command("split")
def split_command(
    home: HomePath,
    out: Annotated[Path, typer.Option(help="A new folder for the card and the share files.")],
    group: Annotated[list[str], typer.Option(help="A group, e.g. 2of3; may be repeated.")],
    group_threshold: Annotated[int, typer.Option(help="How many groups are needed.")] = 1,
    show: Annotated[
        bool, typer.Option(help="Show each share alone on the screen; write only the card.")
    ] = False,
    backup_passphrase: Annotated[
        bool, typer.Option(help="Protect the shares with a passphrase too; it must not be lost.")
    ] = False,
    backup_passphrase_file: BackupPassFile = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    as_json: AsJson = False,
) -> None:
    """Split the seed into SLIP-39 shares, each tried before any is given out.

    Every share goes to another custodian, a copy of the card to all. Share files on a flash drive
    cannot be wiped: write to a disk in memory, or use --show.
    """
    with told_errors(as_json), opened_home(home) as found:
        selfcheck.require()
        scheme = Scheme.parse(group, group_threshold)
        store.check_new(out)
        if show and not _is_terminal():
            raise NoTerminal("got no terminal, expected a person to show shares to")
        protect = backup_passphrase or backup_passphrase_file is not None
        secret = (
            phrase_from(backup_passphrase_file, "backup passphrase", twice=True) if protect else b""
        )
        checked_passphrase(secret)
        kek = kek_from(passphrase_file, passphrase_fd)
        found.unlock(kek)
        seed = found.seed(kek)
        shares = split(seed, scheme, secret, os.urandom)
        card = _card(found, seed, scheme, shares, protect)
        # Before a share leaves: the home says that its seed exists elsewhere too.
        found.note_backup(BackupEvent.SPLIT, card.id, terminal.now_s())
        store.write_set(out, card, () if show else shares)
        if show:
            _show(shares, card)
        say(_card_facts(card), as_json)


@app.command()
def recover(
    home: HomePath,
    signer_id: Annotated[str, typer.Option("--id", help="The new home's signer name.")],
    shares: SharePlaces,
    card: Annotated[Path | None, typer.Option(help="The backup's card (card.json).")] = None,
    fingerprint: Annotated[
        str, typer.Option(help="Without a card: the master fingerprint that must come out.")
    ] = "",
    unchecked: Annotated[
        bool, typer.Option(help="With neither: take whatever seed comes out.")
    ] = False,
    backup_passphrase: Annotated[
        bool, typer.Option(help="Without a card: ask for the backup's passphrase.")
    ] = False,
    backup_passphrase_file: BackupPassFile = None,
    vaults_out: Annotated[
        Path | None, typer.Option(help="A new folder for the vault files that the card keeps.")
    ] = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    kdf_memory_mib: KdfMemory = 1024,
    as_json: AsJson = False,
) -> None:
    """Make a new home from a pile of shares; bad ones are named with the reason and left out.

    The seed comes back; identity and state keys are new, and the memory of the lost home is gone:
    configure, issue the account keys and register the vaults again, and give the new identity to
    those who verify answers.
    """
    with told_errors(as_json):
        selfcheck.require()
        check_free(home)
        if not (card or fingerprint or unchecked):
            raise NothingToCheck(
                "got nothing to check the seed by, expected --card or --fingerprint"
            )
        known = store.read_card(card) if card else None
        pile = _assembled(shares, known)
        ask = backup_passphrase or (known is not None and known.passphrase)
        seed = _opened(pile, _backup_secret(ask, backup_passphrase_file))
        _check(seed, known, fingerprint)
        kek = new_kek_from(passphrase_file, passphrase_fd, kdf_memory_mib)
        name = f"SLIP-39 backup {known.id}" if known else "SLIP-39 backup without card"
        create(home, signer_id, kek, os.urandom, terminal.now_s(), seed=seed, origin=name)
        if known is not None and vaults_out is not None:
            _write_vaults(vaults_out, known)
        _say_report(seed_facts(seed), pile, as_json)


@app.command()
def drill(
    home: HomePath,
    card: backup_shares.CardFile,
    shares: SharePlaces,
    backup_passphrase_file: BackupPassFile = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    as_json: AsJson = False,
) -> None:
    """Prove that shares bring back this home's seed: recover in memory, compare, write it down."""
    with told_errors(as_json), opened_home(home) as found:
        known = store.read_card(card)
        kek = kek_from(passphrase_file, passphrase_fd)
        found.unlock(kek)
        known.check(found.seed(kek))
        pile = _assembled(shares, known)
        known.check(_opened(pile, _backup_secret(known.passphrase, backup_passphrase_file)))
        found.note_backup(BackupEvent.DRILL, known.id, terminal.now_s())
        _say_report(_card_facts(known), pile, as_json)


def _card(
    home: Home, seed: bytes, scheme: Scheme, shares: tuple[tuple[Share, ...], ...], protect: bool
) -> Card:
    some = shares[0][0]
    return Card(
        signer_id=home.state.signer_id,
        created_s=terminal.now_s(),
        identifier=some.identifier,
        extendable=some.extendable,
        exponent=EXPONENT,
        scheme=scheme,
        seed_bytes=len(seed),
        passphrase=protect,
        fingerprint=home.state.fingerprint,
        check_value=check_value(seed),
        share_keys={
            share_name(share): possession.share_key(share) for group in shares for share in group
        },
        vaults=tuple(
            VaultCopy(name=vault.name, role=vault.role, text=vault.text.decode())
            for _, vault in sorted(home.state.vaults.items())
        ),
    )


def _assembled(places: list[Path], card: Card | None) -> Assembled:
    """The backup in these places. Raises BackupError naming every share that is bad."""
    return assemble(store.read_shares(places), card)


def _opened(pile: Assembled, secret: bytes) -> bytes:
    return opened(pile.some, pile.ciphertext, secret)


def _backup_secret(ask: bool, file: Path | None) -> bytes:
    """The passphrase of a backup, or none."""
    if file is None and not ask:
        return b""
    return phrase_from(file, "backup passphrase")


def _check(seed: bytes, card: Card | None, fingerprint: str) -> None:
    """Raise WrongSeed unless the seed is the one that the card and the fingerprint name."""
    if card is not None:
        card.check(seed)
    found = str(seed_facts(seed)["fingerprint"])
    if fingerprint and found != fingerprint.lower():
        raise WrongSeed(f"got a seed with fingerprint {found}, expected {fingerprint}")


def _card_facts(card: Card) -> dict[str, object]:
    return {
        "backup_id": card.id,
        "fingerprint": card.fingerprint,
        "check_value": card.check_value,
        "check_words": " ".join(check_words(card.check_value)),
    }


def _say_report(facts: dict[str, object], pile: Assembled, as_json: bool) -> None:
    """The facts, and what became of every share."""
    shares = [
        {"place": one.place, "share": one.name, "problem": one.problem} for one in pile.report
    ]
    if as_json:
        say_json({**facts, "shares": shares})
        return
    say(facts, as_json)
    for one in shares:
        say({one["place"]: one["problem"] or f"share {one['share']} is good"}, as_json)


def _show(shares: tuple[tuple[Share, ...], ...], card: Card) -> None:
    """Each share alone on the screen, for as long as its custodian writes."""
    for share in (share for group in shares for share in group):
        name = share_name(share)
        _wait(f"Custodian of share {name}, alone at the screen: press ENTER to see it.")
        words = enumerate(share.mnemonic().split(), start=1)
        cells = [f"{place:2}. {word:<10}" for place, word in words]
        lines = ["".join(cells[row : row + 4]) for row in range(0, len(cells), 4)]
        typer.echo("\n".join([f"share {name} of backup {card.id}", *lines]), err=True)
        try:
            _wait("Written down? Press ENTER: the screen is cleared.")
        finally:
            typer.echo(_CLEAR, err=True, nl=False, color=True)


def _wait(text: str) -> None:
    typer.echo(text, err=True)
    if not sys.stdin.readline():
        raise NoTerminal("got the end of input, expected ENTER")


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _write_vaults(folder: Path, card: Card) -> None:
    store.check_new(folder)
    folder.mkdir(parents=True)
    for vault in card.vaults:
        write_atomic(
            folder.joinpath(f"{check_name(vault.name, 'vault')}.toml"), vault.text.encode()
        )

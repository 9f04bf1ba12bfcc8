"""Share files and cards on a disk: a set is there wholly or not at all."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from shamir_mnemonic import Share

from signer.backup.card import CARD_BYTES_MAX, Card
from signer.backup.pile import FILE_BYTES_MAX, SHARES_MAX, Found, PileTooLarge, read_pile
from signer.backup.shares import BackupError, share_name
from signer.storage import StorageError, read_limited, sync_directory, write_atomic

CARD_NAME = "card.json"
"""The card's name in the folder of a set."""


class FolderExists(BackupError):
    """A folder for a new set that is there already."""

    code = "backup.folder_exists"


def check_new(folder: Path) -> None:
    """Raise FolderExists unless a set can be written to this name."""
    if folder.exists():
        raise FolderExists(f"got {folder}, which exists already, expected a new folder")


def write_set(folder: Path, card: Card, shares: Sequence[Sequence[Share]]) -> None:
    """Write the card and a file for each share, in a folder that appears when all are on disk."""
    check_new(folder)
    part = folder.with_name(folder.name + ".part")
    # Left by a process that was killed here: shares of a set that nobody was given.
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    for group in shares:
        for share in group:
            name = share_name(share)
            text = f"# share {name} of backup {card.id} of {card.signer_id}\n{share.mnemonic()}\n"
            write_atomic(part.joinpath(f"share-{name}.txt"), text.encode())
    write_atomic(part.joinpath(CARD_NAME), card.encode())
    part.replace(folder)
    sync_directory(folder.parent)


def read_card(file: Path) -> Card:
    """A card. Raises CardInvalid, StorageError."""
    return Card.decode(read_limited(file, CARD_BYTES_MAX))


def read_shares(places: Sequence[Path]) -> tuple[Found, ...]:
    """Every share in these files and folders. Raises StorageError, PileTooLarge."""
    files: dict[str, Path] = {}
    for place in places:
        inside = sorted(place.iterdir()) if place.is_dir() else [place]
        found = [path for path in inside if path.is_file() and path.name != CARD_NAME]
        files.update({str(path): path for path in found})
    if len(files) > SHARES_MAX:
        raise PileTooLarge(f"got {len(files)} files, expected at most {SHARES_MAX}")
    pile: list[Found] = []
    texts: Mapping[str, str | None] = {name: _text(path) for name, path in files.items()}
    for name, text in texts.items():
        if text is None:
            pile.append(Found(name, None, "is no text of at most 64 KiB"))
        else:
            pile += read_pile([(name, text)])
    return tuple(pile)


def _text(path: Path) -> str | None:
    """One bad file must not hide the good ones."""
    try:
        return read_limited(path, FILE_BYTES_MAX).decode()
    except (StorageError, UnicodeDecodeError):
        return None

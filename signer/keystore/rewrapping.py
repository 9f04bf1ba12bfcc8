"""Writing all key files of a home again under another KEK, so that a kill leaves old or new.

The new files are made in `keys.part` and read back. Renaming that folder to `keys.new` is the one
moment at which they begin to count; from then on `settle`, which every opening of a home runs
first, finishes the exchange. At no moment does a home open with both, or with neither.

| killed | on restart |
|---|---|
| while `keys.part` is written | the old files count; the part is dropped by the next attempt |
| after `keys.new` exists | `settle` puts it in the place of `keys` and deletes the old files |
"""

import hmac
import shutil
from pathlib import Path

from signer.entropy import RandomBytes
from signer.keystore.errors import RewrapFailed
from signer.keystore.files import KeyFile, key_files, open_key
from signer.keystore.headers import FILE_BYTES_MAX
from signer.keystore.hk1 import decode_key, encode_key
from signer.keystore.kek import Kek
from signer.storage import read_limited, sync_directory, write_atomic


def settle(home: Path) -> None:
    """Finish an exchange of key files that was cut short. Only while holding the home's lock."""
    keys, new, old = (home.joinpath(name) for name in ("keys", "keys.new", "keys.old"))
    if new.exists():
        if keys.exists():
            shutil.rmtree(old, ignore_errors=True)
            keys.rename(old)
        new.rename(keys)
        sync_directory(home)
    if old.exists():
        shutil.rmtree(old)
        sync_directory(home)


def rewrap(home: Path, old: Kek, new: Kek, random: RandomBytes) -> tuple[KeyFile, ...]:
    """Write every key file as `HK1` under `new`, each with a new data key. Gives the new files.

    Raises KeystoreError; until the end nothing has changed. Only while holding the home's lock.
    """
    settle(home)
    part = home.joinpath("keys.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700)
    for file in key_files(home.joinpath("keys")):
        opened = open_key(file.data, old)
        path = part.joinpath(f"{file.name}.hk1")
        write_atomic(path, encode_key(opened.header, opened.secret, new, random))
        again = decode_key(read_limited(path, FILE_BYTES_MAX), new)
        same = hmac.compare_digest(again.secret, opened.secret)
        if not same or again.header != opened.header:
            raise RewrapFailed(f"got other bytes back of {file.name}, expected the same secret")
    written = key_files(part)
    if not written:
        raise RewrapFailed("got a home without key files, expected some")
    part.rename(home.joinpath("keys.new"))
    sync_directory(home)
    settle(home)
    return written

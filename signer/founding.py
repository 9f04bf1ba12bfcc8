"""A new home: three secrets, their encrypted files, and the first record of its log."""

import shutil
from pathlib import Path

from signer.config import check_name
from signer.derive import KeyChain
from signer.entropy import RandomBytes, new_secret
from signer.home import HomeError
from signer.keystore import Kek, SecretUse, encode_key, new_header, public_value
from signer.log import Log, LogKind
from signer.screening import screen, screen_imported
from signer.storage import sync_directory, write_atomic

SEED_BYTES = 32
"""256 bits; the BIP-32 seed itself."""


def create(
    path: Path,
    signer_id: str,
    kek: Kek,
    random: RandomBytes,
    time_s: int,
    second: bytes | None = None,
    seed: bytes | None = None,
    origin: str = "system generator",
) -> None:
    """Make a home, wholly or not at all: it is built beside and renamed into place.

    A `seed` that was recovered or imported is taken as it is; identity and state keys are always
    new, so that a recovered home is not mistaken for the lost one. `origin` says in the log where
    the seed came from. Raises WeakSeed.
    """
    check_name(signer_id, "signer id")
    if seed is None:
        seed = new_secret(random, SEED_BYTES, "seed", second)
        screen(seed)
    else:
        screen_imported(seed)
    check_free(path)
    part = path.with_name(path.name + ".part")
    # Left by a process that was killed here; nobody was ever given anything of it.
    shutil.rmtree(part, ignore_errors=True)
    for folder in ("keys", "config"):
        part.joinpath(folder).mkdir(parents=True, mode=0o700)
    secrets = {
        SecretUse.SEED: seed,
        SecretUse.IDENTITY: new_secret(random, 32, "identity", second),
        SecretUse.STATE: new_secret(random, 32, "state", second),
    }
    publics = {use: public_value(use, secret) for use, secret in secrets.items()}
    for use, secret in secrets.items():
        header = new_header(f"{signer_id}/{use}", use, secret, time_s)
        write_atomic(part.joinpath("keys", f"{use}.hk1"), encode_key(header, secret, kek, random))
    log = Log.create(part.joinpath("log"), part.joinpath("mark"), secrets[SecretUse.STATE])
    created = {
        "signer_id": signer_id,
        "fingerprint": KeyChain(secrets[SecretUse.SEED]).fingerprint,
        "identity": publics[SecretUse.IDENTITY],
        "origin": origin,
    }
    log.append(LogKind.CREATED, time_s, created)
    log.close()
    part.replace(path)
    sync_directory(path.parent)


def check_free(path: Path) -> None:
    """Raise HomeError where something is already: a home is never made over another."""
    if path.exists():
        raise HomeError(f"got {path}, which exists already, expected a new folder")

"""`keys list`, `keys rewrap`, `keys import-web3`, `keys transit-request`: the key files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from chains.evm.addresses import checksum
from signer import selfcheck
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
from signer.config import ConfigError
from signer.keystore import (
    FILE_BYTES_MAX,
    HOME_USES,
    FactorMissing,
    KeyFile,
    TransitKey,
    ciphertext_of,
    read_web3,
)
from signer.keystore.transit import ANSWER_BYTES_MAX
from signer.prompting import kek_from, new_kek_from, secret_from
from signer.protocol import clean
from signer.storage import read_limited, write_atomic

app = typer.Typer(
    no_args_is_help=True,
    help="The key files: what they are, what opens them, and moving them under another key.",
)

OutFile = Annotated[Path, typer.Option("--out", help="Where the request for the engine goes.")]


@app.command("list")
def list_keys(home: HomePath, as_json: AsJson = False) -> None:
    """Each key file: its format, what opens it, and how many are still under 3DES."""
    with told_errors(as_json), opened_home(home, any_config=True) as opened:
        files = [_described(file) for file in opened.key_files()]
        remaining = opened.hk0_remaining
        if as_json:
            say_json({"keys": files, "hk0_remaining": remaining})
            return
        for file in files:
            typer.echo(clean("  ".join(str(value) for value in file.values())))
        typer.echo(f"still under 3DES (HK0): {remaining}")


@app.command()
def rewrap(
    home: HomePath,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    new_passphrase_file: Annotated[
        Path | None, typer.Option(help="Read the new passphrase from this file.")
    ] = None,
    new_passphrase_fd: Annotated[
        int | None, typer.Option(help="Read the new passphrase from this descriptor.")
    ] = None,
    new_unlock: Annotated[
        Path | None, typer.Option(help="Protect by the factors that this unlock file names.")
    ] = None,
    kdf_memory_mib: Annotated[
        int, typer.Option(help="Argon2id memory in MiB; 64 at least, 1024 for a cold signer.")
    ] = 1024,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what opens the files; only draw new data keys.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write every key file again as HK1: new data keys, and a new passphrase or new factors.

    All files change or none, also when the machine stops in between; no HK0 is left. Old copies and
    backups of the files still open with the old passphrase: destroy them.
    """
    with told_errors(as_json), opened_home(home, any_config=True) as opened:
        selfcheck.require()
        new_ones = (new_passphrase_file, new_passphrase_fd, new_unlock)
        if keep and any(each is not None for each in new_ones):
            raise ConfigError("got --keep and something new, expected one of them")
        before = opened.hk0_remaining
        old = kek_from(passphrase_file, passphrase_fd, unlock)
        # Asked before anything is opened, so that a mistyped new passphrase changes nothing.
        new = old if keep else new_kek_from(*new_ones[:2], kdf_memory_mib, new_unlock)
        files = opened.rewrap(old, new)
        say(
            {
                "rewrapped": len(files),
                "hk0_before": before,
                "hk0_remaining": opened.hk0_remaining,
                "opened_by": ", ".join(files[0].kinds),
            },
            as_json,
        )


@app.command("import-web3")
def import_web3(
    home: HomePath,
    file: Annotated[Path, typer.Option(help="A Web3 keystore, version 3 (geth, MetaMask, ...).")],
    web3_password_file: Annotated[
        Path | None, typer.Option(help="Read the keystore's password from this file.")
    ] = None,
    web3_password_fd: Annotated[
        int | None, typer.Option(help="Read the keystore's password from this descriptor.")
    ] = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep a key from a Web3 keystore under the home's own protection, as an HK1 file.

    It is one key, no part of the seed: vaults and requests do not use it and the seed's backup does
    not hold it. Move the money to an address of a vault, then destroy the keystore.
    """
    with told_errors(as_json), opened_home(home, any_config=True) as opened:
        selfcheck.require()
        password = secret_from(web3_password_file, web3_password_fd, "password of the keystore")
        key = read_web3(read_limited(file, FILE_BYTES_MAX), password)
        kek = kek_from(passphrase_file, passphrase_fd, unlock)
        kept = opened.import_key(key.secret, key.address.hex(), kek, terminal.now_s())
        say(
            {
                "address": checksum(key.address),
                "file": f"{kept.name}.hk1",
                "signs": "nothing: move its money to a vault's address, then destroy the keystore",
            },
            as_json,
        )


@app.command("transit-request")
def transit_request(
    out: OutFile,
    home: Annotated[
        Path | None, typer.Option(help="The home to be opened; its key files name the key.")
    ] = None,
    wrapped: Annotated[
        Path | None, typer.Option(help="For a new home: the answer to datakey/wrapped/:name.")
    ] = None,
    key: Annotated[str, typer.Option(help="For a new home: the transit key's name.")] = "",
    mount: Annotated[str, typer.Option(help="For a new home: where the engine is.")] = "transit",
    context: Annotated[str, typer.Option(help="For a new home: Base64, for derived keys.")] = "",
    associated_data: Annotated[str, typer.Option(help="For a new home: Base64.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write the request that an operator carries to a Vault-compatible transit engine.

    The file holds method, path and JSON body of `POST /v1/transit/decrypt/:name`; send the body,
    carry the JSON answer back, name it in the unlock file, and destroy it after use.
    """
    with told_errors(as_json):
        if (home is None) == (wrapped is None):
            raise ConfigError("got a home and a wrapped key, or neither, expected one of them")
        if wrapped is not None:
            ciphertext = ciphertext_of(read_limited(wrapped, ANSWER_BYTES_MAX))
            wanted = TransitKey(
                name=key,
                ciphertext=ciphertext,
                mount=mount,
                context=context,
                associated_data=associated_data,
            )
        elif home is not None:
            wanted = _transit_key_of(home)
        request = wanted.decrypt_request()
        write_atomic(out, json.dumps(request, indent=2, sort_keys=True).encode() + b"\n")
        say({"path": request["path"], "out": str(out)}, as_json)


def _transit_key_of(home: Path) -> TransitKey:
    with opened_home(home, any_config=True) as opened:
        for file in opened.key_files():
            if file.name in HOME_USES and "transit" in file.kinds:
                return TransitKey.read(file.factors["transit"])
    raise FactorMissing("got a home that needs no transit engine, expected one that does")


def _described(file: KeyFile) -> dict[str, object]:
    header = file.header
    return {
        "file": file.name,
        "format": file.format,
        "opened_by": list(file.kinds),
        "use": str(header.use),
        "kid": header.kid,
        "created_s": header.created_s,
    }

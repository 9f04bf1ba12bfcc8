"""`xpub`, `register`, `address`: account keys and the vaults they are part of."""

from pathlib import Path
from typing import Annotated

import typer

from chains.hd import parse_path, path_text
from signer import registry
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
from signer.config import CONFIG_BYTES_MAX, ConfigError
from signer.display import grouped
from signer.guards.facts import RegisteredVault, Role
from signer.home import Home, HomeError
from signer.prompting import kek_from
from signer.registry import KeyUse
from signer.storage import read_limited

app = typer.Typer()


@app.command()
def xpub(
    home: HomePath,
    network: Annotated[str, typer.Option(help="The one network this key will be for.")],
    use: Annotated[KeyUse, typer.Option(help="What it will be part of.")] = KeyUse.MULTISIG,
    account: Annotated[int, typer.Option(help="Account number; one for each vault.")] = 0,
    path: Annotated[str, typer.Option(help="Another path, all hardened, e.g. 87h/0h/0h.")] = "",
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    as_json: AsJson = False,
) -> None:
    """Issue an account key and bind it to a network for ever; asking again gives it again."""
    with told_errors(as_json), opened_home(home) as opened:
        _, coin_type = registry.key_numbers(network, opened.networks)
        steps = parse_path(path.removeprefix("m/")) if path else ()
        steps = steps or registry.standard_path(use, coin_type, account)
        known = opened.state.accounts.get(steps)
        if known is None or known.network != network:
            opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
            known = opened.account(network, steps, terminal.now_s())
        origin = f"[{opened.state.fingerprint}{path_text(known.path)[1:]}]{known.xpub}"
        say({"network": network, "path": path_text(known.path), "key": origin}, as_json)


@app.command()
def register(
    home: HomePath,
    file: Annotated[list[Path], typer.Option(help="The vault file (TOML); may be repeated.")],
    role: Annotated[list[Role], typer.Option(help="What the vault is for; one for each file.")],
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Register vaults, each after showing all its keys, which one is ours, and its first address.

    With --json the answer for one file is one object a line.
    """
    with told_errors(as_json), opened_home(home) as opened:
        if len(file) != len(role):
            raise ConfigError(
                f"got {len(file)} files and {len(role)} roles, expected one role each"
            )
        texts = [read_limited(path, CONFIG_BYTES_MAX) for path in file]
        for text, what in zip(texts, role, strict=True):
            ask(yes, _vault_lines(opened, opened.parse_vault(text, what)), "Register this vault?")
        opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
        for text, what in zip(texts, role, strict=True):
            vault, first, proof = opened.register(text, what, terminal.now_s())
            say(
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
    with told_errors(as_json), opened_home(home) as opened:
        found = opened.vaults.get(vault)
        if found is None:
            raise HomeError(f"got vault {vault!r}, expected one of {sorted(opened.vaults)}")
        text = registry.address_at(found.vault, opened.networks, branch, index)
        say({"address": text, "grouped": grouped(text), "path": f"{branch}/{index}"}, as_json)


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

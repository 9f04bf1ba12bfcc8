"""`xpub`, `register`, `address`, `vault`: account keys and the vaults they are part of."""

from pathlib import Path
from typing import Annotated

import typer

from chains.hd import parse_path, path_text
from chains.utxo.descriptors import DescriptorVault
from chains.utxo.wallet_policies import policy_of
from chains.vaults import key_count
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
from signer.ownership import find_address, place_of
from signer.prompting import kek_from
from signer.protocol import clean
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
            ask(yes, vault_lines(opened, opened.parse_vault(text, what)), "Register this vault?")
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
    vault: Annotated[str, typer.Option(help="A registered vault.")] = "",
    index: Annotated[int, typer.Option(help="Address index.")] = 0,
    branch: Annotated[int, typer.Option(help="0 receive, 1 change.")] = 0,
    find: Annotated[str, typer.Option(help="Search for this address instead.")] = "",
    search: Annotated[int, typer.Option(help="Indexes of each branch to search.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Derive an address from a registered vault, to compare with what others show.

    With --find, search every vault for an address: its vault and path, or address.not_ours.
    """
    with told_errors(as_json), opened_home(home) as opened:
        if bool(vault) == bool(find):
            raise ConfigError("got a vault and an address to find or neither, expected one of them")
        if find:
            place = find_address(find, opened.vaults, opened.networks, search)
        else:
            place = place_of(_registered(opened, vault), branch, index)
        entry = opened.vaults[place.vault]
        text = registry.address_at(entry.vault, opened.networks, place.branch, place.index)
        say(
            {
                "vault": place.vault,
                "address": text,
                "grouped": grouped(text),
                "path": f"{place.branch}/{place.index}",
                "key_path": place.key_path,
            },
            as_json,
        )


@app.command("vault")
def vault_command(
    home: HomePath,
    vault: Annotated[str, typer.Option(help="A registered vault.")],
    as_json: AsJson = False,
) -> None:
    """Show a registered vault in every form: keys, descriptor, wallet policy, proof.

    Keep the answer with the backups: without its keys nobody finds the money of a vault again.
    """
    with told_errors(as_json), opened_home(home) as opened:
        found = _registered(opened, vault)
        values: dict[str, object] = {
            "vault": found.name,
            "network": found.network,
            "role": str(found.role),
            "keys": [origin.text for origin in registry.origins_of(found.vault)],
            "custodians": list(found.custodians),
            "first_address": registry.first_address(found.vault, opened.networks),
            "proof": opened.state.vaults[vault].proof.hex(),
        }
        if isinstance(found.vault, DescriptorVault):
            values["descriptor"] = found.vault.text
            values["policy"] = policy_of(found.vault)[0]
        say(values, as_json)


def _registered(opened: Home, name: str) -> RegisteredVault:
    found = opened.vaults.get(name)
    if found is None:
        raise HomeError(f"got vault {name!r}, expected one of {sorted(opened.vaults)}")
    return found


def vault_lines(home: Home, vault: RegisteredVault) -> list[str]:
    """What a person reads before registering a vault: every key, ours, and the first address."""
    origins = registry.origins_of(vault.vault)
    own = vault.own.xpub if vault.own else ""
    lines = [f"vault {vault.name}, {vault.role}, on {vault.network}"]
    threshold = getattr(vault.vault, "threshold", 1)
    lines.append(f"{threshold} of {key_count(vault.vault)} keys must sign")
    for place, origin in enumerate(origins, start=1):
        mark = "  <- OURS" if origin.key.text == own else ""
        lines.append(f"{place}. {origin.text}{mark}")
    if vault.custodians:
        lines.append(f"kept by {', '.join(clean(name) for name in vault.custodians)}")
    else:
        lines.append("the file does not say who keeps which key")
    if vault.own is None:
        lines.append("no key is ours: it will only be known as a destination")
    lines.append(f"first address {grouped(registry.first_address(vault.vault, home.networks))}")
    return lines

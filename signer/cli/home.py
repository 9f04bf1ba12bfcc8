"""`selfcheck`, `init`, `configure`, `status`: a signer's home."""

import os
from pathlib import Path
from typing import Annotated

import typer

from signer import selfcheck
from signer.activation import read_approval
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
    say_json,
    told_errors,
)
from signer.config import CONFIG_BYTES_MAX, load_config
from signer.home import create
from signer.prompting import kek_from, new_kek_from
from signer.storage import read_limited

app = typer.Typer()


@app.command("selfcheck")
def selfcheck_command(as_json: AsJson = False) -> None:
    """Run the known-answer tests that every other command relies on."""
    checks = selfcheck.run()
    if as_json:
        say_json({check.name: check.ok for check in checks})
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
    unlock: UnlockFile = None,
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
    with told_errors(as_json):
        selfcheck.require()
        second = read_limited(entropy_file, 1024 * 1024) if entropy_file is not None else None
        kek = new_kek_from(passphrase_file, passphrase_fd, kdf_memory_mib, unlock)
        create(home, signer_id, kek, os.urandom, terminal.now_s(), second)
        with opened_home(home) as opened:
            state = opened.state
            say(
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
    approval: Annotated[
        list[Path] | None,
        typer.Option(help="An approval of this proposal by governance; may be repeated."),
    ] = None,
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Activate limits and policy; their hashes are pinned in the log until the next activation.

    Shows what changes before it asks. Where the activated signer.toml has a governance_quorum it
    takes that many approvals of what `propose` wrote.
    """
    with told_errors(as_json), opened_home(home, any_config=True) as opened:
        config_text = read_limited(config, CONFIG_BYTES_MAX)
        policy_text = read_limited(policy, CONFIG_BYTES_MAX)
        new = load_config(config_text, policy_text)
        approvals = [read_approval(read_limited(file, CONFIG_BYTES_MAX)) for file in approval or ()]
        lines = [
            *opened.proposal(config_text, policy_text).lines(),
            f"policy {new.policy.name}, hash {new.policy.hash}",
            f"signs without a person: {'YES' if new.policy.unattended else 'no'}",
        ]
        ask(yes, lines, "Activate? Compare the hashes with a second person.")
        opened.unlock(kek_from(passphrase_file, passphrase_fd, unlock))
        opened.configure(config_text, policy_text, terminal.now_s(), approvals)
        say({"policy_hash": new.policy.hash, "config_sha256": new.config_sha256.hex()}, as_json)


@app.command()
def status(home: HomePath, as_json: AsJson = False) -> None:
    """Who this signer is, what it has registered, and how far its log goes."""
    with told_errors(as_json), opened_home(home) as opened:
        say(
            {
                "signer_id": opened.state.signer_id,
                "identity": opened.state.identity.hex(),
                "fingerprint": opened.state.fingerprint,
                "policy_hash": opened.config.policy.hash if opened.config else "",
                "vaults": sorted(opened.vaults),
                "counter": opened.log.counter,
                "log_head": opened.log.head.hex(),
                "hk0_remaining": opened.hk0_remaining,
            },
            as_json,
        )

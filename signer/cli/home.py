"""`selfcheck`, `init`, `configure`, `status`: a signer's home."""

import os
from pathlib import Path
from typing import Annotated

import typer

from signer import dice as dice_rolls
from signer import entropy, selfcheck
from signer.activation import read_approval
from signer.cli import terminal
from signer.cli.terminal import (
    AsJson,
    HomePath,
    KdfMemory,
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
from signer.founding import create
from signer.prompting import kek_from, new_kek_from
from signer.storage import read_limited

app = typer.Typer()


@app.command("selfcheck")
def selfcheck_command(
    release: Annotated[
        Path | None,
        typer.Option(help="A release folder or its SHA256SUMS; an installation keeps its own."),
    ] = None,
    release_key: Annotated[
        str, typer.Option(help="The public release key, 64 hex digits, from another source.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Run the known-answer tests that every other command relies on.

    With --release-key also compare every installed file with the release that this key signed.
    """
    with told_errors(as_json):
        checks = selfcheck.run()
        files = selfcheck.release_line(release, release_key)
        if as_json:
            say_json({**{check.name: check.ok for check in checks}, "release": files})
        else:
            for check in checks:
                typer.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}")
            typer.echo(f"release: {files}")
        if not all(check.ok for check in checks):
            raise typer.Exit(1)


@app.command()
def init(
    home: HomePath,
    signer_id: Annotated[str, typer.Option("--id", help="This signer's name, e.g. hot-a.")],
    passphrase_file: PassFile = None,
    passphrase_fd: PassFd = None,
    unlock: UnlockFile = None,
    dice: Annotated[
        Path | None, typer.Option(help="A second source: 99 rolls of a die or more, digits 1 to 6.")
    ] = None,
    entropy_file: Annotated[
        Path | None,
        typer.Option(help="A second source: 32 random bytes or more from another machine or HSM."),
    ] = None,
    only_system_entropy: Annotated[
        bool, typer.Option(help="Do without a second source; for hot signers set up by scripts.")
    ] = False,
    kdf_memory_mib: KdfMemory = 1024,
    as_json: AsJson = False,
) -> None:
    """Make a new home: seed, identity and state keys, encrypted, and an empty log.

    Randomness comes from the system and at least one second source, mixed so that knowing either
    gives nothing: --dice, --entropy-file, or both.
    """
    with told_errors(as_json):
        selfcheck.require()
        sources = _second_sources(dice, entropy_file, only_system_entropy)
        kek = new_kek_from(passphrase_file, passphrase_fd, kdf_memory_mib, unlock)
        origin = " and ".join(("system generator", *sources))
        second = entropy.mixed(sources)
        create(home, signer_id, kek, os.urandom, terminal.now_s(), second, origin=origin)
        with opened_home(home) as opened:
            state = opened.state
            say(
                {
                    "signer_id": state.signer_id,
                    "identity": state.identity.hex(),
                    "fingerprint": state.fingerprint,
                    "origin": state.origin,
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
                "origin": opened.state.origin,
                "backup_id": opened.state.backup_id,
                "last_drill_s": opened.state.drilled_s,
                "policy_hash": opened.config.policy.hash if opened.config else "",
                "vaults": sorted(opened.vaults),
                "counter": opened.log.counter,
                "log_head": opened.log.head.hex(),
                "hk0_remaining": opened.hk0_remaining,
            },
            as_json,
        )


def _second_sources(dice: Path | None, file: Path | None, none: bool) -> dict[str, bytes]:
    """The second sources by name. Raises EntropyError if there is none and nobody said so."""
    sources = {}
    if dice is not None:
        text = read_limited(dice, entropy.SECOND_SOURCE_BYTES_MAX)
        sources["dice"] = dice_rolls.rolls_of(text)
    if file is not None:
        data = read_limited(file, entropy.SECOND_SOURCE_BYTES_MAX)
        sources["file"] = entropy.file_source(data)
    if none == bool(sources):
        raise entropy.SecondSourceMissing(
            "got no clear word about a second source, expected --dice, --entropy-file or both,"
            " or --only-system-entropy alone"
        )
    return sources

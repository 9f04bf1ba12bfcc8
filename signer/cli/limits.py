"""`propose`, `replay`: what new limits would change, and what they would have refused."""

from pathlib import Path
from typing import Annotated

import typer

from policies.loader import load_policy
from signer.audit import audit, records
from signer.cli.terminal import AsJson, HomePath, opened_home, say, say_json, told_errors
from signer.config import CONFIG_BYTES_MAX, parse_toml
from signer.protocol import clean
from signer.replay import replay as judged
from signer.storage import read_limited, write_atomic

app = typer.Typer()


@app.command()
def propose(
    home: HomePath,
    config: Annotated[Path, typer.Option(help="The new signer.toml.")],
    policy: Annotated[Path, typer.Option(help="The new policy.toml.")],
    out: Annotated[Path, typer.Option("--out", help="Where the proposal (GP1) goes.")],
    as_json: AsJson = False,
) -> None:
    """Show what new files would change, and write the proposal that governance approves.

    Approvers read and sign it with `glaytos-wallet treasury approve-policy`.
    """
    with told_errors(as_json), opened_home(home) as opened:
        proposal = opened.proposal(
            read_limited(config, CONFIG_BYTES_MAX), read_limited(policy, CONFIG_BYTES_MAX)
        )
        lines = proposal.lines()
        write_atomic(out, proposal.encode())
        if as_json:
            answer = {"ok": True, "digest": proposal.digest.hex(), "lines": lines}
            say_json({**answer, "quorum": opened.state.governance_quorum, "out": str(out)})
            return
        for line in lines:
            typer.echo(line)
        quorum = opened.state.governance_quorum
        say({"digest": proposal.digest.hex(), "approvals needed": quorum, "out": str(out)}, False)


@app.command()
def replay(
    home: HomePath,
    policy: Annotated[Path, typer.Option(help="A proposed policy.toml; it is not activated.")],
    as_json: AsJson = False,
) -> None:
    """Judge every request that was signed, by another policy: what that would have refused."""
    with told_errors(as_json):
        proposed = load_policy(parse_toml(read_limited(policy, CONFIG_BYTES_MAX), "policy.toml"))
        audit(home)
        verdicts = list(judged(records(home), proposed))
        refused = [verdict for verdict in verdicts if verdict.code]
        told = {
            "signed": len(verdicts),
            "refused": len(refused),
            "not_known": sum(not verdict.known for verdict in verdicts),
        }
        if as_json:
            rows = [
                {"seq": v.seq, "time_s": v.time_s, "request_id": v.request_id, "code": v.code,
                 "text": v.text}
                for v in refused
            ]  # fmt: skip
            say_json({"ok": True, **told, "verdicts": rows})
            return
        for verdict in refused:
            line = f"{verdict.seq} {verdict.request_id}: policy.{verdict.code}: {verdict.text}"
            typer.echo(clean(line))
        say(told, False)

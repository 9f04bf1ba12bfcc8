"""`backup share-challenge | share-check | share-verify`: who still holds a share."""

import os
from pathlib import Path
from typing import Annotated

import typer

from signer.backup import possession, store
from signer.cli.terminal import AsJson, say, told_errors

app = typer.Typer()

CardFile = Annotated[Path, typer.Option("--card", help="The backup's card (card.json).")]


@app.command("share-challenge")
def share_challenge(as_json: AsJson = False) -> None:
    """A fresh challenge, to be put to a custodian."""
    with told_errors(as_json):
        say({"challenge": possession.new_challenge(os.urandom)}, as_json)


@app.command("share-check")
def share_check(
    card: CardFile,
    share: Annotated[Path, typer.Option(help="The file with the one share.")],
    challenge: Annotated[str, typer.Option(help="The challenge; without one, only check.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check a share against the card, and answer a challenge without showing the share."""
    with told_errors(as_json):
        known = store.read_card(card)
        pile = store.read_shares([share])
        if len(pile) != 1:
            raise possession.NotInPossession(f"got {len(pile)} shares in a file, expected one")
        if pile[0].share is None:
            raise possession.NotInPossession(f"{pile[0].place}: {pile[0].problem}")
        name = possession.check_share(known, pile[0].share)
        facts = {"card": known.id, "share": name}
        if challenge:
            facts["answer"] = possession.answer(known, pile[0].share, challenge)
        say(facts, as_json)


@app.command("share-verify")
def share_verify(
    card: CardFile,
    share: Annotated[str, typer.Option(help="The share's name, e.g. 1-2.")],
    challenge: Annotated[str, typer.Option(help="The challenge that was put.")],
    answer: Annotated[str, typer.Option(help="The custodian's answer.")],
    as_json: AsJson = False,
) -> None:
    """Verify a custodian's answer with the card alone; needs no secret."""
    with told_errors(as_json):
        known = store.read_card(card)
        possession.check_answer(known, share, challenge, answer)
        say({"card": known.id, "share": share, "held": True}, as_json)

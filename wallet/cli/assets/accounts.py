"""Commands about accounts: their trust lines, freezes, and all that was stated of them."""

from typing import Annotated

import typer

from wallet.cli.assets.options import (
    AccountId,
    AsJson,
    AssetCode,
    Credentials,
    Most,
    Once,
    Reason,
    asking,
    say,
    say_all,
)
from wallet.cli.assets.registry import app

__all__ = ["app"]

FREEZE_COLUMNS = ("account_id", "asset", "reason", "changed_by", "since_s")


@app.command()
def trust(
    account_id: AccountId,
    asset: AssetCode,
    limit: Annotated[str, typer.Argument(help="Decimal text; 0 lets no more in.")],
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """State how much of a registered asset an account may be worth; as its holder.

    Below what it holds, the limit stops inflow and nothing else.
    """
    with asking(credentials) as api:
        line = api.state_trust(account_id, asset, limit=limit, idempotency_key=once or None)
        say(line, as_json)


@app.command("trust-lines")
def trust_lines(account_id: AccountId, credentials: Credentials, as_json: AsJson = False) -> None:
    """Every trust line of an account, withdrawn ones too."""
    columns = ("asset", "limit", "held", "withdrawn", "frozen", "since_s")
    with asking(credentials) as api:
        say_all(api.trust_lines(account_id), columns, "trust lines", as_json)


@app.command()
def terms(
    account_id: AccountId, asset: AssetCode, credentials: Credentials, as_json: AsJson = False
) -> None:
    """All limits and freezes of an account in one asset, by whom and why; the last one holds."""
    columns = ("number", "limit", "frozen", "reason", "changed_by", "since_height", "since_s")
    with asking(credentials) as api:
        say_all(api.terms(account_id, asset), columns, asset, as_json)


@app.command()
def freeze(
    account_id: AccountId,
    asset: AssetCode,
    reason: Reason,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Let an account neither give nor get in one asset, until the freeze is lifted.

    What was promised before is still paid, and what a chain did is still booked.
    """
    with asking(credentials) as api:
        say(api.freeze(account_id, asset, reason, idempotency_key=once or None), as_json)


@app.command()
def lift(
    account_id: AccountId,
    asset: AssetCode,
    reason: Reason,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Let a frozen account go on in one asset."""
    with asking(credentials) as api:
        say(api.lift_freeze(account_id, asset, reason, idempotency_key=once or None), as_json)


@app.command()
def freezes(
    credentials: Credentials,
    account: Annotated[str, typer.Option(help="Only those of this account.")] = "",
    asset: Annotated[str, typer.Option(help="Only those in this asset.")] = "",
    limit: Most = 50,
    as_json: AsJson = False,
) -> None:
    """What is frozen now, newest first, by whom and why."""
    with asking(credentials) as api:
        found = api.list_freezes(account_id=account or None, asset=asset or None, limit=limit)
        say_all(found.data, FREEZE_COLUMNS, "frozen", as_json)

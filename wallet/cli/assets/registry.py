"""Commands that register, show, issue and redeem assets."""

from typing import Annotated

import typer

from wallet.cli.assets.gateways import app
from wallet.cli.assets.options import (
    AccountId,
    AsJson,
    AssetCode,
    Credentials,
    GatewayId,
    Most,
    Once,
    asking,
    say,
    say_all,
)

__all__ = ["app"]

Symbol = Annotated[str, typer.Argument(help="Stands before the dot, for example GOLD.")]
Name = Annotated[str, typer.Argument(help="What people read, for example 'one gram of gold'.")]
Amount = Annotated[str, typer.Argument(help="Decimal text, for example 12.5.")]
ExternalId = Annotated[str, typer.Option(help="Your own name for it; done once for ever.")]


@app.command("register-currency")
def register_currency(
    gateway: GatewayId,
    symbol: Symbol,
    name: Name,
    mirrors: Annotated[str, typer.Option(help="The asset of a chain that it stands for: BTC.")],
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Register what mirrors a coin, one to one and unlimited; as the gateway or its agent."""
    with asking(credentials) as api:
        made = api.register_currency(gateway, symbol, name, mirrors, idempotency_key=once or None)
        say(made, as_json)


@app.command("register-physical")
def register_physical(
    gateway: GatewayId,
    symbol: Symbol,
    name: Name,
    quota: Annotated[str, typer.Option(help="All that can ever be issued, decimal text.")],
    decimals: Annotated[int, typer.Option(min=0, max=36, help="Decimals of its amounts.")],
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Register what there is only a quota of; as the gateway or its agent.

    The quota is locked with it: nobody can raise it, and what was redeemed is not issued again.
    """
    with asking(credentials) as api:
        made = api.register_physical(
            gateway, symbol, name, decimals, quota=quota, idempotency_key=once or None
        )
        say(made, as_json)


@app.command("list")
def list_all(
    credentials: Credentials,
    gateway: Annotated[str, typer.Option(help="Only those of this gateway.")] = "",
    limit: Most = 50,
    as_json: AsJson = False,
) -> None:
    """Registered assets, newest first, and how much of each there is."""
    columns = ("asset", "type", "mirrors", "quota", "issued", "redeemed", "outstanding")
    with asking(credentials) as api:
        found = api.list_assets(gateway=gateway or None, limit=limit).data
        say_all(found, columns, "registered assets", as_json)


@app.command()
def show(asset: AssetCode, credentials: Credentials, as_json: AsJson = False) -> None:
    """One registered asset with its terms and sums."""
    with asking(credentials) as api:
        say(api.asset(asset), as_json)


@app.command()
def issue(
    asset: AssetCode,
    account_id: AccountId,
    amount: Amount,
    external_id: ExternalId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Issue to an account that trusts the asset; as its gateway or an agent."""
    with asking(credentials) as api:
        key = once or None
        made = api.issue(asset, account_id, external_id, amount=amount, idempotency_key=key)
        say(made, as_json)


@app.command()
def redeem(
    asset: AssetCode,
    account_id: AccountId,
    amount: Amount,
    external_id: ExternalId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Take back from an account what it gets outside; never more than it has available."""
    with asking(credentials) as api:
        key = once or None
        made = api.redeem(asset, account_id, external_id, amount=amount, idempotency_key=key)
        say(made, as_json)


@app.command()
def issues(
    asset: AssetCode, credentials: Credentials, limit: Most = 50, as_json: AsJson = False
) -> None:
    """Issues and redemptions of an asset, newest first."""
    columns = ("kind", "amount", "account_id", "external_id", "done_by", "created_s")
    with asking(credentials) as api:
        say_all(api.list_issues(asset, limit=limit).data, columns, asset, as_json)

"""Commands about gateways and the API keys that act for them."""

from typing import Annotated

import typer

from wallet.cli.assets.options import (
    AsJson,
    Credentials,
    GatewayId,
    KeyId,
    Once,
    asking,
    say,
    say_all,
)

app = typer.Typer(
    help="Registered assets: who issues them, who trusts them and how far, and what is frozen. "
    "Every command acts with the API key of a credentials file."
)


@app.command("open-gateway")
def open_gateway(
    gateway_id: GatewayId,
    name: Annotated[str, typer.Argument(help="What people read, for example 'Zurich Vaults'.")],
    key_id: KeyId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Open a gateway for an API key; as the operator. The id stands in its assets for ever."""
    with asking(credentials) as api:
        say(api.open_gateway(gateway_id, name, key_id, idempotency_key=once or None), as_json)


@app.command("change-gateway-key")
def change_gateway_key(
    gateway_id: GatewayId,
    key_id: KeyId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Make another API key the gateway, when the first is lost or stolen; as the operator."""
    with asking(credentials) as api:
        say(api.change_gateway_key(gateway_id, key_id, idempotency_key=once or None), as_json)


@app.command()
def appoint(
    gateway_id: GatewayId,
    key_id: KeyId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Let an API key register and issue for a gateway, as its agent; as the gateway itself."""
    with asking(credentials) as api:
        say(api.appoint_agent(gateway_id, key_id, idempotency_key=once or None), as_json)


@app.command()
def dismiss(
    gateway_id: GatewayId,
    key_id: KeyId,
    credentials: Credentials,
    once: Once = "",
    as_json: AsJson = False,
) -> None:
    """Let an agent act no more; as the gateway itself."""
    with asking(credentials) as api:
        say(api.dismiss_agent(gateway_id, key_id, idempotency_key=once or None), as_json)


@app.command()
def gateways(credentials: Credentials, as_json: AsJson = False) -> None:
    """All gateways with their keys and agents."""
    with asking(credentials) as api:
        say_all(api.gateways(), ("id", "name", "key_id", "agents"), "gateways", as_json)

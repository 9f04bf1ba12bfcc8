"""`glaytos-wallet api-key`: who may call the API, and what they may do there."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from signer.protocol import public_key_of
from wallet.api import keys
from wallet.api.keys import ApiKey, ApiKeyInvalid
from wallet.api.permissions import Scope
from wallet.bootstrap import Deployment, open_deployment
from wallet.client.credentials import Credentials, write_credentials
from wallet.client.errors import CredentialsBad

app = typer.Typer(
    help="Keys of the API: create one for each program, with the scopes it needs, and revoke it "
    "when the program is gone."
)

DEFAULT_CONFIG = Path("config/wallet.toml")

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for: matching-engine, support.")],
    scope: Annotated[
        list[str],
        typer.Option(help=f"What it may do; repeat. all, read, or: {', '.join(Scope)}."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="New credentials file (mode 0600) for a key pair made here."),
    ] = None,
    public_key: Annotated[
        str,
        typer.Option(help="Ed25519 public key in hex, of a pair made by the caller's own program."),
    ] = "",
    address: Annotated[
        list[str] | None,
        typer.Option(help="Address range it may call from, as 10.0.0.0/8; repeat. None: any."),
    ] = None,
    url: Annotated[str, typer.Option(help="API address to write into the credentials.")] = "",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Create a key. Give --out to make the pair here, or --public-key to register one.

    The private half is never stored by the service: with --out it is only in that file.
    """
    if (out is None) == (public_key == ""):
        raise ApiKeyInvalid("got both or neither of --out and --public-key, expected one")
    pair = _Pair.make(os.urandom) if out is not None else _Pair.read(public_key)
    deployment = open_deployment(config)
    key = ApiKey(
        id=str(uuid4()),
        name=name,
        public_key=pair.public_key,
        scopes=keys.scopes_of(scope),
        addresses_allowed=tuple(address or ()),
        created_s=deployment.clock.now_s(),
        revoked_s=None,
    )
    _store(deployment, key, pair, out, url)
    if as_json:
        typer.echo(json.dumps(_json(key), indent=1))
        return
    console = Console()
    console.print(f"API key [bold]{key.id}[/] may: {', '.join(sorted(key.scopes))}")
    if out is not None:
        console.print(f"credentials: {escape(str(out))} (keep it secret; it is not stored here)")


@app.command("list")
def list_all(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """All keys, revoked ones included."""
    deployment = open_deployment(config)
    try:
        with deployment.database.read() as tx:
            found = keys.list_keys(tx)
    finally:
        deployment.close()
    if as_json:
        typer.echo(json.dumps([_json(key) for key in found], indent=1))
        return
    Console().print(_table(found))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Refuse a key from now on; it cannot be undone."""
    deployment = open_deployment(config)
    try:
        with deployment.database.write() as tx:
            keys.revoke_key(tx, key_id, deployment.clock.now_s())
    finally:
        deployment.close()
    Console().print(f"API key {escape(key_id)} is revoked")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A public key, and its seed when it was made here."""

    public_key: bytes
    seed: bytes | None

    def __repr__(self) -> str:
        return f"_Pair({self.public_key.hex()})"

    @classmethod
    def make(cls, random: Callable[[int], bytes]) -> "_Pair":
        seed = random(32)
        return cls(public_key_of(seed), seed)

    @classmethod
    def read(cls, text: str) -> "_Pair":
        try:
            return cls(bytes.fromhex(text), None)
        except ValueError as error:
            raise ApiKeyInvalid("got a public key that is not hex, expected 64 digits") from error


def _store(deployment: Deployment, key: ApiKey, pair: _Pair, out: Path | None, url: str) -> None:
    """The file is written before the key is good: a key nobody holds is never left behind."""
    settings = deployment.settings
    try:
        with deployment.database.write() as tx:
            keys.create_key(tx, key)
            if out is not None and pair.seed is not None:
                address = url or f"http://{settings.api_host}:{settings.api_port}"
                write_credentials(
                    out, Credentials(url=address, key_id=key.id, private_key=pair.seed)
                )
    except CredentialsBad as error:
        raise ApiKeyInvalid(str(error)) from error
    finally:
        deployment.close()


def _json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "public_key": key.public_key.hex(),
        "scopes": sorted(key.scopes),
        "addresses_allowed": list(key.addresses_allowed),
        "created_s": key.created_s,
        "revoked_s": key.revoked_s,
    }


def _table(found: Sequence[ApiKey]) -> Table:
    table = Table("id", "name", "scopes", "from", "created", "revoked")
    for key in found:
        table.add_row(
            key.id,
            escape(key.name),
            ", ".join(sorted(key.scopes)),
            ", ".join(key.addresses_allowed) or "any",
            _time(key.created_s),
            _time(key.revoked_s) if key.revoked_s is not None else "",
        )
    return table


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M")

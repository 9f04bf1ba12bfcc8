"""`glaytos-wallet database`: schema, roles and partitions of the deployment's database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from wallet.ledger.partitions import sealed
from wallet.settings_file import load_settings
from wallet.store import roles as granting
from wallet.store.database import Database, refuse_password
from wallet.store.errors import BadDatabaseUrl
from wallet.store.schema import metadata

app = typer.Typer(help="The database: its schema, its roles and its partitions.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The deployment's settings file.")]
Url = Annotated[
    str,
    typer.Option(
        help="Log in here instead, as an administrator or the owner: postgresql://USER@HOST/NAME. "
        "No password in it: libpq reads ~/.pgpass."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT = Path("config/wallet.toml")


@app.command()
def migrate(config: Config = DEFAULT, url: Url = "") -> None:
    """Bring the schema to this version and check that all walls stand.

    The service does so itself when it starts, where its login may: with separate roles it may
    not, and the owner runs this before a new version is started. Migrations run forward only.
    """
    with _opened(config, url) as database:
        database.migrate()
    Console(stderr=True).print("the schema is of this version, and all walls stand")


@app.command()
def roles(
    config: Config = DEFAULT,
    url: Url = "",
    prefix: Annotated[
        str, typer.Option(help="Roles belong to a whole server: what their names begin with.")
    ] = granting.NAME_PREFIX,
    apply: Annotated[bool, typer.Option("--apply", help="Execute it, in one transaction.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the SQL of four roles with least privilege, or apply it.

    PREFIX_owner owns the tables; PREFIX_service posts and pays and cannot change what was posted;
    PREFIX_api writes nothing of the ledger; PREFIX_reader reads for reports and verification. None
    can log in: create logins yourself, as in CREATE ROLE wallet LOGIN IN ROLE glaytos_service, and
    set their passwords in psql, which asks for them. A login that migrates acts as the owner:
    CREATE ROLE admin LOGIN IN ROLE glaytos_owner; ALTER ROLE admin SET role = glaytos_owner.
    Apply it again after each migration: it is what a new table is granted by.
    """
    statements = granting.statements(prefix)
    if apply:
        with _opened(config, url) as database:
            if database.dialect != "postgresql":
                raise BadDatabaseUrl("got SQLite, expected PostgreSQL: files have no roles")
            with database.write() as tx:
                granting.apply(tx, prefix)
    if as_json:
        typer.echo(json.dumps({"roles": _rights(prefix), "statements": statements}, indent=1))
    elif not apply:
        typer.echo(";\n".join(["BEGIN", *statements, "COMMIT"]) + ";")


@app.command()
def partitions(config: Config = DEFAULT, url: Url = "", as_json: AsJson = False) -> None:
    """Show the sealed partitions of the ledger; what is newer is in the open one."""
    with _opened(config, url) as database, database.read() as tx:
        found = sealed(tx)
    if as_json:
        rows = [
            {
                "first_height": partition.first_height,
                "last_height": partition.last_height,
                "transfers": partition.transfers,
            }
            for partition in found
        ]
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("from height", "to height", "transfers", title="sealed partitions")
    for partition in found:
        table.add_row(
            str(partition.first_height), str(partition.last_height), str(partition.transfers)
        )
    Console().print(table)


def _rights(prefix: str) -> dict[str, dict[str, list[str]]]:
    """Role to table to privileges; the owner has all."""
    return {
        f"{prefix}_{role}": {
            table: list(rights)
            for table in sorted(metadata.tables)
            if (rights := granting.rights(role, table))
        }
        for role in granting.Role
        if role is not granting.Role.OWNER
    }


@contextmanager
def _opened(config: Path, url: str) -> Iterator[Database]:
    if url:
        refuse_password(url)
    database = Database.open(url or load_settings(config).database_url)
    try:
        yield database
    finally:
        database.close()

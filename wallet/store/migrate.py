"""Bringing a database to this version's schema."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The newest revision; a test holds it against the migrations."""


def is_current(tx: Connection) -> bool:
    """Whether the schema is the newest already, told without loading Alembic."""
    if not inspect(tx).has_table("alembic_version"):
        return False
    found = tx.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(found) == [HEAD]


def config_for(tx: Connection) -> "Config":
    """Alembic's configuration over an open transaction, without an ini file."""
    from alembic.config import Config  # noqa: PLC0415 - half a second that few commands need

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = tx
    return config


def upgrade(tx: Connection) -> None:
    """Apply the revisions that are missing; nothing when the schema is current."""
    from alembic import command  # noqa: PLC0415 - see above

    command.upgrade(config_for(tx), "head")

"""Bringing a database to this version's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config_for(tx: Connection) -> Config:
    """Alembic's configuration over an open transaction, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = tx
    return config


def upgrade(tx: Connection) -> None:
    """Apply the revisions that are missing; nothing when the schema is current."""
    command.upgrade(config_for(tx), "head")

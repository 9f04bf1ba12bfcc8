"""The first schema: every table as wallet.store.schema had it, and the walls around the ledger."""

from alembic import op

from wallet.store import schema
from wallet.store.migrations import walls_0001_postgresql, walls_0001_sqlite

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back."""
    connection = op.get_bind()
    schema.metadata.create_all(connection)
    walls = walls_0001_sqlite if connection.dialect.name == "sqlite" else walls_0001_postgresql
    for statement in walls.STATEMENTS:
        # Without parameters "%" is just a percent sign to the driver.
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

"""The first schema: the tables as frozen in tables_0001_*.sql, and the walls around the ledger."""

from alembic import op

from wallet.store import walls
from wallet.store.migrations import freeze

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward; there is no way back."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    tables = freeze.statements(freeze.frozen_file(dialect).read_text(encoding="utf-8"))
    for statement in (*tables, *walls.statements(dialect)):
        # Without parameters "%" is just a percent sign to the driver.
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

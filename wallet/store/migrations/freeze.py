"""Write the tables of this moment down as SQL, for the first revision to create.

Run as `python -m wallet.store.migrations.freeze`, and only until the first release: from then on
the files stay as they are, and a change of the schema is a revision of its own.
"""

from pathlib import Path

from sqlalchemy import Dialect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, DDLElement

from wallet.store.schema import metadata

FOLDER = Path(__file__).parent
DIALECTS: dict[str, Dialect] = {
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
    "sqlite": sqlite.dialect(),
}


def frozen_file(dialect: str) -> Path:
    """Where the SQL of a dialect is kept."""
    return FOLDER / f"tables_0001_{dialect}.sql"


def tables_sql(dialect: str) -> str:
    """CREATE TABLE and CREATE INDEX of every table, each statement ending in ";" and a newline."""
    statements: list[str] = []
    for table in metadata.sorted_tables:
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        parts: list[DDLElement] = [CreateTable(table), *map(CreateIndex, indexes)]
        statements += [_tidy(str(part.compile(dialect=DIALECTS[dialect]))) for part in parts]
    return "\n".join(statements)


def statements(sql: str) -> list[str]:
    """The single statements of such a text."""
    return [part.strip() for part in sql.split(";\n") if part.strip()]


def _tidy(statement: str) -> str:
    lines = [line.rstrip().replace("\t", "  ") for line in statement.strip().splitlines()]
    return "\n".join(lines) + ";\n"


if __name__ == "__main__":
    for name in DIALECTS:
        frozen_file(name).write_text(tables_sql(name), encoding="utf-8")

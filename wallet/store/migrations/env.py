"""Alembic's entry: migrate over the connection that wallet.store.migrate hands in."""

from alembic import context

from wallet.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

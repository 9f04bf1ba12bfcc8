"""The tables, one module a subject; `wallet.store.schema` is where to import them from."""

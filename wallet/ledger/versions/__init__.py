"""The ledger as a chain of versions: recomputed from its rows, and read at any height."""

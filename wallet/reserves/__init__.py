"""Proof of reserves: what is owed as trees, what is held as signed claims, published as a file."""

"""The HTTP API: who may ask, what they ask, and the answer's shape; no business rule lives here."""

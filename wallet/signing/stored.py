"""Sealed requests as they stand in the database, decoded once for all who read them in a row.

What is decoded is frozen, so readers may share it. Few are kept: a request may hold megabytes.
"""

from functools import lru_cache

from signer.protocol import REQUEST, Sealed, SignRequest

KEPT = 64
"""Requests kept decoded: one step of a payment reads the same row several times."""


@lru_cache(maxsize=KEPT)
def stored_request(data: bytes) -> tuple[Sealed, SignRequest]:
    """The envelope and the request of stored bytes. Raises ProtocolError."""
    sealed = Sealed.decode(data, REQUEST)
    return sealed, SignRequest.decode(sealed.body)

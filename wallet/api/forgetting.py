"""Dropping what has served its time: spent nonces and old answers. A job, run now and then."""

from wallet.api.auth import forget_nonces
from wallet.api.idempotency import forget_answers
from wallet.clock import Clock
from wallet.store.database import Database


def forget_expired(db: Database, clock: Clock) -> None:
    """Drop nonces of dead tokens and answers past their week; safe at any moment."""
    now_s = clock.now_s()
    forget_nonces(db, now_s)
    forget_answers(db, now_s)

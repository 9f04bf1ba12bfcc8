"""The second factor before a blob leaves: each code once, and few attempts.

An attempt is paid for, and committed, before the code is looked at: neither a crash nor many
requests at once give a free one. A good code gives all attempts back.
"""

from sqlalchemy import Connection, update

from wallet.events import append_event
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.errors import SecondFactorLocked, SecondFactorUsed, SecondFactorWrong
from wallet.hosted_keys.records import HostedKey, find_key
from wallet.hosted_keys.totp import matching_step
from wallet.store.schema import hosted_keys
from wallet.webhooks.secrets import close_box, open_box

ATTEMPTS = 5
"""Wrong codes in a row before the key is locked; each further one doubles the wait."""

LOCK_S = 15 * 60
"""The first lock."""

LOCK_S_MAX = 24 * 3600
"""The longest lock."""


def enrol(context: HostedContext, key_id: str, secret: bytes, code: str) -> tuple[bytes, int]:
    """The closed box of a new secret and the step that its first code spent.

    The code proves that the person's authenticator has the secret. Raises SecondFactorWrong.
    """
    step = matching_step(secret, code, context.clock.now_s())
    if step is None:
        raise SecondFactorWrong("got another code than the secret gives now, check both clocks")
    return close_box(context.service_key, _owner(key_id), secret, context.random(12)), step


def check(context: HostedContext, key_id: str, code: str) -> int:
    """The time step of a good code, to be spent in the transaction that it opens.

    Raises SecondFactorWrong, SecondFactorUsed, SecondFactorLocked, HostedKeyNotFound.
    """
    now_s = context.clock.now_s()
    with context.database.write() as tx:
        key = find_key(tx, key_id)
        lock_s = charge(tx, key, now_s)
        key = _current(tx, key, now_s)
    context.milestone("hosted_key.attempt_charged")
    secret = open_box(context.service_key, _owner(key_id), key.totp_box)
    step = matching_step(secret, code, now_s)
    if step is not None and step > key.totp_step:
        return step
    if lock_s:
        with context.database.write() as tx:
            body = {"account_id": key.account_id, "retry_after_s": lock_s}
            append_event(tx, "hosted_key.locked", key_id, body, now_s)
    if step is not None:
        raise SecondFactorUsed("got a code that was used before, expected the next one")
    raise SecondFactorWrong("got a wrong code, expected the one that the authenticator shows now")


def spend(tx: Connection, key_id: str, step: int) -> None:
    """Use up a good code; of two requests with the same one, one fails. Raises SecondFactorUsed."""
    spent = tx.execute(
        update(hosted_keys)
        .where(hosted_keys.c.id == key_id, hosted_keys.c.totp_step < step)
        .values(totp_step=step, failures=0, locked_until_s=0)
    )
    if spent.rowcount != 1:
        raise SecondFactorUsed("got a code that was used before, expected the next one")


def _current(tx: Connection, key: HostedKey, now_s: int) -> HostedKey:
    """The key with the authenticator that counts now: one that was asked for, after its delay."""
    if key.totp_next_from_s is None or now_s < key.totp_next_from_s:
        return key
    tx.execute(
        update(hosted_keys)
        .where(hosted_keys.c.id == key.id)
        .values(
            totp_box=key.totp_next_box,
            totp_step=key.totp_next_step,
            totp_number=key.totp_number + 1,
            totp_next_box=b"",
            totp_next_from_s=None,
            updated_s=now_s,
        )
    )
    body = {"account_id": key.account_id, "number": key.totp_number + 1}
    append_event(tx, "hosted_key.authenticator_changed", key.id, body, now_s)
    return find_key(tx, key.id)


def charge(tx: Connection, key: HostedKey, now_s: int) -> int:
    """Take one attempt; returns the seconds of the lock that it brings if it fails, or 0."""
    if now_s < key.locked_until_s:
        wait_s = key.locked_until_s - now_s
        raise SecondFactorLocked(
            f"got too many wrong codes, expected none for {wait_s} s", {"retry_after_s": wait_s}
        )
    failures = key.failures + 1
    over = failures - ATTEMPTS
    lock_s = min(LOCK_S << min(over, 16), LOCK_S_MAX) if over >= 0 else 0
    tx.execute(
        update(hosted_keys)
        .where(hosted_keys.c.id == key.id)
        .values(failures=failures, locked_until_s=now_s + lock_s if lock_s else 0)
    )
    return lock_s


def _owner(key_id: str) -> str:
    return f"hosted-key:{key_id}"

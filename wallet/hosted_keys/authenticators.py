"""Another authenticator for a hosted key, when the first one is lost.

The hosted key itself signs for the new secret, so that whoever holds the API's credentials gains
nothing. It takes effect only after a delay, and an event tells of it at once: who still has the
old authenticator can keep it with one code.
"""

from dataclasses import dataclass, field

import coincurve
from sqlalchemy import Connection, update

from signer.protocol import AuthenticatorChange
from wallet.events import append_event
from wallet.hosted_keys import second_factor
from wallet.hosted_keys.context import HostedContext
from wallet.hosted_keys.errors import NoChangeAsked, ProofWrong, VersionStale
from wallet.hosted_keys.records import HostedKey, find_key
from wallet.store.schema import hosted_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthenticator:
    """A second-factor secret with its first code; `proof` is the hosted key's own signature."""

    number: int
    totp_secret: bytes = field(repr=False)
    totp_code: str = field(repr=False)
    proof: bytes = field(repr=False)


class Authenticators:
    """Changes of second factors, asked for, waited for, and taken back."""

    def __init__(self, context: HostedContext) -> None:
        self._context = context

    def charge(self, key_id: str) -> None:
        """Take one attempt, committed before anything is looked at. Raises SecondFactorLocked."""
        with self._context.database.write() as tx:
            second_factor.charge(tx, find_key(tx, key_id), self._context.clock.now_s())

    def ask(self, tx: Connection, key_id: str, new: NewAuthenticator) -> None:
        """Let the new secret take effect after the delay; asking again begins it anew.

        Raises VersionStale, ProofWrong, SecondFactorWrong.
        """
        key, now_s = find_key(tx, key_id), self._context.clock.now_s()
        if new.number != key.totp_number + 1:
            raise VersionStale(f"got authenticator {new.number}, expected {key.totp_number + 1}")
        _check_proof(key, new)
        box, step = second_factor.enrol(self._context, key.id, new.totp_secret, new.totp_code)
        from_s = now_s + self._context.authenticator_delay_s
        tx.execute(
            update(hosted_keys)
            .where(hosted_keys.c.id == key_id)
            .values(
                totp_next_box=box,
                totp_next_step=step,
                totp_next_from_s=from_s,
                failures=0,
                locked_until_s=0,
                updated_s=now_s,
            )
        )
        body = {"account_id": key.account_id, "number": new.number, "from_s": from_s}
        append_event(tx, "hosted_key.authenticator_asked", key_id, body, now_s)

    def keep(self, tx: Connection, key_id: str, step: int) -> None:
        """Forget the change that was asked for, for a good code of the present authenticator.

        Raises NoChangeAsked, SecondFactorUsed.
        """
        key, now_s = find_key(tx, key_id), self._context.clock.now_s()
        if key.totp_next_from_s is None:
            raise NoChangeAsked("got no change of the authenticator to forget")
        second_factor.spend(tx, key_id, step)
        tx.execute(
            update(hosted_keys)
            .where(hosted_keys.c.id == key_id)
            .values(totp_next_box=b"", totp_next_from_s=None, updated_s=now_s)
        )
        body = {"account_id": key.account_id, "number": key.totp_number}
        append_event(tx, "hosted_key.authenticator_kept", key_id, body, now_s)


def _check_proof(key: HostedKey, new: NewAuthenticator) -> None:
    claim = AuthenticatorChange(
        kid=key.id,
        network=key.network,
        public_key=key.public_key,
        number=new.number,
        secret=new.totp_secret,
    )
    try:
        good = coincurve.PublicKey(key.public_key).verify(new.proof, claim.digest, hasher=None)
    except ValueError:
        good = False
    if not good:
        raise ProofWrong("got an authenticator that the hosted key did not sign for")

"""Who asks: token, key, address, freshness, scope; in that order, and before the body is parsed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from sqlalchemy import Connection, delete, insert
from sqlalchemy.exc import IntegrityError

from wallet.api.keys import ApiKey, ApiKeyNotFound, find_key
from wallet.api.permissions import Scope
from wallet.api.tokens import (
    CLOCK_SKEW_S_MAX,
    LIFETIME_S_MAX,
    Claims,
    Unauthorized,
    body_hash,
    check_signature,
    read_claims,
)
from wallet.clock import Clock
from wallet.errors import WalletError
from wallet.store.database import Database
from wallet.store.schema import api_nonces


class TokenMissing(Unauthorized):
    """The request carries no bearer token."""

    code = "auth.missing"


class KeyUnknown(Unauthorized):
    """No API key has the id in `sub`."""

    code = "auth.unknown_key"


class KeyRevoked(Unauthorized):
    """The API key was revoked."""

    code = "auth.revoked_key"


class TokenExpired(Unauthorized):
    """`exp` has passed."""

    code = "auth.expired"


class TokenFromFuture(Unauthorized):
    """`iat` is later than our clock allows."""

    code = "auth.not_yet_valid"


class TokenLifetimeTooLong(Unauthorized):
    """`exp` is more than 60 seconds after `iat`, or not after it."""

    code = "auth.lifetime"


class UriMismatch(Unauthorized):
    """`uri` is not the path and query of this request."""

    code = "auth.uri_mismatch"


class BodyMismatch(Unauthorized):
    """`bodyHash` is not the hash of this body."""

    code = "auth.body_mismatch"


class NonceReplayed(Unauthorized):
    """The nonce was used before: a token is good for one request."""

    code = "auth.nonce_replayed"


class Forbidden(WalletError):
    """The caller is known and may not do this."""

    code = "auth.forbidden"


class AddressRefused(Forbidden):
    """The key may not be used from this network address."""

    code = "auth.address_refused"


class ScopeMissing(Forbidden):
    """The key lacks the scope of this route."""

    code = "auth.scope_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """The request as it arrived: `uri` is path and query, `body` the raw bytes."""

    authorization: str | None
    uri: str
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Who asks, and what the token says of the body that is still to be read."""

    key: ApiKey
    claims: Claims


def authenticate(db: Database, clock: Clock, presented: Presented, scope: Scope) -> ApiKey:
    """The key that signed this request and may make it. Raises Unauthorized and Forbidden.

    The nonce is spent in a transaction of its own, so a request that fails later cannot be resent.
    """
    admitted = admit(db, clock, presented, scope)
    _check_body(admitted.claims, presented.body)
    with _spent_nonce(db, admitted.claims):
        pass
    return admitted.key


def admit(db: Database, clock: Clock, presented: Presented, scope: Scope) -> Admitted:
    """Let a large body be read: all that `authenticate` asks but for the body, and no nonce spent.

    Nobody else makes us hold megabytes. Raises Unauthorized and Forbidden.
    """
    token = _token_of(presented.authorization)
    claims = read_claims(token)
    key = _key_of(db, claims)
    check_signature(token, key.public_key)
    _check_now(key, claims, clock)
    _check_uri(claims, presented)
    _check_address(key, presented.peer)
    _check_scope(key, scope)
    return Admitted(key=key, claims=claims)


def enter(db: Database, clock: Clock, admitted: Admitted, body: bytes) -> ApiKey:
    """The key of an admitted request whose body is read; the signature is known to be good.

    Reading may have taken long: what can end meanwhile is asked again. Raises Unauthorized.
    """
    _check_body(admitted.claims, body)
    with _spent_nonce(db, admitted.claims) as tx:
        key = _known_key(tx, admitted.claims)
        _check_now(key, admitted.claims, clock)
    return key


def forget_nonces(db: Database, now_s: int) -> None:
    """Drop nonces whose tokens have expired: those are refused by their time already."""
    with db.beside() as tx:
        tx.execute(delete(api_nonces).where(api_nonces.c.expires_s < now_s))


def _key_of(db: Database, claims: Claims) -> ApiKey:
    with db.read() as tx:
        return _known_key(tx, claims)


def _known_key(tx: Connection, claims: Claims) -> ApiKey:
    try:
        return find_key(tx, claims.sub)
    except ApiKeyNotFound as error:
        raise KeyUnknown("got an unknown key id in `sub`") from error


def _check_now(key: ApiKey, claims: Claims, clock: Clock) -> None:
    """That key and token are good at this moment."""
    if key.revoked_s is not None:
        raise KeyRevoked("got a revoked API key, expected one in use")
    _check_times(claims, clock.now_s())


def _token_of(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenMissing("got no token, expected `Authorization: Bearer <JWT>`")
    return token


def _check_times(claims: Claims, now_s: int) -> None:
    if claims.exp <= now_s:
        raise TokenExpired(f"got exp {claims.exp}, expected later than {now_s}")
    if claims.iat > now_s + CLOCK_SKEW_S_MAX:
        raise TokenFromFuture(f"got iat {claims.iat}, expected at most {now_s + CLOCK_SKEW_S_MAX}")
    if not 0 < claims.exp - claims.iat <= LIFETIME_S_MAX:
        raise TokenLifetimeTooLong(f"got exp - iat = {claims.exp - claims.iat}, expected 1 to 60")


def _check_uri(claims: Claims, presented: Presented) -> None:
    if claims.uri != presented.uri:
        raise UriMismatch("got another uri in the token, expected this request's path and query")


def _check_body(claims: Claims, body: bytes) -> None:
    if claims.body_hash != body_hash(body):
        raise BodyMismatch("got another bodyHash in the token, expected SHA-256 of this body")


def _check_address(key: ApiKey, peer: str) -> None:
    if not key.addresses_allowed:
        return
    try:
        address = ip_address(peer)
    except ValueError as error:
        raise AddressRefused("got a caller without an IP address") from error
    if not any(address in ip_network(text) for text in key.addresses_allowed):
        raise AddressRefused(f"got a call from {peer}, expected an address on the key's list")


def _check_scope(key: ApiKey, scope: Scope) -> None:
    if scope not in key.scopes:
        raise ScopeMissing(f"got a key without {scope}", {"scope": str(scope)})


@contextmanager
def _spent_nonce(db: Database, claims: Claims) -> Iterator[Connection]:
    """A transaction that spends it, unless what is done in it raises.

    Once for ever, by the table's key; beside the writer, who has long batches to write.
    """
    try:
        with db.beside() as tx:
            row = {"key_id": claims.sub, "nonce": claims.nonce, "expires_s": claims.exp}
            tx.execute(insert(api_nonces).values(row))
            yield tx
    except IntegrityError as error:
        raise NonceReplayed("got a nonce used before, expected a new one") from error

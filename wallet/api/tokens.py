"""Request tokens: one short-lived EdDSA JWT (RFC 8037) that binds a request to an API key.

Shared by the server and the client, so it imports nothing of either.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wallet.errors import WalletError

LIFETIME_S_MAX = 60
"""No token lives longer, counted from `iat` to `exp`."""

CLOCK_SKEW_S_MAX = 5
"""How far a caller's clock may be ahead of ours."""

TOKEN_CHARS_MAX = 8192
"""A longer token is refused before it is parsed."""

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_CLAIMS = frozenset({"sub", "uri", "nonce", "iat", "exp", "bodyHash"})


class Unauthorized(WalletError):
    """The caller did not prove who it is; each reason is a subclass with its own code."""

    code = "auth.refused"


class TokenMalformed(Unauthorized):
    """The token is not an EdDSA JWT with exactly the claims we ask for."""

    code = "auth.malformed"


class TokenSignatureWrong(Unauthorized):
    """The token was not signed by the key that `sub` names."""

    code = "auth.bad_signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `uri` is path and query as sent; times are Unix seconds."""

    sub: str
    uri: str
    nonce: str
    iat: int
    exp: int
    body_hash: str


_CODEC = jwt.PyJWS(algorithms=["EdDSA"])


def body_hash(body: bytes) -> str:
    """What `bodyHash` must be: SHA-256 of the body as sent, in hex; of nothing when empty."""
    return hashlib.sha256(body).hexdigest()


def issue_token(seed: bytes, claims: Claims) -> str:
    """The token for one request, signed with the Ed25519 seed of an API key."""
    payload = {
        "sub": claims.sub,
        "uri": claims.uri,
        "nonce": claims.nonce,
        "iat": claims.iat,
        "exp": claims.exp,
        "bodyHash": claims.body_hash,
    }
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return _CODEC.encode(json.dumps(payload).encode(), key, algorithm="EdDSA")


def read_claims(token: str) -> Claims:
    """What a token says, before its signature is checked. Raises TokenMalformed."""
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenMalformed(f"got a token of {len(token)} characters, expected at most 8192")
    try:
        parts = _CODEC.decode_complete(token, options={"verify_signature": False})
        payload = json.loads(parts["payload"])
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise TokenMalformed("got a bearer token that is not a JWT") from error
    header = parts["header"]
    if header.get("alg") != "EdDSA" or not set(header) <= {"alg", "typ"}:
        raise TokenMalformed('got another JWT header, expected {"alg": "EdDSA", "typ": "JWT"}')
    return _claims(payload)


def check_signature(token: str, public_key: bytes) -> None:
    """Raise TokenSignatureWrong unless `public_key` (32 bytes) signed the token."""
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        _CODEC.decode(token, key, algorithms=["EdDSA"])
    except jwt.PyJWTError as error:
        raise TokenSignatureWrong("got a token that the key in `sub` did not sign") from error


def _claims(payload: Any) -> Claims:
    if not isinstance(payload, dict) or set(payload) != _CLAIMS:
        raise TokenMalformed(f"got other claims, expected exactly {', '.join(sorted(_CLAIMS))}")
    claims = Claims(
        sub=_text(payload, "sub", 36),
        uri=_text(payload, "uri", 4096),
        nonce=_text(payload, "nonce", 64),
        iat=_time(payload, "iat"),
        exp=_time(payload, "exp"),
        body_hash=_text(payload, "bodyHash", 64),
    )
    if _NONCE.fullmatch(claims.nonce) is None:
        raise TokenMalformed("got another nonce, expected 16 to 64 characters of A-Z a-z 0-9 _ -")
    if _HASH.fullmatch(claims.body_hash) is None:
        raise TokenMalformed("got another bodyHash, expected SHA-256 in lower-case hex")
    return claims


def _text(payload: dict[str, Any], name: str, chars_max: int) -> str:
    value = payload[name]
    if not isinstance(value, str) or not value.isascii() or not 0 < len(value) <= chars_max:
        raise TokenMalformed(f"got another {name}, expected ASCII text of at most {chars_max}")
    return value


def _time(payload: dict[str, Any], name: str) -> int:
    value = payload[name]
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise TokenMalformed(f"got another {name}, expected whole Unix seconds")
    return value

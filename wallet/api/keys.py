"""API keys: who they are, what they may do, from where. Only the public half is ever here."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from sqlalchemy import Connection, insert, select, update

from wallet.api.permissions import Scope
from wallet.errors import Conflict, Invalid, NotFound
from wallet.store.schema import api_keys

_NAME = re.compile(r"[A-Za-z0-9._ -]{1,128}")


class ApiKeyNotFound(NotFound):
    """No API key has this id."""

    code = "api_key.not_found"


class ApiKeyInvalid(Invalid):
    """The key's name, public key, scopes or addresses cannot be meant as they stand."""

    code = "api_key.invalid"


class ApiKeyAlreadyRevoked(Conflict):
    """The key was revoked before."""

    code = "api_key.already_revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One caller. `addresses_allowed` are CIDR ranges, empty for any; times are Unix seconds."""

    id: str
    name: str
    public_key: bytes
    scopes: frozenset[Scope]
    addresses_allowed: tuple[str, ...]
    created_s: int
    revoked_s: int | None


def create_key(tx: Connection, key: ApiKey) -> None:
    """Store a key after checking every field. Raises ApiKeyInvalid."""
    if _NAME.fullmatch(key.name) is None:
        raise ApiKeyInvalid("got another name, expected 1 to 128 of letters, digits, space . _ -")
    if len(key.public_key) != 32:
        raise ApiKeyInvalid(f"got a public key of {len(key.public_key)} bytes, expected 32")
    if not key.scopes:
        raise ApiKeyInvalid("got no scope, expected at least one")
    tx.execute(
        insert(api_keys).values(
            id=key.id,
            name=key.name,
            public_key=key.public_key,
            scopes=json.dumps(sorted(key.scopes)),
            networks_allowed=json.dumps([_range(text) for text in key.addresses_allowed]),
            created_s=key.created_s,
            revoked_s=None,
        )
    )


def find_key(tx: Connection, key_id: str) -> ApiKey:
    """The key of this id, revoked or not. Raises ApiKeyNotFound."""
    row = tx.execute(select(api_keys).where(api_keys.c.id == key_id)).mappings().one_or_none()
    if row is None:
        raise ApiKeyNotFound(f"got API key {key_id}, expected the id of one that exists")
    return ApiKey(
        id=row["id"],
        name=row["name"],
        public_key=bytes(row["public_key"]),
        scopes=frozenset(Scope(text) for text in json.loads(row["scopes"])),
        addresses_allowed=tuple(json.loads(row["networks_allowed"])),
        created_s=row["created_s"],
        revoked_s=row["revoked_s"],
    )


def list_keys(tx: Connection) -> Sequence[ApiKey]:
    """All keys, oldest first."""
    query = select(api_keys.c.id).order_by(api_keys.c.created_s, api_keys.c.id)
    return [find_key(tx, key_id) for key_id in tx.execute(query).scalars()]


def revoke_key(tx: Connection, key_id: str, now_s: int) -> None:
    """Refuse the key from now on. Raises ApiKeyNotFound and ApiKeyAlreadyRevoked."""
    if find_key(tx, key_id).revoked_s is not None:
        raise ApiKeyAlreadyRevoked(f"got API key {key_id}, expected one that is not revoked yet")
    tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_s=now_s))


def scopes_of(texts: Sequence[str]) -> frozenset[Scope]:
    """Scopes by name; "all" and "read" stand for groups. Raises ApiKeyInvalid."""
    found: set[Scope] = set()
    for text in texts:
        if text == "all":
            found.update(Scope)
        elif text == "read":
            found.update(scope for scope in Scope if scope.endswith(":read"))
        elif text in set(Scope):
            found.add(Scope(text))
        else:
            raise ApiKeyInvalid(
                f"got scope {text!r}, expected all, read or one of {', '.join(Scope)}"
            )
    return frozenset(found)


def _range(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise ApiKeyInvalid(
            f"got {text!r}, expected an address range such as 10.0.0.0/8"
        ) from error

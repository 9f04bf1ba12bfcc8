"""Gateways: who answers for registered assets, and which API keys act for them.

The operator opens a gateway and names the API key that is it. That key appoints agents; an agent
may register and issue as the gateway may, but not appoint.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from wallet.assets.authority import Actor
from wallet.assets.errors import (
    BadGateway,
    GatewayExists,
    GatewayNotFound,
    KeyActsAlready,
    KeyUnknown,
    NoAgent,
    NotYourGateway,
)
from wallet.events import append_event
from wallet.store.schema import api_keys, gateway_keys, gateways

ID = re.compile(r"[a-z][a-z0-9-]{1,23}")
"""A gateway's id: what stands behind the dot in the codes of its assets."""

NAME_MAX = 128
"""Characters of a name, as the column holds."""

_k = gateway_keys.c


class Role(StrEnum):
    """What a key is to a gateway."""

    GATEWAY = "gateway"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway; `key_id` is the API key that is the gateway, `agents` those it appointed.

    `key_id` is "" after a restore from an image, until the operator names one: images hold no keys.
    """

    id: str
    name: str
    key_id: str
    agents: tuple[str, ...]
    created_s: int


def open_gateway(
    tx: Connection, actor: Actor, gateway_id: str, name: str, key_id: str, now_s: int
) -> Gateway:
    """Open a gateway for an API key, with its event.

    Raises BadGateway, GatewayExists, KeyUnknown.
    """
    if ID.fullmatch(gateway_id) is None:
        raise BadGateway("got another id, expected 2 to 24 of a-z, 0-9 and -, a letter first")
    check_name(name)
    if tx.execute(select(gateways.c.id).where(gateways.c.id == gateway_id)).first():
        raise GatewayExists(f"got gateway {gateway_id}, which exists already")
    _check_key(tx, key_id)
    row = {"id": gateway_id, "name": name, "created_by": actor.key_id, "created_s": now_s}
    tx.execute(insert(gateways).values(row))
    _add(tx, actor, gateway_id, key_id, Role.GATEWAY, now_s)
    body = {"gateway": gateway_id, "name": name, "key_id": key_id}
    append_event(tx, "gateway.opened", gateway_id, body, now_s)
    return get_gateway(tx, gateway_id)


def change_key(tx: Connection, actor: Actor, gateway_id: str, key_id: str, now_s: int) -> Gateway:
    """Make another API key the gateway, for the operator when the first is lost; agents stay.

    Also how a gateway gets its key again that was restored from an image.

    Raises GatewayNotFound, KeyUnknown, KeyActsAlready.
    """
    before = get_gateway(tx, gateway_id)
    _check_key(tx, key_id)
    if key_id in (before.key_id, *before.agents):
        raise KeyActsAlready(f"got a key that acts for {gateway_id} already, expected another")
    _remove(tx, actor, gateway_id, before.key_id, now_s)
    _add(tx, actor, gateway_id, key_id, Role.GATEWAY, now_s)
    body = {"gateway": gateway_id, "key_id": key_id, "before": before.key_id}
    append_event(tx, "gateway.key_changed", gateway_id, body, now_s)
    return get_gateway(tx, gateway_id)


def appoint_agent(
    tx: Connection, actor: Actor, gateway_id: str, key_id: str, now_s: int
) -> Gateway:
    """Let another API key act for the gateway; only the gateway itself can.

    Raises GatewayNotFound, NotYourGateway, KeyUnknown, KeyActsAlready.
    """
    gateway = _own(tx, actor, gateway_id)
    _check_key(tx, key_id)
    if key_id in (gateway.key_id, *gateway.agents):
        raise KeyActsAlready(f"got a key that acts for {gateway_id} already, expected another")
    _add(tx, actor, gateway_id, key_id, Role.AGENT, now_s)
    body = {"gateway": gateway_id, "key_id": key_id, "by": actor.key_id}
    append_event(tx, "gateway.agent_appointed", gateway_id, body, now_s)
    return get_gateway(tx, gateway_id)


def dismiss_agent(
    tx: Connection, actor: Actor, gateway_id: str, key_id: str, now_s: int
) -> Gateway:
    """Let an agent act for the gateway no more; only the gateway itself can.

    Raises GatewayNotFound, NotYourGateway, NoAgent.
    """
    if key_id not in _own(tx, actor, gateway_id).agents:
        raise NoAgent(f"got a key that is no agent of {gateway_id}, expected one that is")
    _remove(tx, actor, gateway_id, key_id, now_s)
    body = {"gateway": gateway_id, "key_id": key_id, "by": actor.key_id}
    append_event(tx, "gateway.agent_dismissed", gateway_id, body, now_s)
    return get_gateway(tx, gateway_id)


def get_gateway(tx: Connection, gateway_id: str) -> Gateway:
    """The gateway of this id. Raises GatewayNotFound."""
    row = tx.execute(select(gateways).where(gateways.c.id == gateway_id)).one_or_none()
    if row is None:
        raise GatewayNotFound("got another gateway, expected the id of one that exists")
    keys = tx.execute(
        select(_k.key_id, _k.role)
        .where(_k.gateway == gateway_id, _k.removed_s.is_(None))
        .order_by(_k.added_s, _k.id)
    ).all()
    return Gateway(
        id=row.id,
        name=row.name,
        key_id=next((key.key_id for key in keys if key.role == Role.GATEWAY), ""),
        agents=tuple(key.key_id for key in keys if key.role == Role.AGENT),
        created_s=row.created_s,
    )


def list_gateways(tx: Connection) -> Sequence[Gateway]:
    """All gateways, oldest first."""
    query = select(gateways.c.id).order_by(gateways.c.created_s, gateways.c.id)
    return [get_gateway(tx, gateway_id) for gateway_id in tx.execute(query).scalars()]


def require_acts_for(tx: Connection, actor: Actor, gateway_id: str) -> None:
    """Return if the actor is the gateway or its agent. Raises GatewayNotFound, NotYourGateway."""
    gateway = get_gateway(tx, gateway_id)
    if actor.key_id not in (gateway.key_id, *gateway.agents):
        raise NotYourGateway(
            f"got a key that does not act for {gateway_id}, expected one that does"
        )


def acts_for(tx: Connection, actor: Actor) -> frozenset[str]:
    """The gateways that the actor is or is an agent of."""
    query = select(_k.gateway).where(_k.key_id == actor.key_id, _k.removed_s.is_(None))
    return frozenset(tx.execute(query).scalars())


def check_name(name: str) -> None:
    """Raise BadGateway unless people can read a name."""
    if not 0 < len(name.strip()) <= NAME_MAX or not name.isprintable():
        raise BadGateway(f"got a name of {len(name)} characters, expected 1 to {NAME_MAX}")


def _own(tx: Connection, actor: Actor, gateway_id: str) -> Gateway:
    gateway = get_gateway(tx, gateway_id)
    if actor.key_id != gateway.key_id:
        raise NotYourGateway(f"got a key that is not {gateway_id} itself, expected its own")
    return gateway


def _check_key(tx: Connection, key_id: str) -> None:
    known = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.revoked_s.is_(None))
    if tx.execute(known).first() is None:
        raise KeyUnknown("got another key, expected the id of an API key in use")


def _add(
    tx: Connection, actor: Actor, gateway_id: str, key_id: str, role: Role, now_s: int
) -> None:
    tx.execute(
        insert(gateway_keys).values(
            id=str(uuid4()),
            gateway=gateway_id,
            key_id=key_id,
            role=str(role),
            added_by=actor.key_id,
            added_s=now_s,
        )
    )


def _remove(tx: Connection, actor: Actor, gateway_id: str, key_id: str, now_s: int) -> None:
    tx.execute(
        update(gateway_keys)
        .where(_k.gateway == gateway_id, _k.key_id == key_id, _k.removed_s.is_(None))
        .values(removed_by=actor.key_id, removed_s=now_s)
    )

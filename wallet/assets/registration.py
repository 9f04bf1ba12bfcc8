"""Registering an asset: its terms are written once and hold for ever.

A *currency* mirrors one asset of a chain and is issued without bound; within a gateway the mapping
is one to one, so that two of its assets never stand for one coin. A *physical* asset has a quota,
and is locked with its registration: nobody, the gateway included, can issue above it or raise it.
The database's walls hold both, whatever this module believes.

The code is `<SYMBOL>.<gateway>`. The configuration refuses assets of a chain with a dot in their
code, so the two can never be taken for each other.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, insert, select

from wallet.assets.authority import Actor
from wallet.assets.context import AssetContext, check_units
from wallet.assets.errors import (
    AssetExists,
    AssetNotRegistered,
    AssetUnknown,
    BadDecimals,
    BadSymbol,
    BadTerms,
    CodeTaken,
    MirrorTaken,
    MirrorUnknown,
)
from wallet.assets.gateways import NAME_MAX, require_acts_for
from wallet.events import append_event
from wallet.ledger import chart
from wallet.ledger.terms.stated import state_limit, terms_changed
from wallet.store.schema import registered_assets

SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,15}")
"""What stands before the dot of a registered asset's code."""

DECIMALS_MAX = 36
"""Decimals that amounts can be written with."""

_a = registered_assets.c
_INSERT = insert(registered_assets).returning(registered_assets)


class AssetType(StrEnum):
    """A currency mirrors a coin outside; a physical asset stands for so much of something."""

    CURRENCY = "currency"
    PHYSICAL = "physical"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAsset:
    """What a gateway asks to register. A currency's decimals are those of what it mirrors."""

    gateway: str
    symbol: str
    name: str
    type: AssetType
    decimals: int | None = None
    mirrors: str | None = None
    quota_units: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAsset:
    """A registered asset. `locked` says that its quota is for ever."""

    id: str
    code: str
    gateway: str
    symbol: str
    name: str
    type: AssetType
    decimals: int
    mirrors: str | None
    quota_units: int | None
    locked: bool
    registered_by: str
    registered_s: int


def register(tx: Connection, context: AssetContext, actor: Actor, new: NewAsset) -> RegisteredAsset:
    """Register an asset of a gateway for ever, with its event; the gateway or its agent asks.

    Raises GatewayNotFound, NotYourGateway, BadSymbol, CodeTaken, AssetExists, BadTerms,
    BadDecimals, MirrorUnknown, MirrorTaken, BadUnits.
    """
    require_acts_for(tx, actor, new.gateway)
    code = _new_code(tx, context, new)
    decimals = _check_terms(tx, context, new)
    now_s = context.clock.now_s()
    row = {
        "code": code,
        "id": _id_of(code),
        "gateway": new.gateway,
        "symbol": new.symbol,
        "name": new.name,
        "type": str(new.type),
        "decimals": decimals,
        "mirrors": new.mirrors,
        "quota_units": new.quota_units,
        "locked": int(new.type is AssetType.PHYSICAL),
        "registered_by": actor.key_id,
        "registered_s": now_s,
    }
    terms_changed(tx)
    made = asset_of(tx.execute(_INSERT, row).mappings().one())
    if made.quota_units is not None:
        # What the gateway answers for is bounded in the books as well as in the registry.
        change = context.change(tx, actor, "quota")
        state_limit(tx, chart.issued(made.gateway), made.code, made.quota_units, change)
    append_event(tx, "asset.registered", made.code, _event(made), now_s)
    return made


def get_asset(tx: Connection, code: str) -> RegisteredAsset:
    """The registered asset of this code. Raises AssetNotRegistered."""
    row = tx.execute(select_assets().where(_a.code == code)).mappings().one_or_none()
    if row is None:
        raise AssetNotRegistered("got another asset, expected the code of a registered one")
    return asset_of(row)


def find_asset(tx: Connection, context: AssetContext, code: str) -> RegisteredAsset | None:
    """The registered asset of this code, None for an asset of a chain. Raises AssetUnknown."""
    if code in context.native:
        return None
    try:
        return get_asset(tx, code)
    except AssetNotRegistered as error:
        raise AssetUnknown("got an asset that neither a chain nor a gateway has") from error


def decimals_of(tx: Connection, context: AssetContext, code: str) -> int:
    """The decimals of an asset of a chain or a gateway. Raises AssetUnknown."""
    registered = find_asset(tx, context, code)
    return context.native[code] if registered is None else registered.decimals


def select_assets() -> Select[Any]:
    """All columns of registered assets."""
    return select(registered_assets)


def asset_of(row: RowMapping) -> RegisteredAsset:
    """A row of the table as a value."""
    return RegisteredAsset(
        id=row["id"],
        code=row["code"],
        gateway=row["gateway"],
        symbol=row["symbol"],
        name=row["name"],
        type=AssetType(row["type"]),
        decimals=row["decimals"],
        mirrors=row["mirrors"],
        quota_units=row["quota_units"],
        locked=bool(row["locked"]),
        registered_by=row["registered_by"],
        registered_s=row["registered_s"],
    )


def _new_code(tx: Connection, context: AssetContext, new: NewAsset) -> str:
    if SYMBOL.fullmatch(new.symbol) is None:
        raise BadSymbol("got another symbol, expected 1 to 16 of A-Z and 0-9, a letter first")
    if not 0 < len(new.name.strip()) <= NAME_MAX or not new.name.isprintable():
        raise BadSymbol(f"got a name of {len(new.name)} characters, expected 1 to {NAME_MAX}")
    code = f"{new.symbol}.{new.gateway}"
    if code in context.native:
        raise CodeTaken(f"got {code}, which is an asset of a chain")
    if tx.execute(select_assets().where(_a.code == code)).first():
        raise AssetExists(f"got {code}, which is registered already")
    return code


def _check_terms(tx: Connection, context: AssetContext, new: NewAsset) -> int:
    """The asset's decimals."""
    match new.type:
        case AssetType.CURRENCY:
            if new.mirrors is None or new.quota_units is not None:
                raise BadTerms("got a currency, expected the asset it mirrors and no quota")
            return _mirrored_decimals(tx, context, new, new.mirrors)
        case AssetType.PHYSICAL:
            if new.mirrors is not None or new.quota_units is None:
                raise BadTerms("got a physical asset, expected a quota and no mirrored asset")
            check_units(new.quota_units, 1)
            if new.decimals is None or not 0 <= new.decimals <= DECIMALS_MAX:
                raise BadDecimals(f"got other decimals, expected 0 to {DECIMALS_MAX}")
            return new.decimals
    assert_never(new.type)


def _mirrored_decimals(tx: Connection, context: AssetContext, new: NewAsset, mirrors: str) -> int:
    """Base unit for base unit: what mirrors a coin is divided as the coin is."""
    decimals = context.native.get(mirrors)
    if decimals is None:
        raise MirrorUnknown("got another asset to mirror, expected one of a chain we follow")
    if new.decimals not in (None, decimals):
        raise BadDecimals(f"got {new.decimals} decimals, expected the {decimals} of {mirrors}")
    query = select(_a.code).where(_a.gateway == new.gateway, _a.mirrors == mirrors)
    taken = tx.execute(query).scalar()
    if taken is not None:
        raise MirrorTaken(f"got {mirrors}, which {taken} mirrors already", {"asset": taken})
    return decimals


def _id_of(code: str) -> str:
    return str(UUID(bytes=hashlib.sha256(b"registered\n" + code.encode()).digest()[:16]))


def _event(asset: RegisteredAsset) -> dict[str, object]:
    return {
        "asset": asset.code,
        "gateway": asset.gateway,
        "type": str(asset.type),
        "decimals": asset.decimals,
        "mirrors": asset.mirrors,
        "quota_units": None if asset.quota_units is None else str(asset.quota_units),
        "locked": asset.locked,
        "by": asset.registered_by,
    }

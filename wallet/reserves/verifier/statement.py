"""A statement as typed values: what is owed, at which blocks, and what is claimed to be held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .failures import Failed
from .tree import DEPTH_MAX, UNITS_END, Node

_Row = TypeVar("_Row")


@dataclass(frozen=True)
class Liability:
    """What is owed in an asset: the root of its tree, whose sum is the total."""

    asset: str
    decimals: int
    depth: int
    root: Node


@dataclass(frozen=True)
class Network:
    """A chain and the block at which holdings are claimed. `chain_id` is None where it has none."""

    id: str
    height: int
    block_hash: bytes
    chain_id: int | None


@dataclass(frozen=True)
class Coin:
    """An output: where it is, what it is worth and what may spend it."""

    txid: str
    vout: int
    units: int
    script: bytes


@dataclass(frozen=True)
class Holding:
    """What an account holds of an asset; `contract` is empty for the chain's own."""

    asset: str
    contract: bytes
    units: int


@dataclass(frozen=True)
class CoinsClaim:
    """Coins of one wallet, shown to be its by one BIP-322 proof of funds by `challenge`."""

    network: str
    asset: str
    challenge: bytes
    coins: tuple[Coin, ...]


@dataclass(frozen=True)
class AccountClaim:
    """An account of an EVM chain. A Safe names its owners and threshold, a plain account none."""

    network: str
    address: bytes
    holds: tuple[Holding, ...]
    owners: tuple[bytes, ...] = ()
    threshold: int = 0


@dataclass(frozen=True)
class Statement:
    """All that a publication says."""

    operator: str
    made_s: int
    ledger_height: int
    ledger_hash: str
    liabilities: tuple[Liability, ...]
    left_out: tuple[str, ...]
    networks: Mapping[str, Network]
    claims: tuple[CoinsClaim | AccountClaim, ...]


def read_statement(values: Mapping[str, Any]) -> Statement:
    """The typed statement. Raises Failed (statement.*)."""
    table = _Table(values)
    ledger = _Table(table.take("ledger", dict))
    networks = table.rows("networks", _network)
    statement = Statement(
        operator=table.text("operator"),
        made_s=table.number("made_s"),
        ledger_height=ledger.number("height"),
        ledger_hash=ledger.text("state_hash"),
        liabilities=table.rows("liabilities", _liability),
        left_out=tuple(str(code) for code in table.take("left_out", list)),
        networks={network.id: network for network in networks},
        claims=table.rows("claims", _claim),
    )
    table.take("format", str)
    table.done()
    ledger.done()
    assets = [one.asset for one in statement.liabilities]
    if len(set(assets)) != len(assets) or len(statement.networks) != len(networks):
        raise Failed("statement.twice", "got an asset or a network twice")
    unknown = {claim.network for claim in statement.claims} - set(statement.networks)
    if unknown:
        raise Failed("statement.network", f"got claims on {sorted(unknown)}, no block is named")
    return statement


class _Table:
    """An object that is read field by field and must then be used up."""

    def __init__(self, values: Any) -> None:
        if not isinstance(values, dict):
            raise Failed("statement.shape", "got another value, expected an object")
        self._left = dict(values)

    def take(self, name: str, kind: type[Any]) -> Any:
        value = self._left.pop(name, None)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Failed("statement.shape", f"got no {name}, or one of another kind")
        return value

    def text(self, name: str) -> str:
        return str(self.take(name, str))

    def number(self, name: str) -> int:
        value = int(self.take(name, int))
        if not 0 <= value < 1 << 63:
            raise Failed("statement.shape", f"got {name} {value}, expected a whole number")
        return value

    def units(self, name: str) -> int:
        """Digits in a text: JSON's own numbers are not exact everywhere."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit()) or str(int(text)) != text:
            raise Failed("statement.shape", f"got {name} {text[:40]!r}, expected digits")
        if int(text) >= UNITS_END:
            raise Failed("statement.units", f"got {name} {text[:40]}, expected below 2^128")
        return int(text)

    def blob(self, name: str, *sizes: int) -> bytes:
        text = self.text(name)
        try:
            data = bytes.fromhex(text)
        except ValueError:
            data = b""
        if data.hex() != text or (sizes and len(data) not in sizes):
            raise Failed("statement.shape", f"got {name} {text[:40]!r}, expected lower-case hex")
        return data

    def rows(self, name: str, read: "Callable[[_Table], _Row]") -> tuple[_Row, ...]:
        found = []
        for item in self.take(name, list):
            row = _Table(item)
            found.append(read(row))
            row.done()
        return tuple(found)

    def has(self, name: str) -> bool:
        return name in self._left

    def done(self) -> None:
        if self._left:
            raise Failed("statement.shape", f"got unknown fields {sorted(self._left)[:5]}")


def _network(row: _Table) -> Network:
    return Network(
        id=row.text("id"),
        height=row.number("height"),
        block_hash=row.blob("hash", 32),
        chain_id=row.number("chain_id") if row.has("chain_id") else None,
    )


def _liability(row: _Table) -> Liability:
    one = Liability(
        asset=row.text("asset"),
        decimals=row.number("decimals"),
        depth=row.number("depth"),
        root=Node(row.blob("root", 32), row.units("units")),
    )
    if one.depth > DEPTH_MAX:
        raise Failed("statement.depth", f"got a depth of {one.depth}, expected {DEPTH_MAX} at most")
    return one


def _coin(row: _Table) -> Coin:
    return Coin(
        txid=row.blob("txid", 32).hex(),
        vout=row.number("vout"),
        units=row.units("units"),
        script=row.blob("script"),
    )


def _holding(row: _Table) -> Holding:
    return Holding(
        asset=row.text("asset"), contract=row.blob("contract", 0, 20), units=row.units("units")
    )


def _owner(row: _Table) -> bytes:
    return row.blob("address", 20)


def _claim(row: _Table) -> CoinsClaim | AccountClaim:
    kind, network = row.text("kind"), row.text("network")
    if kind == "coins":
        return CoinsClaim(
            network=network,
            asset=row.text("asset"),
            challenge=row.blob("challenge"),
            coins=row.rows("coins", _coin),
        )
    if kind not in ("account", "safe"):
        raise Failed("statement.claim", f"got a claim of kind {kind[:40]!r}")
    address, holds = row.blob("address", 20), row.rows("holds", _holding)
    if kind == "account":
        return AccountClaim(network=network, address=address, holds=holds)
    owners, threshold = row.rows("owners", _owner), row.number("threshold")
    if not 1 <= threshold <= len(owners) or len(set(owners)) != len(owners):
        raise Failed("statement.owners", f"got {threshold} of {len(owners)} owners")
    return AccountClaim(
        network=network, address=address, holds=holds, owners=owners, threshold=threshold
    )

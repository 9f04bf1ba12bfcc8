"""A registry of assets to act upon: keys, accounts, and a context without any chain."""

from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import insert

from wallet.addresses.accounts import create_account
from wallet.assets.authority import SCOPES, Actor, ScopeAuthority
from wallet.assets.context import AssetContext
from wallet.assets.gateways import Gateway, open_gateway
from wallet.assets.issuing import Issue, Order, issue, redeem
from wallet.assets.registration import AssetType, NewAsset, RegisteredAsset, register
from wallet.assets.trust import TrustLine, state_trust
from wallet.ledger import chart
from wallet.ledger.balances import Balance, balance
from wallet.store.database import Database
from wallet.store.schema import api_keys

NOW_S = 1_800_000_000
NATIVE = {"BTC": 8, "ETH": 18}
GOLD, COIN = "GOLD.zurich", "BTC.zurich"


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time_s = NOW_S

    def now_s(self) -> int:
        return self.time_s


@dataclass
class AssetsWorld:
    """Everything acts as some key: the operator's, the gateway's, the exchange's."""

    database: Database
    clock: SetClock = field(default_factory=SetClock)

    def __post_init__(self) -> None:
        self.context = AssetContext(native=NATIVE, authority=ScopeAuthority(), clock=self.clock)
        self.operator, self.gateway = self.key("operator"), self.key("gateway")
        self.exchange = self.key("exchange")

    def key(self, name: str, scopes: frozenset[str] | None = None) -> Actor:
        """An API key of this name, with every scope that acts ask for unless told otherwise."""
        key_id = str(uuid4())
        row = {
            "id": key_id,
            "name": name,
            "public_key": b"\x01" * 32,
            "scopes": "[]",
            "networks_allowed": "[]",
            "created_s": NOW_S,
            "revoked_s": None,
        }
        with self.database.write() as tx:
            tx.execute(insert(api_keys).values(row))
        granted = frozenset(SCOPES.values()) if scopes is None else scopes
        return Actor(key_id=key_id, scopes=granted)

    def account(self, name: str) -> str:
        with self.database.write() as tx:
            return create_account(tx, name, NOW_S)

    def open(self, gateway_id: str = "zurich", actor: Actor | None = None) -> Gateway:
        key_id = (actor or self.gateway).key_id
        with self.database.write() as tx:
            return open_gateway(tx, self.operator, gateway_id, gateway_id.title(), key_id, NOW_S)

    def gold(self, quota_units: int = 1_000) -> RegisteredAsset:
        """GOLD.zurich, physical."""
        new = NewAsset(
            gateway="zurich",
            symbol="GOLD",
            name="one gram of gold",
            type=AssetType.PHYSICAL,
            decimals=3,
            quota_units=quota_units,
        )
        return self.register(new)

    def coin(self) -> RegisteredAsset:
        """BTC.zurich, mirroring BTC."""
        new = NewAsset(
            gateway="zurich",
            symbol="BTC",
            name="a bitcoin in Zurich",
            type=AssetType.CURRENCY,
            mirrors="BTC",
        )
        return self.register(new)

    def register(self, new: NewAsset, actor: Actor | None = None) -> RegisteredAsset:
        with self.database.write() as tx:
            return register(tx, self.context, actor or self.gateway, new)

    def trust(self, account_id: str, limit_units: int, asset: str = GOLD) -> TrustLine:
        with self.database.write() as tx:
            return state_trust(tx, self.context, self.exchange, account_id, asset, limit_units)

    def issue(
        self, account_id: str, units: int, asset: str = GOLD, actor: Actor | None = None
    ) -> Issue:
        order = Order(asset=asset, account_id=account_id, units=units, external_id=str(uuid4()))
        with self.database.write() as tx:
            return issue(tx, self.context, actor or self.gateway, order)

    def redeem(
        self, account_id: str, units: int, asset: str = GOLD, actor: Actor | None = None
    ) -> Issue:
        order = Order(asset=asset, account_id=account_id, units=units, external_id=str(uuid4()))
        with self.database.write() as tx:
            return redeem(tx, self.context, actor or self.exchange, order)

    def held(self, account_id: str, asset: str = GOLD) -> Balance:
        with self.database.read() as tx:
            return balance(tx, chart.user(account_id), asset)

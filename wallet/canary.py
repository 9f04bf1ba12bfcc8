"""Canary money: tiny withdrawals to an own deposit address, to find a fault before users do.

One canary flies at a time for each asset: it leaves as an ordinary withdrawal of a configured
account and comes back as an ordinary deposit of the same account. All is read from those rows, so
a restart continues; a canary that is not back in time is an alert.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from wallet.addresses.accounts import find_account
from wallet.addresses.derivation import Deriver
from wallet.addresses.issuing import issue
from wallet.addresses.marks import AddressMarks
from wallet.clock import Clock
from wallet.deposits.states import DepositStatus
from wallet.errors import NotFound
from wallet.events import append_event
from wallet.settings import AssetSettings, NetworkSettings, Settings
from wallet.store.database import Database
from wallet.store.schema import addresses, deposits, events, payments, withdrawals
from wallet.withdrawals.requests import WithdrawalOrder, Withdrawals

PREFIX = "canary:"
"""How external ids of canaries begin; asset and time follow."""

REQUESTER = "wallet:canary"
"""Who asks for a canary: the service itself."""

LATE = "alert.canary_late"


class CanaryAccountMissing(NotFound):
    """The account that canaries belong to was never opened."""

    code = "canary.account_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """The last canary of an asset; `back_s` is when it was credited, None until then."""

    asset: str
    withdrawal_id: str
    status: str
    begun_s: int
    back_s: int | None

    def seconds(self, now_s: int) -> int:
        """How long it took, or has been away."""
        return (now_s if self.back_s is None else self.back_s) - self.begun_s


class Canary:
    """Sends canaries and waits for them."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        settings: Settings,
        deriver: Deriver,
        withdrawals: Withdrawals,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._deriver = deriver
        self._withdrawals = withdrawals
        self._networks: Mapping[str, NetworkSettings] = {n.id: n for n in settings.networks}
        self._assets = tuple(a for a in settings.assets if a.canary_units)

    def run(self) -> None:
        """One look at every asset: tell of the late, send the next when it is time.

        Raises CanaryAccountMissing, or what submitting a withdrawal raises.
        """
        with self._database.read() as tx:
            found = find_account(tx, self._settings.canary_account)
        if found is None:
            name = self._settings.canary_account[:40]
            raise CanaryAccountMissing(f"got no account {name!r}, expected one for canaries")
        for asset in self._assets:
            with self._database.write() as tx:
                self._look(tx, found.id, asset)

    def flights(self) -> list[Flight]:
        """The last canary of each asset that has flown."""
        with self._database.read() as tx:
            account = find_account(tx, self._settings.canary_account)
            if account is None:
                return []
            return [f for a in self._assets if (f := last_flight(tx, account.id, a.code))]

    def is_late(self, flight: Flight) -> bool:
        """Whether it took, or has been away, longer than the objective."""
        return flight.seconds(self._clock.now_s()) > self._settings.canary_latency_s

    def _look(self, tx: Connection, account_id: str, asset: AssetSettings) -> None:
        last, now_s = last_flight(tx, account_id, asset.code), self._clock.now_s()
        if last is not None and self.is_late(last):
            _tell_once(tx, last, now_s)
        if last is None or now_s >= last.begun_s + self._settings.canary_every_s:
            self._send(tx, account_id, asset, now_s)

    def _send(self, tx: Connection, account_id: str, asset: AssetSettings, now_s: int) -> None:
        order = WithdrawalOrder(
            external_id=f"{PREFIX}{asset.code}:{now_s}",
            account_id=account_id,
            asset=asset.code,
            address=self._own_address(tx, account_id, asset.network, now_s),
            units=asset.canary_units,
            requester=REQUESTER,
        )
        self._withdrawals.submit(tx, order)

    def _own_address(self, tx: Connection, account_id: str, network: str, now_s: int) -> str:
        known = tx.execute(
            select(addresses.c.address)
            .where(addresses.c.account_id == account_id, addresses.c.network == network)
            .order_by(addresses.c.position)
            .limit(1)
        ).scalar()
        if known is not None:
            return str(known)
        settings = self._networks[network]
        source = settings.deposit or settings.hot
        fresh = issue(
            tx,
            self._deriver,
            network=network,
            source=source,
            account_id=account_id,
            now_s=now_s,
        )
        AddressMarks.of(self._settings.data_dir).check(fresh)  # told to nobody, so not marked
        return fresh.address


def last_flight(tx: Connection, account_id: str, asset: str) -> Flight | None:
    """The newest canary of an asset, and whether it came back."""
    row = tx.execute(
        select(withdrawals, payments.c.txid)
        .select_from(withdrawals.outerjoin(payments, payments.c.id == withdrawals.c.payment_id))
        .where(
            withdrawals.c.account_id == account_id,
            withdrawals.c.asset == asset,
            withdrawals.c.external_id.startswith(PREFIX, autoescape=True),
        )
        .order_by(withdrawals.c.created_s.desc(), withdrawals.c.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    back_s = tx.execute(
        select(deposits.c.credited_s).where(
            deposits.c.network == row.network,
            deposits.c.txid == row.txid,
            deposits.c.account_id == account_id,
            deposits.c.asset == asset,
            deposits.c.status == str(DepositStatus.CREDITED),
        )
    ).scalar()
    return Flight(
        asset=asset,
        withdrawal_id=row.id,
        status=row.status,
        begun_s=row.created_s,
        back_s=back_s,
    )


def _tell_once(tx: Connection, flight: Flight, now_s: int) -> None:
    told = tx.execute(
        select(events.c.seq).where(events.c.type == LATE, events.c.subject == flight.withdrawal_id)
    ).first()
    if told is None:
        body = {
            "asset": flight.asset,
            "withdrawal_id": flight.withdrawal_id,
            "status": flight.status,
            "seconds": flight.seconds(now_s),
        }
        append_event(tx, LATE, flight.withdrawal_id, body, now_s)

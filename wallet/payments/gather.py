"""Gathering: what lies on EVM deposit addresses moves to the hot account when it is worth its fee.

By address balance, not by deposit. A token address without gas is topped up first; the transfer
follows once the top-up is final. Every pass decides anew from rows and balances, so a restart in
the middle simply continues.
"""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from chains.types import BlockRef, Family
from signer.protocol import Intent, OwnOutput, Payee, Purpose
from wallet.deposits.states import DepositStatus
from wallet.deposits.watcher import last_scanned
from wallet.payments import journal
from wallet.payments.building.orders import SpendOrder
from wallet.payments.desk import PaymentDesk
from wallet.payments.errors import NotBuilt, SenderBusy
from wallet.payments.states import PaymentStatus
from wallet.settings import AssetSettings
from wallet.store.schema import addresses, deposits, payments

INTENT_LIFE_S = 3600
"""A gather not signed within an hour is decided anew."""

REFUSED_PAUSE_S = 600
"""After a payment of an address was given up, it is left alone so long: refusals do not go away by
asking again, and every try writes rows."""

REQUESTER = "wallet:gather"
"""Who asks for gathering: the service itself."""

_COMING = (DepositStatus.SEEN, DepositStatus.CONFIRMING, DepositStatus.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heap:
    """What one deposit address is thought to hold of one asset, by our own books."""

    target: bytes
    sender: OwnOutput
    units: int


class Gatherer:
    """Builds gathers and the top-ups they need, one pass at a time."""

    def __init__(self, desk: PaymentDesk) -> None:
        self._desk = desk
        self._context = desk.context

    def run(self, network: str) -> int:
        """One pass over a network; returns the payments built. Raises NodeError."""
        context = self._context
        if context.chains[network].family is not Family.EVM:
            return 0
        native = context.native_asset(network)
        # Tokens first: their gas must not be gathered away before they are.
        assets = sorted(
            (a for a in context.assets.values() if a.network == network),
            key=lambda asset: (asset.code == native, asset.code),
        )
        return sum(self._gather_asset(asset, is_native=asset.code == native) for asset in assets)

    def _gather_asset(self, asset: AssetSettings, *, is_native: bool) -> int:
        with self._context.database.read() as tx:
            at = last_scanned(tx, asset.network)
            heaps = [] if at is None else _heaps(tx, asset)
            busy = _busy_addresses(tx, asset.network, self._context.clock.now_s())
        built = 0
        for heap in heaps:
            if at is None or heap.sender.address in busy:
                continue
            try:
                if is_native:
                    built += self._gather_native(asset, heap, at)
                else:
                    built += self._gather_token(asset, heap, at)
            except SenderBusy:
                break
            except NotBuilt:
                continue
        return built

    def _gather_native(self, asset: AssetSettings, heap: Heap, at: BlockRef) -> int:
        """The whole balance less its own fee."""
        free = self._free_units(asset, heap, at)
        builder, hot = self._desk.evm, self._hot(asset.network)
        probe = builder.transfer_to(asset.code, self._target(asset.network, hot), 1)
        quote = builder.quote(asset.network, asset.code, heap.sender, probe, 1)
        units = free - quote.fee_wei_max
        if units < max(1, asset.gather_units_min):
            return 0
        order = self._order(asset, Purpose.GATHER, heap.sender, hot, units)
        self._desk.start_quoted(order, builder.transfer_call(order), quote)
        return 1

    def _gather_token(self, asset: AssetSettings, heap: Heap, at: BlockRef) -> int:
        units = self._free_units(asset, heap, at)
        if units < max(1, asset.gather_units_min):
            return 0
        builder = self._desk.evm
        order = self._order(asset, Purpose.GATHER, heap.sender, self._hot(asset.network), units)
        call = builder.transfer_call(order)
        quote = builder.quote(asset.network, asset.code, heap.sender, call, units)
        missing = quote.fee_wei_max - quote.native_units
        if missing > 0:
            # A quarter more, so that a small rise of the price does not need a second top-up.
            return self._top_up(asset.network, heap.sender, missing + quote.fee_wei_max // 4)
        self._desk.start_quoted(order, call, quote)
        return 1

    def _top_up(self, network: str, receiver: OwnOutput, units: int) -> int:
        context = self._context
        native = context.assets[context.native_asset(network)]
        order = self._order(native, Purpose.TOP_UP, self._hot(network), receiver, units)
        payment = self._desk.start(order)
        # Signed at once, so that the hot account is free for the next one.
        self._desk.advance(payment.id)
        return 1

    def _free_units(self, asset: AssetSettings, heap: Heap, at: BlockRef) -> int:
        """The address's balance at the scanned tip without deposits that are not booked yet."""
        chain = self._context.chains[asset.network]
        with self._context.database.read() as tx:
            coming = _unbooked_units(tx, asset, heap.target)
        return chain.balance_units(heap.target, asset.code, at) - coming

    def _order(
        self,
        asset: AssetSettings,
        purpose: Purpose,
        sender: OwnOutput,
        receiver: OwnOutput,
        units: int,
    ) -> SpendOrder:
        context = self._context
        now_s = context.clock.now_s()
        intent = Intent(
            intent_id=context.new_id(),
            purpose=purpose,
            network=asset.network,
            asset=asset.code,
            source=sender.source,
            payees=(Payee(address=receiver.address, units=units),),
            fee_units_max=context.networks[asset.network].fee_units_max,
            requester=REQUESTER,
            created_s=now_s,
            expires_s=now_s + INTENT_LIFE_S,
        )
        return SpendOrder(
            network=asset.network,
            asset=asset.code,
            source=sender.source,
            purpose=purpose,
            intents=(intent,),
            own=(receiver,),
            sender=sender,
        )

    def _hot(self, network: str) -> OwnOutput:
        return self._desk.fixed_sender(network, self._context.networks[network].hot)

    def _target(self, network: str, own: OwnOutput) -> bytes:
        return self._context.chains[network].destination(own.address).target


def _heaps(tx: Connection, asset: AssetSettings) -> list[Heap]:
    """Deposit addresses by what was booked on them less what was gathered, the largest first."""
    booked = or_(
        deposits.c.status == str(DepositStatus.CREDITED),
        deposits.c.status == str(DepositStatus.BELOW_MINIMUM),
    )
    rows = tx.execute(
        select(addresses, deposits.c.units)
        .join(deposits, deposits.c.address_id == addresses.c.id)
        .where(
            addresses.c.network == asset.network,
            addresses.c.purpose == "deposit",
            deposits.c.asset == asset.code,
            booked,
        )
    ).all()
    units: dict[str, int] = defaultdict(int)
    known = {}
    for row in rows:
        units[row.address] += row.units
        known[row.address] = row
    for address, gathered in _gathered(tx, asset):
        units[address] -= gathered
    heaps = [
        Heap(
            target=bytes(row.target),
            sender=OwnOutput(
                address=address, source=row.source, branch=row.branch, index=row.position
            ),
            units=units[address],
        )
        for address, row in known.items()
        if units[address] >= max(1, asset.gather_units_min)
    ]
    return sorted(heaps, key=lambda heap: (-heap.units, heap.sender.address))


def _gathered(tx: Connection, asset: AssetSettings) -> list[tuple[str, int]]:
    rows = tx.execute(
        select(payments.c.sender, payments.c.units).where(
            payments.c.network == asset.network,
            payments.c.asset == asset.code,
            payments.c.purpose == str(Purpose.GATHER),
            payments.c.status == str(PaymentStatus.COMPLETED),
        )
    )
    return [(row.sender, row.units) for row in rows]


def _unbooked_units(tx: Connection, asset: AssetSettings, target: bytes) -> int:
    rows = tx.execute(
        select(deposits.c.units, deposits.c.status, deposits.c.sub_status)
        .join(addresses, addresses.c.id == deposits.c.address_id)
        .where(
            addresses.c.network == asset.network,
            addresses.c.target == target,
            deposits.c.asset == asset.code,
            deposits.c.height.is_not(None),  # what only waits in a pool is in no balance yet
        )
    )
    coming = {str(status) for status in _COMING}
    return sum(
        row.units
        for row in rows
        if row.status in coming
        or (row.status == str(DepositStatus.BELOW_MINIMUM) and row.sub_status != "booked")
    )


def _busy_addresses(tx: Connection, network: str, now_s: int) -> set[str]:
    """Addresses whose balance is about to change, or whose last payment was given up just now."""
    purposes = (Purpose.GATHER, Purpose.TOP_UP)
    around = journal.unfinished(tx, network, purposes=purposes)
    around += journal.abandoned_after(tx, network, purposes, now_s - REFUSED_PAUSE_S)
    busy: set[str] = set()
    for payment in around:
        busy.update(p.address for intent in payment.request.intents for p in intent.payees)
        if payment.purpose is Purpose.GATHER and payment.sender is not None:
            busy.add(payment.sender)
    return busy

"""Gathering in figures: what waits on deposit addresses and why, and what gathering cost in gas.

Gas comes from the receipts themselves, so that the two ways can be held beside each other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, select

from chains.evm.set_code import SET_CODE_TYPE, UnsignedSetCodeTx
from signer.protocol import Kind, Purpose
from wallet.gathers.books import heaps
from wallet.gathers.ports import GatherDoor
from wallet.payments import journal
from wallet.payments.states import PaymentStatus
from wallet.settings import AssetSettings
from wallet.store.schema import batch_shares, payments, top_ups


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One asset's deposit addresses; units are what our books have on them.

    `pending_threshold` addresses hold less than is gathered, and keep it until it is enough.
    `leftover_gas` is ether that top-ups left on addresses: it pays the next gather there.
    """

    asset: str
    threshold_units: int
    addresses: int
    units: int
    pending_threshold: int
    pending_threshold_units: int
    leftover_gas_addresses: int = 0
    leftover_gas_units: int = 0


class Gathered(StrEnum):
    """How a swept deposit address was emptied."""

    TOP_UP = "top_up"  # by a transfer of its own, top-ups included
    BATCH_FIRST = "batch_first"  # by batches in which every address gave its leave
    BATCH_LATER = "batch_later"  # by batches in which none had to
    BATCH_MIXED = "batch_mixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GasUse:
    """Finished gathers of one asset by one way; `gas_each` is rounded up."""

    asset: str
    way: Gathered
    transactions: int
    swept: int
    gas: int
    fee_units: int

    @property
    def gas_each(self) -> int:
        """Gas for each emptied address."""
        return -(-self.gas // self.swept) if self.swept else 0


def waiting(tx: Connection, asset: AssetSettings, *, is_native: bool) -> Waiting:
    """What deposit addresses hold of an asset, and how much of it is too little to gather."""
    found = heaps(tx, asset, is_native=is_native)
    threshold = max(1, asset.gather_units_min)
    small = [heap for heap in found if heap.units < threshold]
    topped = set(tx.execute(select(top_ups.c.address_id)).scalars()) if is_native else set()
    leftover = [heap for heap in small if heap.address_id in topped]
    return Waiting(
        asset=asset.code,
        threshold_units=threshold,
        addresses=len(found),
        units=sum(heap.units for heap in found),
        pending_threshold=len(small),
        pending_threshold_units=sum(heap.units for heap in small),
        leftover_gas_addresses=len(leftover),
        leftover_gas_units=sum(heap.units for heap in leftover),
    )


def finished(tx: Connection, network: str, after_s: int) -> list[journal.Payment]:
    """Gathers and top-ups of a network that ended well since a time (Unix seconds)."""
    rows = tx.execute(
        select(payments.c.id)
        .where(
            payments.c.network == network,
            payments.c.purpose.in_([str(Purpose.GATHER), str(Purpose.TOP_UP)]),
            payments.c.status == str(PaymentStatus.COMPLETED),
            payments.c.txid.is_not(None),
            payments.c.updated_s >= after_s,
        )
        .order_by(payments.c.created_s, payments.c.id)
    )
    return [journal.get(tx, row.id) for row in rows]


def gas_uses(
    tx: Connection,
    done: Iterable[journal.Payment],
    door: GatherDoor,
    step: Callable[[], None] = lambda: None,
) -> list[GasUse]:
    """What gathers cost, by asset and way; `step` is called after each receipt. Raises NodeError.

    A top-up counts towards the tokens that were then gathered from its address.
    """
    listed = list(done)
    tokens = {
        p.sender: p.asset
        for p in listed
        if p.purpose is Purpose.GATHER and p.request.kind is Kind.EVM_TX and p.units
    }
    sums: dict[tuple[str, Gathered], list[int]] = {}
    for payment in listed:
        gas = door.gas_used(payment.txid or "")
        step()
        if gas is None:
            continue
        asset, way, swept = payment.asset, Gathered.TOP_UP, 1
        if payment.purpose is Purpose.TOP_UP:
            asset, swept = tokens.get(_payee(payment), payment.asset), 0
        elif payment.request.kind is Kind.EVM_BATCH:
            way, swept = _way(tx, payment), _swept(tx, payment.id)
        row = sums.setdefault((asset, way), [0, 0, 0, 0])
        for place, more in enumerate((1, swept, gas, payment.fee_units or 0)):
            row[place] += more
    return [
        GasUse(
            asset=asset, way=way, transactions=row[0], swept=row[1], gas=row[2], fee_units=row[3]
        )
        for (asset, way), row in sorted(sums.items())
    ]


def _payee(payment: journal.Payment) -> str:
    return payment.request.intents[0].payees[0].address


def _way(tx: Connection, payment: journal.Payment) -> Gathered:
    """By how many of its addresses gave their leave in it."""
    payload = payment.request.payload
    is_plain = payload[0] != SET_CODE_TYPE
    leaves = 0 if is_plain else len(UnsignedSetCodeTx.decode(payload).authorizations)
    if not leaves:
        return Gathered.BATCH_LATER
    total = tx.execute(
        select(func.count()).where(batch_shares.c.payment_id == payment.id)
    ).scalar_one()
    return Gathered.BATCH_FIRST if leaves == total else Gathered.BATCH_MIXED


def _swept(tx: Connection, payment_id: str) -> int:
    rows = tx.execute(
        select(batch_shares.c.left_units).where(batch_shares.c.payment_id == payment_id)
    )
    return sum(bool(row.left_units) for row in rows)

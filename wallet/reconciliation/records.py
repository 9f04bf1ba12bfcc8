"""What our own records say of a block: its deposits, and which of its transactions we signed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from chains.errors import CodecError
from chains.types import BlockRef
from chains.utxo.transactions import Transaction
from signer.protocol import Purpose
from wallet.addresses.issuing import CHUNK
from wallet.deposits.crediting import BOOKED
from wallet.deposits.states import DepositStatus
from wallet.payments.deciding import NOT_PAID
from wallet.payments.states import PaymentStatus
from wallet.store.schema import deposits, payment_versions, payments

_SETTLED = frozenset({PaymentStatus.COMPLETED, PaymentStatus.FAILED, PaymentStatus.ABANDONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositRecord:
    """A deposit row; `logged_units` is what the block shows, `units` what of it arrived."""

    id: str
    asset: str
    units: int
    logged_units: int
    block_hash: str | None
    is_booked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """A payment whose transaction a block has, and the state of its record.

    `outputs_units` are all outputs of a UTXO transaction, None on chains of accounts; `inputs` is
    how many it spends. `is_counted`: the record ended with this very transaction; `is_decided`: a
    person ended it as not paid, and what left was booked as a loss.
    """

    id: str
    asset: str
    purpose: Purpose
    source: str
    units: int
    status: PaymentStatus
    fee_units: int | None
    is_counted: bool
    is_lost: bool
    is_decided: bool = False
    outputs_units: int | None = None
    inputs: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to its record."""
        return self.status in _SETTLED and not self.is_lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The deposits of a block by (txid, position), and our payments by txid."""

    deposits: Mapping[tuple[str, str], DepositRecord]
    payments: Mapping[str, PaymentRecord]


def records_of(tx: Connection, network: str, ref: BlockRef, txids: Iterable[str]) -> Records:
    """What we have about a block and these of its transactions."""
    rows = tx.execute(
        select(deposits).where(
            deposits.c.network == network,
            deposits.c.height == ref.height,
            deposits.c.block_hash == ref.hash,
        )
    )
    return Records(
        deposits={(row.txid, row.position): _deposit(row) for row in rows},
        payments=payments_by_txid(tx, network, txids),
    )


def payments_by_txid(
    tx: Connection, network: str, txids: Iterable[str]
) -> Mapping[str, PaymentRecord]:
    """The payments that signed these transactions.

    On a UTXO chain the bytes kept must hash to the txid: then they are what the block has.
    """
    wanted, found = sorted(set(txids)), {}
    for start in range(0, len(wanted), CHUNK):
        rows = tx.execute(
            select(
                payment_versions.c.txid.label("signed_txid"),
                payment_versions.c.raw.label("signed_raw"),
                payments,
            )
            .join(payments, payments.c.id == payment_versions.c.payment_id)
            .where(
                payments.c.network == network,
                payment_versions.c.txid.in_(wanted[start : start + CHUNK]),
            )
        )
        for row in rows:
            record = _payment(row)
            if record is not None:
                found[row.signed_txid] = record
    return found


def deposits_by_id(tx: Connection, ids: Iterable[str]) -> Mapping[str, DepositRecord]:
    """Deposits as they are now."""
    wanted, found = sorted(set(ids)), {}
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        for row in tx.execute(select(deposits).where(deposits.c.id.in_(chunk))):
            found[row.id] = _deposit(row)
    return found


def _deposit(row: Any) -> DepositRecord:
    status = DepositStatus(row.status)
    small = status is DepositStatus.BELOW_MINIMUM and row.sub_status == BOOKED
    return DepositRecord(
        id=row.id,
        asset=row.asset,
        units=row.units,
        logged_units=row.units if row.logged_units is None else row.logged_units,
        block_hash=row.block_hash,
        is_booked=small or status in (DepositStatus.CREDITED, DepositStatus.REJECTED),
    )


def _payment(row: Any) -> PaymentRecord | None:
    outputs_units, inputs = None, 0
    if row.sender is None:
        try:
            signed = Transaction.parse(row.signed_raw)
        except CodecError:
            return None
        if signed.txid != row.signed_txid:
            return None
        outputs_units = sum(output.sats for output in signed.outputs)
        inputs = len(signed.inputs)
    return PaymentRecord(
        id=row.id,
        asset=row.asset,
        purpose=Purpose(row.purpose),
        source=row.source,
        units=row.units,
        status=PaymentStatus(row.status),
        fee_units=row.fee_units,
        is_counted=row.txid == row.signed_txid,
        is_lost=row.lost_s is not None,
        is_decided=row.sub_status.startswith(NOT_PAID),
        outputs_units=outputs_units,
        inputs=inputs,
    )

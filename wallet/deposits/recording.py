"""Write down what one scanned block brought, in the same transaction as the block itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, insert, select, update

from chains.types import BlockRef, BlockScan, Inflow, OutPoint, Spend
from signer.protocol import Purpose
from wallet.addresses.issuing import Address, find_by_targets
from wallet.coins.quarantine import mark_dusting
from wallet.deposits import pending
from wallet.deposits.changes import Change, apply_change, deposit_event, hold
from wallet.deposits.rules import DepositRules
from wallet.deposits.states import DepositStatus
from wallet.deposits.tokens.arrivals import QUARANTINED, Arrival
from wallet.deposits.tokens.recording import judge_tokens
from wallet.deposits.watch import inputs_of_gone_deposits
from wallet.events import append_event
from wallet.hosted_keys import coins as hosted_coins
from wallet.store.schema import blocks, deposits, payment_versions, payments, utxos

_INSERT_BLOCK = insert(blocks)
_KNOWN = select(deposits).where(
    deposits.c.network == bindparam("on"),
    deposits.c.txid == bindparam("tx"),
    deposits.c.position == bindparam("at"),
)
_OWN = (
    select(payment_versions.c.txid, payments.c.purpose)
    .select_from(payment_versions.join(payments))
    .where(
        payments.c.network == bindparam("on"),
        payment_versions.c.txid.in_(bindparam("these", expanding=True)),
    )
)


def record_block(
    tx: Connection, network: str, scan: BlockScan, rules: Mapping[str, DepositRules], now_s: int
) -> int:
    """Store a block, its outputs, spends and deposits. Returns the number of its deposits."""
    _insert_block(tx, network, scan.ref, now_s)
    return record_movements(tx, network, scan, rules, now_s).deposits


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was new in a block: how many deposits, and which outputs."""

    deposits: int
    outputs: tuple[OutPoint, ...]


def record_movements(
    tx: Connection, network: str, scan: BlockScan, rules: Mapping[str, DepositRules], now_s: int
) -> Recorded:
    """Store the outputs, spends and deposits of a block that is stored; what is known stays."""
    # What only looked like ours (the watch list may err that way) is not found here.
    targets = {inflow.target for inflow in scan.inflows} | {move.target for move in scan.moves}
    owners = find_by_targets(tx, network, targets)
    inflows = [inflow for inflow in scan.inflows if inflow.target in owners]
    outputs = _record_outputs(tx, network, scan.ref, inflows, owners)
    _record_spends(tx, network, scan, now_s)
    hosted_coins.record_scan(tx, network, scan)
    purposes = own_purposes(tx, network, {inflow.txid for inflow in inflows})
    pending.settle_mined(tx, network, {inflow.txid for inflow in inflows}, scan, now_s)
    strangers = [inflow for inflow in inflows if inflow.txid not in purposes]
    limits = {code: rule.dusting_units for code, rule in rules.items()}
    mark_dusting(tx, network, strangers, owners, limits, now_s)
    assets = {code: rule.asset for code, rule in rules.items()}
    judged = judge_tokens(tx, network, scan, inflows, owners, assets, now_s)
    found = 0
    for inflow, arrival in judged.items():
        owner = owners[inflow.target]
        if inflow.asset in rules and is_deposit(purposes.get(inflow.txid), owner.purpose):
            found += _record_deposit(
                tx, network, scan.ref, inflow, arrival, owner, rules[inflow.asset], now_s
            )
    return Recorded(deposits=found, outputs=outputs)


def deposit_id(network: str, txid: str, position: str) -> str:
    """A UUID that follows from where the money arrived (SHA-256, its first 16 bytes).

    Whoever finds the deposit again gives it the same, in a database that never saw it too: its
    ledger, joined from an image, knows by the cause that it was credited.
    """
    digest = sha256(f"{network}\n{txid}\n{position}".encode()).digest()
    return str(UUID(bytes=digest[:16]))


def is_deposit(own_purpose: Purpose | None, address_purpose: str) -> bool:
    """Whether money that arrived is somebody's deposit rather than our own money moving.

    A withdrawal that pays another user's deposit address is one: that user is owed it.
    """
    if own_purpose is None:
        return True
    return own_purpose is Purpose.WITHDRAWAL and address_purpose == "deposit"


def _insert_block(tx: Connection, network: str, ref: BlockRef, now_s: int) -> None:
    row = {
        "network": network,
        "height": ref.height,
        "hash": ref.hash,
        "parent": ref.parent,
        "time_s": ref.time_s,
        "bits": ref.bits,
        "scanned_s": now_s,
    }
    tx.execute(_INSERT_BLOCK, row)


def own_purposes(tx: Connection, network: str, txids: set[str]) -> dict[str, Purpose]:
    """What our own payments among these transactions are for, by txid."""
    if not txids:
        return {}
    rows = tx.execute(_OWN, {"on": network, "these": list(txids)})
    return {txid: Purpose(purpose) for txid, purpose in rows}


def _record_outputs(
    tx: Connection,
    network: str,
    ref: BlockRef,
    inflows: Sequence[Inflow],
    owners: Mapping[bytes, Address],
) -> tuple[OutPoint, ...]:
    """Store outputs; those that were not known before are returned."""
    new = []
    for inflow in inflows:
        if not inflow.position.startswith("out:"):
            continue
        vout = int(inflow.position.removeprefix("out:"))
        known = tx.execute(
            update(utxos)
            .where(utxos.c.network == network, utxos.c.txid == inflow.txid, utxos.c.vout == vout)
            .values(height=ref.height, mature_height=ref.height + inflow.maturity_blocks)
        )
        if known.rowcount == 0:
            tx.execute(
                insert(utxos).values(
                    network=network,
                    txid=inflow.txid,
                    vout=vout,
                    address_id=owners[inflow.target].id,
                    units=inflow.units,
                    raw_tx=inflow.raw_tx,
                    height=ref.height,
                    mature_height=ref.height + inflow.maturity_blocks,
                )
            )
            new.append(OutPoint(inflow.txid, vout))
    return tuple(new)


def _record_spends(tx: Connection, network: str, scan: BlockScan, now_s: int) -> None:
    if not scan.spends:
        return
    gone = inputs_of_gone_deposits(tx, network)
    for spend in scan.spends:
        tx.execute(
            update(utxos)
            .where(
                utxos.c.network == network,
                utxos.c.txid == spend.outpoint.txid,
                utxos.c.vout == spend.outpoint.vout,
            )
            .values(spent_txid=spend.txid, spent_height=scan.ref.height)
        )
        _mark_replaced(tx, network, gone, spend, now_s)
    pending.mark_replaced(tx, network, scan.spends, now_s)


def _mark_replaced(
    tx: Connection, network: str, gone: Mapping[OutPoint, str], spend: Spend, now_s: int
) -> None:
    loser = gone.get(spend.outpoint)
    if loser is None or loser == spend.txid:
        return
    rows = tx.execute(
        select(deposits).where(
            deposits.c.network == network,
            deposits.c.txid == loser,
            deposits.c.status.in_([DepositStatus.ORPHANED, DepositStatus.REVERSED]),
        )
    )
    for row in rows.all():
        change = Change(status=DepositStatus.REPLACED, sub_status=spend.txid)
        apply_change(tx, row, change, now_s)


def _record_deposit(
    tx: Connection,
    network: str,
    ref: BlockRef,
    inflow: Inflow,
    arrival: Arrival,
    owner: Address,
    rules: DepositRules,
    now_s: int,
) -> bool:
    """Store one deposit, or bring a known one back into the chain; False if it was in this block.

    The key (network, txid, position) makes scanning the same block again change nothing.
    """
    logged_units = None if arrival.units == inflow.units else inflow.units
    place = {"on": network, "tx": inflow.txid, "at": inflow.position}
    known = tx.execute(_KNOWN, place).one_or_none()
    if known is not None and known.block_hash == ref.hash:
        _compare(tx, known, arrival, now_s)
        return False
    if known is not None:
        # In another block another part of it may have arrived.
        worth = {
            "units": arrival.units,
            "logged_units": logged_units,
            "evidence": inflow.evidence,
            "confirmations_required": rules.confirmations(arrival.units),
        }
        tx.execute(update(deposits).where(deposits.c.id == known.id).values(**worth))
        change = Change(status=DepositStatus.SEEN, height=ref.height, block_hash=ref.hash)
        row = apply_change(tx, known, change, now_s)
    else:
        row = tx.execute(
            insert(deposits)
            .values(
                id=deposit_id(network, inflow.txid, inflow.position),
                account_id=owner.account_id,
                address_id=owner.id,
                network=network,
                asset=inflow.asset,
                txid=inflow.txid,
                position=inflow.position,
                units=arrival.units,
                exposed_units=arrival.units,
                logged_units=logged_units,
                evidence=inflow.evidence,
                status=DepositStatus.SEEN,
                sub_status="",
                height=ref.height,
                block_hash=ref.hash,
                confirmations_required=rules.confirmations(arrival.units),
                seen_s=now_s,
                since_s=now_s,
            )
            .returning(deposits)
        ).one()
        append_event(tx, "deposit.seen", row.id, deposit_event(row), now_s)
    if arrival.doubt:
        hold(tx, row, f"{QUARANTINED}{arrival.doubt}", now_s)
    elif owner.account_id is not None and arrival.units < rules.asset.deposit_units_min:
        apply_change(tx, row, Change(status=DepositStatus.BELOW_MINIMUM), now_s)
    return True


def _compare(tx: Connection, known: Any, arrival: Arrival, now_s: int) -> None:
    """A block scanned again shows another amount: tell people, the books stay as they are."""
    if known.units == arrival.units:
        return
    body = {
        "deposit_id": known.id,
        "txid": known.txid,
        "position": known.position,
        "amount_units": str(known.units),
        "found_units": str(arrival.units),
    }
    append_event(tx, "alert.rescan_differs", known.id, body, now_s)

"""What one EVM block means to the addresses we watch; pure, the block's parts are given."""

from collections.abc import Container, Iterator, Mapping, Sequence
from enum import StrEnum

from chains.errors import CodecError, UnexpectedAnswer
from chains.evm.blocks import Block, Receipt
from chains.evm.erc20 import decode_transfer_log, read_transfer_log
from chains.evm.traces import InternalTransfer
from chains.types import AssetMove, Evidence, Inflow, UnreadableLog


class EvidenceMode(StrEnum):
    """How ether that contracts send is found; the API shows it beside the asset."""

    UNKNOWN = "unknown"
    CALL_TRACER = "call_tracer"
    TRACE_BLOCK = "trace_block"
    BALANCE_DELTA = "balance_delta"


def token_inflows(
    receipts: Sequence[Receipt], watched: Container[bytes], tokens: Mapping[bytes, str]
) -> Iterator[Inflow]:
    """Transfers to watched addresses by listed contracts in transactions that succeeded.

    `tokens` maps contracts to asset codes. What cannot be read is left to `unreadable_logs`.
    """
    for receipt in receipts:
        for number, log in enumerate(receipt.logs if receipt.succeeded else ()):
            code = tokens.get(log.contract)
            if code is None:
                continue
            transfer = read_transfer_log(log.topics, log.data)
            if transfer is not None and transfer.units and transfer.to in watched:
                yield Inflow(
                    txid=receipt.txid,
                    position=f"log:{number}",
                    asset=code,
                    target=transfer.to,
                    units=transfer.units,
                    evidence=Evidence.LOG,
                )


def unreadable_logs(
    receipts: Sequence[Receipt], tokens: Mapping[bytes, str]
) -> Iterator[UnreadableLog]:
    """Logs of listed contracts that claim to be a Transfer and have another shape."""
    for receipt in receipts:
        for number, log in enumerate(receipt.logs if receipt.succeeded else ()):
            code = tokens.get(log.contract)
            if code is None:
                continue
            try:
                decode_transfer_log(log.topics, log.data)
            except CodecError as error:
                yield UnreadableLog(
                    asset=code, txid=receipt.txid, position=f"log:{number}", detail=str(error)
                )


def token_moves(receipt: Receipt, tokens: Mapping[bytes, str]) -> Iterator[AssetMove]:
    """Transfers by listed contracts in one transaction that succeeded, so far as they can be read.

    What cannot be is told and held by the scan of its block.
    """
    for log in receipt.logs if receipt.succeeded else ():
        code = tokens.get(log.contract)
        transfer = None if code is None else read_transfer_log(log.topics, log.data)
        if code is not None and transfer is not None:
            yield AssetMove(
                asset=code, sender=transfer.sender, to=transfer.to, units=transfer.units
            )


def direct_inflows(
    block: Block, receipts: Sequence[Receipt], watched: Container[bytes], native: str
) -> Iterator[Inflow]:
    """Ether that transactions themselves and validators' withdrawals paid to watched addresses."""
    for transaction, receipt in zip(block.transactions, receipts, strict=True):
        to, units = transaction.to, transaction.value_wei
        if receipt.succeeded and units and to is not None and to in watched:
            yield Inflow(
                txid=transaction.txid,
                position="tx",
                asset=native,
                target=to,
                units=units,
                evidence=Evidence.TRANSACTION,
            )
    for withdrawal in block.withdrawals:
        if withdrawal.units and withdrawal.to in watched:
            yield Inflow(
                txid="0x" + block.ref.hash,
                position=f"withdrawal:{withdrawal.index}",
                asset=native,
                target=withdrawal.to,
                units=withdrawal.units,
                evidence=Evidence.BEACON_WITHDRAWAL,
            )


def internal_inflows(
    transfers: Sequence[InternalTransfer],
    receipts: Sequence[Receipt],
    watched: Container[bytes],
    native: str,
) -> Iterator[Inflow]:
    """Ether that contracts paid to watched addresses inside transactions that succeeded."""
    succeeded = {receipt.txid for receipt in receipts if receipt.succeeded}
    for transfer in sorted(transfers, key=lambda entry: entry.path):
        if transfer.txid in succeeded and transfer.to in watched:
            yield Inflow(
                txid=transfer.txid,
                position="trace:" + ".".join(str(step) for step in transfer.path),
                asset=native,
                target=transfer.to,
                units=transfer.units,
                evidence=Evidence.TRACE,
            )


def unexplained_wei(
    block: Block, receipts: Sequence[Receipt], target: bytes, before_wei: int, after_wei: int
) -> int:
    """What a balance gained in a block beyond all that the block shows, in wei.

    Never negative for an address of ours, which holds no code. Raises UnexpectedAnswer when it is.
    """
    known = 0
    for transaction, receipt in zip(block.transactions, receipts, strict=True):
        value = transaction.value_wei if receipt.succeeded else 0
        if transaction.to == target:
            known += value
        if transaction.sender == target:
            known -= value + receipt.fee_wei
    known += sum(entry.units for entry in block.withdrawals if entry.to == target)
    gained = after_wei - before_wei - known
    if gained < 0:
        raise UnexpectedAnswer(f"0x{target.hex()} lost {-gained} wei that no transaction explains")
    return gained


def delta_inflow(block: Block, target: bytes, units: int, native: str) -> Inflow:
    """Ether that a balance shows and no transaction names."""
    return Inflow(
        txid="0x" + block.ref.hash,
        position=f"delta:{target.hex()}",
        asset=native,
        target=target,
        units=units,
        evidence=Evidence.BALANCE_DELTA,
    )

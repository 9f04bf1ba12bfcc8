"""Everything that one EVM block moved into or out of watched accounts; pure, its parts are given.

A scan looks for what arrives; a statement needs the other side too: what left, and what was paid
for it. Positions are those of the scan, so that a movement and a deposit have the same name.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chains.errors import CodecError
from chains.evm.blocks import Block, Receipt
from chains.evm.erc20 import decode_transfer_log
from chains.evm.traces import InternalTransfer
from chains.types import Movement

FEE = "fee"
"""The position of what a transaction's sender paid for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Asset codes: of the native currency, and of token contracts."""

    native: str
    tokens: Mapping[bytes, str]


def of_block(
    block: Block,
    receipts: Sequence[Receipt],
    inside: Sequence[InternalTransfer],
    watched: Container[bytes],
    names: Names,
) -> Iterator[Movement]:
    """In the order of scans: tokens, ether and fees, withdrawals of validators, inner ether.

    A malformed Transfer of a listed token moves nothing here.
    """
    yield from _logged(receipts, watched, names)
    for transaction, receipt in zip(block.transactions, receipts, strict=True):
        if transaction.sender in watched:
            yield Movement(
                txid=transaction.txid,
                position=FEE,
                asset=names.native,
                target=transaction.sender,
                units=-receipt.fee_wei,
                other=None,
            )
        if receipt.succeeded and transaction.to is not None:
            yield from _sides(
                transaction.txid,
                "tx",
                names.native,
                (transaction.sender, transaction.to, transaction.value_wei),
                watched,
            )
    for entry in block.withdrawals:
        if entry.units and entry.to in watched:
            yield Movement(
                txid="0x" + block.ref.hash,
                position=f"withdrawal:{entry.index}",
                asset=names.native,
                target=entry.to,
                units=entry.units,
                other=None,
            )
    succeeded = {receipt.txid for receipt in receipts if receipt.succeeded}
    for move in sorted(inside, key=lambda entry: entry.path):
        if move.txid in succeeded:
            position = "trace:" + ".".join(str(step) for step in move.path)
            sides = (move.sender, move.to, move.units)
            yield from _sides(move.txid, position, names.native, sides, watched)


def _logged(
    receipts: Sequence[Receipt], watched: Container[bytes], names: Names
) -> Iterator[Movement]:
    for receipt in receipts:
        for number, log in enumerate(receipt.logs if receipt.succeeded else ()):
            code = names.tokens.get(log.contract)
            if code is None:
                continue
            try:
                moved = decode_transfer_log(log.topics, log.data)
            except CodecError:
                # The scan holds its token back; what it moved shows when balances are compared.
                continue
            if moved is not None:
                sides = (moved.sender, moved.to, moved.units)
                yield from _sides(receipt.txid, f"log:{number}", code, sides, watched)


def _sides(
    txid: str,
    position: str,
    asset: str,
    sides: tuple[bytes, bytes, int],
    watched: Container[bytes],
) -> Iterator[Movement]:
    """The two halves of a movement, as far as they are watched; to oneself is none."""
    sender, to, units = sides
    if not units or sender == to:
        return
    for target, other, sign in ((sender, to, -1), (to, sender, 1)):
        if target in watched:
            yield Movement(
                txid=txid,
                position=position,
                asset=asset,
                target=target,
                units=sign * units,
                other=other,
            )

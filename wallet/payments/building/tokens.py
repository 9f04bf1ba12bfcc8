"""What is asked of a token before it is paid with, so that nothing is signed in vain."""

import re

from sqlalchemy import Connection, select

from chains.errors import NodeRejected
from chains.evm.abi import word
from chains.evm.erc20 import TRANSFER
from wallet.payments.building.orders import SpendOrder
from wallet.payments.errors import TokenBusy, TokenRefuses
from wallet.payments.states import UNFINISHED
from wallet.settings import AssetSettings, TokenKind
from wallet.store.schema import payments

_REVERTED = re.compile(r"reverted: ([ -~]{1,80})")
_TRUE = word(1)


def check_answer(data: bytes, answer: bytes) -> None:
    """A transfer answers true, or nothing as old tokens do. Raises TokenRefuses."""
    if data[:4] == TRANSFER and answer not in (b"", _TRUE):
        raise TokenRefuses(f"got {answer[:64].hex()} from transfer, expected true or nothing")


def check_turn(tx: Connection, order: SpendOrder, asset: AssetSettings) -> None:
    """A token with fees is paid with once at a time: its evidence is a balance.

    Raises TokenBusy.
    """
    if asset.token_kind != TokenKind.FEE_ON_TRANSFER:
        return
    before = tx.execute(
        select(payments.c.id).where(
            payments.c.network == order.network,
            payments.c.asset == order.asset,
            payments.c.status.in_([str(status) for status in UNFINISHED]),
            payments.c.parent_id.is_(None),
        )
    ).first()
    if before is not None:
        raise TokenBusy(f"got payment {before.id} of {order.asset} before this one")


def revert_reason(error: NodeRejected) -> str:
    """The code of a call that would fail, with the contract's own words where it gives some."""
    found = _REVERTED.search(str(error))
    words = found.group(1).strip() if found else ""
    return f"payment.would_revert:{words}"[:64] if words else "payment.would_revert"

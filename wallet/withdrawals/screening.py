"""The facts of a withdrawal as the policy wants them, and the policy's answer."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from policies import (
    Decision,
    OrderFacts,
    Owner,
    PayeeFacts,
    PaymentFacts,
    Policy,
    Purpose,
    Stage,
    windows_s,
)
from policies import decide as policy_decide
from wallet.store.schema import addresses, withdrawals
from wallet.store.types import units_sum
from wallet.withdrawals.states import WithdrawalStatus

_NOT_SPENT = tuple(
    str(status)
    for status in (
        WithdrawalStatus.CANCELLED,
        WithdrawalStatus.REJECTED,
        WithdrawalStatus.FAILED,
    )
)

_OWNER = select(addresses.c.purpose).where(
    addresses.c.network == bindparam("on"), addresses.c.target == bindparam("paid")
)
_FIRST_PAID = select(func.min(withdrawals.c.updated_s)).where(
    withdrawals.c.account_id == bindparam("account"),
    withdrawals.c.network == bindparam("on"),
    withdrawals.c.target == bindparam("paid"),
    withdrawals.c.status == str(WithdrawalStatus.COMPLETED),
)
_SPENT = select(units_sum(withdrawals.c.units)).where(
    withdrawals.c.network == bindparam("on"),
    withdrawals.c.asset == bindparam("of"),
    withdrawals.c.created_s > bindparam("after"),
    withdrawals.c.status.not_in(_NOT_SPENT),
    withdrawals.c.id.not_in(bindparam("without", expanding=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for, before it is a withdrawal."""

    withdrawal_id: str
    account_id: str
    network: str
    asset: str
    source: str
    address: str
    target: bytes
    units: int
    requester: str


def screen(tx: Connection, policy: Policy, order: Order, now_s: int) -> Decision:
    """What the policy says to an order on its own; fees are judged with the transaction."""
    payee = PayeeFacts(
        address=order.address,
        units=order.units,
        owner=owner_of(tx, order.network, order.target),
        known_since_s=known_since_s(tx, order.account_id, order.network, order.target),
    )
    asked = OrderFacts(order_id=order.withdrawal_id, requester=order.requester, payees=(payee,))
    windows = windows_s(policy, order.network, order.asset, Purpose.WITHDRAWAL, order.source)
    facts = PaymentFacts(
        purpose=Purpose.WITHDRAWAL,
        network=order.network,
        asset=order.asset,
        source=order.source,
        orders=(asked,),
        now_s=now_s,
        spent_units={
            window: spent_units(tx, order.network, order.asset, now_s - window)
            for window in windows
        },
    )
    return policy_decide(policy, facts, Stage.ORDER)


def owner_of(tx: Connection, network: str, target: bytes) -> Owner:
    """Whose address a target is, by our own table of every address we ever issued."""
    purpose = tx.execute(_OWNER, {"on": network, "paid": target}).scalar_one_or_none()
    return Owner.NONE if purpose is None else Owner(purpose)


def known_since_s(tx: Connection, account_id: str, network: str, target: bytes) -> int | None:
    """When this user was first paid at a target, None if never."""
    asked = {"account": account_id, "on": network, "paid": target}
    first = tx.execute(_FIRST_PAID, asked).scalar_one()
    return None if first is None else int(first)


def spent_units(
    tx: Connection, network: str, asset: str, after_s: int, without: Collection[str] = ()
) -> int:
    """All that was asked for since `after_s` and not given up, without some withdrawals."""
    asked = {"on": network, "of": asset, "after": after_s, "without": list(without)}
    return int(tx.execute(_SPENT, asked).scalar() or 0)

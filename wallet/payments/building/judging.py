"""The policy's second look: at the exact transaction, with its fee, before it is stored."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from chains.ports import Chain
from policies import (
    FeeFacts,
    OrderFacts,
    Outcome,
    PayeeFacts,
    PaymentFacts,
    Policy,
    Stage,
    decide,
    windows_s,
)
from policies import Purpose as PolicyPurpose
from policies.acts import decide_batch
from signer.protocol import Intent, Purpose
from wallet.payments.building.orders import SpendOrder
from wallet.payments.errors import FeeOverCap, PolicyRefused
from wallet.payments.states import PaymentStatus
from wallet.settings import NetworkSettings
from wallet.store.schema import payments, withdrawals
from wallet.withdrawals.screening import known_since_s, owner_of, spent_units

PPM = 1_000_000
"""Parts per million in a whole."""

_GIVEN_UP = (str(PaymentStatus.ABANDONED), str(PaymentStatus.FAILED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What the chain may take: native base units at most, and the rate they come from.

    `rate_units` is sats per 1000 vbytes or max wei per gas. `basis_units` is the native value
    moved, None for a token.
    """

    units: int
    rate_units: int
    basis_units: int | None


def check_caps(settings: NetworkSettings, order: SpendOrder, fee: Fee) -> None:
    """The deployment's own caps; 0 means that the policy alone decides. Raises FeeOverCap."""
    if fee.units > order.fee_units_max:
        raise FeeOverCap(
            f"got a fee of {fee.units}, expected at most {order.fee_units_max} of the intents"
        )
    if settings.feerate_max and fee.rate_units > settings.feerate_max:
        raise FeeOverCap(
            f"got a fee rate of {fee.rate_units}, expected at most {settings.feerate_max}"
        )
    share = settings.fee_ppm_max
    if share and fee.basis_units is not None and fee.units * PPM > fee.basis_units * share:
        raise FeeOverCap(f"got a fee of {fee.units} on {fee.basis_units}, expected {share} ppm")


def judge(
    tx: Connection,
    policy: Policy,
    chain: Chain,
    order: SpendOrder,
    fee: Fee,
    now_s: int,
    parent_id: str | None = None,
) -> None:
    """Raise PolicyRefused unless the policy allows exactly this transaction.

    `parent_id` is the Safe payload that it executes: the same money is not counted twice.
    """
    purpose = PolicyPurpose(order.purpose)
    windows = windows_s(policy, order.network, order.asset, purpose, order.source)
    facts = PaymentFacts(
        purpose=purpose,
        network=order.network,
        asset=order.asset,
        source=order.source,
        orders=tuple(_order_facts(tx, chain, order, intent) for intent in order.intents),
        now_s=now_s,
        fee=FeeFacts(units=fee.units, rate_units=fee.rate_units, basis_units=fee.basis_units),
        spent_units={window: _spent(tx, order, now_s - window, parent_id) for window in windows},
        hot_units=order.intents[0].hot_units if len(order.intents) == 1 else None,
    )
    decision = decide(policy, facts, Stage.TRANSACTION)
    if decision.outcome is not Outcome.ALLOW:
        raise PolicyRefused(
            f"got {decision.outcome} from the policy: {decision.text}",
            {"reason": decision.code, "policy_hash": decision.policy_hash},
        )


def judge_batch(policy: Policy, order: SpendOrder, fee: Fee, now_s: int) -> None:
    """Raise PolicyRefused unless hot may have deposit addresses emptied at this fee."""
    intent = order.intents[0]
    facts = OrderFacts(
        order_id=intent.intent_id, requester=intent.requester, payees=(), approvers=frozenset()
    )
    payment = PaymentFacts(
        purpose=str(order.purpose),
        network=order.network,
        asset=order.asset,
        source=order.source,
        orders=(facts,),
        now_s=now_s,
        fee=FeeFacts(units=fee.units, rate_units=fee.rate_units, basis_units=None),
        spent_units={},
    )
    decision = decide_batch(policy, payment, facts)
    if decision.outcome is not Outcome.ALLOW:
        raise PolicyRefused(decision.text, {"reason": decision.code})


_PAYER = select(withdrawals.c.account_id).where(withdrawals.c.id == bindparam("this"))


def _order_facts(tx: Connection, chain: Chain, order: SpendOrder, intent: Intent) -> OrderFacts:
    account_id = None
    if order.purpose is Purpose.WITHDRAWAL:
        account_id = tx.execute(_PAYER, {"this": intent.intent_id}).scalar_one_or_none()
    payees = []
    for payee in intent.payees:
        target = chain.destination(payee.address).target
        known_s = None
        if account_id is not None:
            known_s = known_since_s(tx, account_id, order.network, target)
        payees.append(
            PayeeFacts(
                address=payee.address,
                units=payee.units,
                owner=owner_of(tx, order.network, target),
                known_since_s=known_s,
            )
        )
    return OrderFacts(
        order_id=intent.intent_id,
        requester=intent.requester,
        payees=tuple(payees),
        approvers=order.approvers_of(intent),
    )


def _spent(tx: Connection, order: SpendOrder, after_s: int, parent_id: str | None) -> int:
    if order.purpose is Purpose.WITHDRAWAL:
        own = {intent.intent_id for intent in order.intents}
        return spent_units(tx, order.network, order.asset, after_s, own)
    rows = tx.execute(
        select(payments.c.id, payments.c.units).where(
            payments.c.network == order.network,
            payments.c.asset == order.asset,
            payments.c.source == order.source,
            payments.c.purpose == str(order.purpose),
            payments.c.created_s > after_s,
            payments.c.status.not_in(_GIVEN_UP),
        )
    )
    return sum(row.units for row in rows if row.id != parent_id)

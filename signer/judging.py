"""What the signer asks its own policy: facts from decoded bytes, approvals and its own memory."""

from collections.abc import Mapping

from policies import engine as policy_engine
from policies.decision import Decision, Outcome
from policies.facts import FeeFacts, OrderFacts, PayeeFacts, PaymentFacts
from policies.facts import Owner as PolicyOwner
from signer.acts import decide_act
from signer.config import SignerConfig
from signer.errors import Refused
from signer.guards.facts import SignedBytes, SpendFacts
from signer.protocol import SignRequest
from signer.spending import Flow
from signer.state import State


def flow_of(facts: SpendFacts) -> Flow:
    """What spending is counted for."""
    return facts.network, facts.asset, facts.source, str(facts.purpose)


def judge(
    config: SignerConfig,
    state: State,
    request: SignRequest,
    facts: SpendFacts,
    approvers: Mapping[bytes, frozenset[str]],
    now_s: int,
    replaced: SignedBytes | None = None,
) -> tuple[PaymentFacts, Decision]:
    """The payment that the policy judged, and its decision. Raises Refused unless it allows it.

    What it replaces was counted when it was signed: the same payment is counted once.
    An act that pays nobody is judged by rules of its own.
    """
    flow = flow_of(facts)
    network, asset, source, purpose = flow
    rule = (config.policy, network, asset, purpose, source)
    windows, counts = policy_engine.windows_s(*rule), policy_engine.windows_signatures(*rule)
    native = config.networks[network].asset == asset
    fee = FeeFacts(
        units=facts.fee_units,
        rate_units=facts.feerate,
        basis_units=facts.units if native and facts.units else None,
    )
    payment = PaymentFacts(
        purpose=purpose,
        network=network,
        asset=asset,
        source=source,
        orders=_orders(request, facts, approvers),
        now_s=now_s,
        fee=fee,
        spent_units={w: state.spent_units(flow, w, now_s, replaced) for w in windows},
        spent_signatures={n: state.spent_in_row(flow, n, replaced) for n in counts},
        hot_units=_hot_units(request),
    )
    if facts.act is None:
        decision = policy_engine.decide(config.policy, payment)
    else:
        decision = decide_act(config, request.intents[0], facts, approvers, payment)
    if decision.outcome is not Outcome.ALLOW:
        raise Refused(f"policy.{decision.code}", decision.text)
    return payment, decision


def _hot_units(request: SignRequest) -> int | None:
    """The most that hot is said to hold; nothing where one intent does not say it."""
    told = [intent.hot_units for intent in request.intents]
    known = [units for units in told if units is not None]
    return max(known) if known and len(known) == len(told) else None


def _orders(
    request: SignRequest, facts: SpendFacts, approvers: Mapping[bytes, frozenset[str]]
) -> tuple[OrderFacts, ...]:
    """One order for each intent, its payees as the guard found them in the bytes."""
    return tuple(
        OrderFacts(
            order_id=intent.intent_id,
            requester=intent.requester,
            approvers=approvers[intent.digest],
            payees=tuple(
                PayeeFacts(
                    address=payee.address, units=payee.units, owner=PolicyOwner(str(payee.owner))
                )
                for payee in facts.payees
                if payee.intent_id == intent.intent_id
            ),
        )
        for intent in request.intents
    )

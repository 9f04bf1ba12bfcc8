"""The policy's word on acts that pay nobody: a Safe's changes, delegations, batches, proofs."""

from collections.abc import Mapping

from policies.acts import (
    GovernanceFacts,
    decide_batch,
    decide_delegation,
    decide_governance,
    decide_reserves,
    decide_unstick,
)
from policies.decision import Decision
from policies.facts import OrderFacts, PaymentFacts
from signer.config import SignerConfig
from signer.guards.facts import BatchFact, GovernanceFact, ReservesFact, SpendFacts, UnstickFact
from signer.protocol import Intent


def decide_act(
    config: SignerConfig,
    intent: Intent,
    facts: SpendFacts,
    approvers: Mapping[bytes, frozenset[str]],
    payment: PaymentFacts,
) -> Decision:
    """The decision on the one act of a request; the roles are this signer's own roster's."""
    if isinstance(facts.act, UnstickFact):
        return decide_unstick(config.policy, payment)
    names = approvers[intent.digest]
    if isinstance(facts.act, GovernanceFact):
        return decide_governance(
            config.policy,
            GovernanceFacts(
                network=facts.network,
                source=facts.source,
                action=facts.act.action,
                requester=intent.requester,
                approvers={name: config.roster.role_of(name) for name in names},
                binds=facts.act.binds,
                address=facts.act.address,
            ),
        )
    order = OrderFacts(
        order_id=intent.intent_id, requester=intent.requester, payees=(), approvers=names
    )
    if isinstance(facts.act, BatchFact):
        return decide_batch(config.policy, payment, order)
    if isinstance(facts.act, ReservesFact):
        return decide_reserves(config.policy, facts.network, facts.source, order)
    return decide_delegation(config.policy, facts.network, facts.asset, facts.source, order)

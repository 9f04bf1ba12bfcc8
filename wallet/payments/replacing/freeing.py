"""Using up a nonce of ours by a payment of nothing to ourselves: a drop, or a hole that is filled.

A drop is one more version of its payment: it takes the nonce, so that no version that pays can.
Its withdrawal ends, and gives the money back, only when the drop is final; signers never sign its
intent under another nonce. A hole belongs to no payment of ours: filling it is one of its own.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from chains.evm.addresses import from_text
from chains.evm.transactions import UnsignedTx
from policies import FeeFacts, Outcome, PaymentFacts, windows_s
from policies.acts import decide_unstick
from signer.protocol import Intent, Kind, OwnOutput, Purpose
from wallet.payments import journal
from wallet.payments.building.evm import PLAIN_GAS, EvmBuilder
from wallet.payments.building.orders import SpendOrder
from wallet.payments.building.requesting import REQUEST_LIFE_S, SealedRequest, seal_request
from wallet.payments.context import PaymentContext
from wallet.payments.errors import PolicyRefused, SenderBusy
from wallet.payments.journal import NewPayment, Payment
from wallet.payments.replacing import versions
from wallet.payments.replacing.building import FeeAtCap, NotReplaceable, check_stuck
from wallet.payments.replacing.rates import AtCap, Step, evm_fees
from wallet.payments.replacing.versions import Act, NewVersion, Version
from wallet.store.schema import payment_versions, payments

REQUESTER = "nonces"
"""Who asks for it, as intents name it: this part of the service."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """Wei for each unit of gas."""

    max_fee: int
    priority: int


class Freer:
    """Builds what uses up a nonce; the runner does the rest."""

    def __init__(self, context: PaymentContext, evm: EvmBuilder) -> None:
        self._context = context
        self._evm = evm

    def drop(self, payment_id: str) -> Version:
        """Store a version of a payment that pays nobody. Raises NotBuilt with its reason's code."""
        context = self._context
        with context.database.read() as tx:
            payment = journal.get(tx, payment_id)
            check_stuck(tx, payment)
        sender, nonce = payment.request.sender, payment.nonce
        is_plain = payment.request.kind is Kind.EVM_TX and payment.request.payload[:1] == b"\x02"
        if sender is None or nonce is None or payment.parent_id is not None or not is_plain:
            raise NotReplaceable(f"got payment {payment.id}, expected an account's own one")
        old = UnsignedTx.decode(payment.request.payload)
        offer = self._offer(payment.network, (old.max_fee_wei, old.priority_fee_wei))
        with context.write(payment.network) as tx:
            fresh = journal.get(tx, payment_id)
            check_stuck(tx, fresh)
            sealed, fee_wei = self._sealed(tx, payment.network, sender, nonce, offer)
            new = NewVersion(
                act=Act.DROP,
                sealed=sealed.sealed,
                request=sealed.request,
                payload_digest=sealed.payload_digest,
                fee_units_max=fee_wei,
                consumes=versions.consumed(sealed.request, payment.sender, nonce),
                height=versions.scanned_height(tx, payment.network),
            )
            version = versions.add(tx, payment_id, new, context.clock.now_s())
        context.milestone("payment.version_built")
        return version

    def fill(self, network: str, sender: OwnOutput, nonce: int) -> Payment:
        """Store a payment that fills a hole. Raises NotBuilt, or NodeError."""
        context = self._context
        offer = self._offer(network, (0, 0))
        with context.write(network) as tx:
            taken = tx.execute(
                select(payments.c.id).where(
                    payments.c.network == network,
                    payments.c.sender == sender.address,
                    payments.c.nonce == nonce,
                )
            ).first()
            if taken is not None:
                raise SenderBusy(f"got nonce {nonce} of payment {taken.id}, expected a hole")
            sealed, fee_wei = self._sealed(tx, network, sender, nonce, offer)
            new = NewPayment(
                id=context.new_id(),
                purpose=Purpose.UNSTICK,
                asset=context.native_asset(network),
                sealed=sealed.sealed,
                request=sealed.request,
                payload_digest=sealed.payload_digest,
                units=0,
                fee_units_max=fee_wei,
                sender=sender.address,
                nonce=nonce,
            )
            payment = journal.create(tx, new, context.clock.now_s())
        context.milestone("payment.built")
        return payment

    def _offer(self, network: str, old: tuple[int, int]) -> _Offer:
        """What the chain asks now, and a step above what was offered for this nonce before."""
        settings = self._context.networks[network]
        asked = self._context.prices.evm_fees(network, self._evm.door(network))
        caps = [one for one in (settings.feerate_max, settings.fee_units_max // PLAIN_GAS) if one]
        step = Step(
            step_ppm=settings.bump_step_ppm,
            least_ppm=settings.bump_least_ppm,
            relay_rate=settings.feerate_relay,
        )
        now = (asked.max_fee_wei, asked.priority_fee_wei)
        try:
            most = min(caps, default=2 * max(now[0], old[0]))
            return _Offer(*evm_fees(step=step, old=old, now=now, cap_wei=most))
        except AtCap as error:
            raise FeeAtCap(str(error)) from error

    def _sealed(
        self, tx: Connection, network: str, sender: OwnOutput, nonce: int, offer: _Offer
    ) -> tuple[SealedRequest, int]:
        """The request to sign a payment of nothing, judged by the policy; and its most fee."""
        context, now_s = self._context, self._context.clock.now_s()
        address = from_text(sender.address)
        unsigned = UnsignedTx(
            chain_id=self._evm.door(network).chain_id,
            nonce=nonce,
            priority_fee_wei=offer.priority,
            max_fee_wei=offer.max_fee,
            gas_limit=PLAIN_GAS,
            to=address,
            value_wei=0,
        )
        order = SpendOrder(
            network=network,
            asset=context.native_asset(network),
            source=sender.source,
            purpose=Purpose.UNSTICK,
            intents=(self._intent(network, sender.source, unsigned.fee_wei_max, now_s),),
            sender=sender,
        )
        self._judge(tx, order, unsigned, now_s)
        sealed = seal_request(
            tx,
            context,
            order,
            source=sender.source,
            kind=Kind.EVM_TX,
            payload=unsigned.encode(),
            now_s=now_s,
        )
        return sealed, unsigned.fee_wei_max

    def _intent(self, network: str, source: str, fee_wei: int, now_s: int) -> Intent:
        return Intent(
            intent_id=self._context.new_id(),
            purpose=Purpose.UNSTICK,
            network=network,
            asset=self._context.native_asset(network),
            source=source,
            payees=(),
            fee_units_max=fee_wei,
            requester=REQUESTER,
            created_s=now_s,
            expires_s=now_s + REQUEST_LIFE_S,
        )

    def _judge(self, tx: Connection, order: SpendOrder, unsigned: UnsignedTx, now_s: int) -> None:
        """Raise PolicyRefused unless the policy lets this fee be spent."""
        policy, purpose = self._context.policy, str(Purpose.UNSTICK)
        flow = (order.network, order.asset, purpose, order.source)
        facts = PaymentFacts(
            purpose=purpose,
            network=order.network,
            asset=order.asset,
            source=order.source,
            orders=(),
            now_s=now_s,
            fee=FeeFacts(
                units=unsigned.fee_wei_max, rate_units=unsigned.max_fee_wei, basis_units=None
            ),
            spent_units={w: _spent(tx, order, now_s - w) for w in windows_s(policy, *flow)},
        )
        decision = decide_unstick(policy, facts)
        if decision.outcome is not Outcome.ALLOW:
            raise PolicyRefused(
                f"got {decision.outcome} from the policy: {decision.text}",
                {"reason": decision.code, "policy_hash": decision.policy_hash},
            )


def _spent(tx: Connection, order: SpendOrder, after_s: int) -> int:
    """Fees offered for nonces of a network since a time, at most."""
    rows = tx.execute(
        select(payment_versions.c.fee_units_max)
        .select_from(payment_versions.join(payments))
        .where(
            payments.c.network == order.network,
            payment_versions.c.created_s > after_s,
            (payment_versions.c.act == str(Act.DROP))
            | (payments.c.purpose == str(Purpose.UNSTICK)),
        )
    )
    return sum(row.fee_units_max for row in rows)

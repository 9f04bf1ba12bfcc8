"""What a policy judged, kept in the log, and the same payments judged by another policy."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies import engine as policy_engine
from policies.decision import Outcome
from policies.facts import FeeFacts, OrderFacts, Owner, PayeeFacts, PaymentFacts
from policies.policy import Policy
from signer.log import LogKind, LogTampered, Record
from signer.spending import Counted, Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the proposed policy says of a signed request; `code` is empty if it allows it.

    `known` is false for a record from before payments were kept: nothing can be said of it.
    """

    seq: int
    time_s: int
    request_id: str
    known: bool
    code: str
    text: str


def payment_data(payment: PaymentFacts) -> dict[str, Any]:
    """A payment as plain values for a log record; sums are counted again from the log."""
    fee = payment.fee
    orders = [
        [
            order.order_id,
            order.requester,
            sorted(order.approvers),
            [[payee.address, payee.units, str(payee.owner)] for payee in order.payees],
        ]
        for order in payment.orders
    ]
    basis = [fee.basis_units] if fee is not None and fee.basis_units is not None else []
    return {
        "orders": orders,
        "fee": [] if fee is None else [fee.units, fee.rate_units, basis],
        "hot_units": [] if payment.hot_units is None else [payment.hot_units],
    }


def paid_addresses(data: Mapping[str, Any]) -> Iterator[str]:
    """Every address that a SIGNED record paid."""
    for order in data.get("payment", {}).get("orders", ()):
        for address, _, _ in order[3]:
            yield address


def replay(records: Iterable[Record], policy: Policy) -> Iterator[Verdict]:
    """Judge every signed request again, in order, as if the policy had been in force all along.

    What it refuses then counts in no window either.
    """
    spending = Spending()
    for record in records:
        if record.kind is not LogKind.SIGNED:
            continue
        if "payment" not in record.data:
            yield _verdict(record, known=False)
            continue
        try:
            payment = _payment(record, policy, spending)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise LogTampered(f"got record {record.seq} of another shape: {error!r}") from error
        if not payment.payees:
            # An act that pays nobody: other rules judged it.
            yield _verdict(record, known=False)
            continue
        decision = policy_engine.decide(policy, payment)
        if decision.outcome is Outcome.ALLOW:
            flow = (payment.network, payment.asset, payment.source, payment.purpose)
            first = _replaced(record)
            if first is None or not spending.holds(flow, first):
                spending.add(flow, *(first or (record.time_s, payment.units)))
            yield _verdict(record)
        else:
            yield _verdict(record, code=decision.code, text=decision.text)


def _replaced(record: Record) -> Counted | None:
    """How the payment was counted that this record signed once more, if it did."""
    first = record.data.get("replaces")
    return (first[0], first[1]) if first else None


def _payment(record: Record, policy: Policy, spending: Spending) -> PaymentFacts:
    data, now_s = record.data, record.time_s
    flow = (data["network"], data["asset"], data["source"], data["purpose"])
    again = _replaced(record)
    network, asset, source, purpose = flow
    rule = (policy, network, asset, purpose, source)
    orders = tuple(
        OrderFacts(
            order_id=order_id,
            requester=requester,
            approvers=frozenset(approvers),
            payees=tuple(
                PayeeFacts(address=address, units=units, owner=Owner(owner))
                for address, units, owner in payees
            ),
        )
        for order_id, requester, approvers, payees in data["payment"]["orders"]
    )
    fee = data["payment"]["fee"]
    return PaymentFacts(
        purpose=purpose,
        network=network,
        asset=asset,
        source=source,
        orders=orders,
        now_s=now_s,
        fee=FeeFacts(units=fee[0], rate_units=fee[1], basis_units=next(iter(fee[2]), None))
        if fee
        else None,
        hot_units=next(iter(data["payment"].get("hot_units", ())), None),
        spent_units={
            window: spending.in_window(flow, window, now_s, again)
            for window in policy_engine.windows_s(*rule)
        },
        spent_signatures={
            count: spending.in_row(flow, count, again)
            for count in policy_engine.windows_signatures(*rule)
        },
    )


def _verdict(record: Record, known: bool = True, code: str = "", text: str = "") -> Verdict:
    return Verdict(
        seq=record.seq,
        time_s=record.time_s,
        request_id=record.data["request_id"],
        known=known,
        code=code,
        text=text,
    )

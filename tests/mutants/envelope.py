"""Mutants of the request around the payload: who asks, who approved, when, again, how much."""

from collections.abc import Callable
from dataclasses import replace

from chains.utxo.coins import Coin
from signer.protocol import (
    MESSAGE_BYTES_MAX,
    Intent,
    Payee,
    Purpose,
    SignRequest,
    dump,
)
from tests.mutants.bench import (
    NEEDS_TWO,
    Bench,
    Change,
    Mutant,
    approved_payment,
    payment,
    refill,
    resealed,
    sweep,
    with_approvals,
)
from tests.mutants.evm import intent
from tests.mutants.psbt import built, customer, hot
from tests.signer_world import (
    CUSTOMER,
    NOW_S,
    STAFF,
    an_approval,
    change_to,
    coin,
    sealed,
)


def request(**changes: object) -> Change:
    """Change fields of the request."""
    return lambda bench, made: replace(made, **changes)  # type: ignore[arg-type]


def approvals(*names: str) -> Change:
    """Other people approved."""
    return lambda bench, made: with_approvals(made, *names)


def forged(bench: Bench, made: SignRequest) -> SignRequest:
    """Bob signs a second time, in the name of Alice."""
    _, second = made.approvals
    return replace(
        made, approvals=(an_approval("alice", made.intents[0], seed=STAFF["bob"]), second)
    )


def crossed(bench: Bench, made: SignRequest) -> SignRequest:
    """Approvals of a cheaper intent beside the dear one."""
    cheap = replace(made.intents[0], payees=(Payee(address=CUSTOMER, units=1_000),))
    return replace(made, approvals=tuple(an_approval(name, cheap) for name in ("alice", "bob")))


def again(bench: Bench, made: SignRequest) -> SignRequest:
    return made


def split_to_avoid_approvals(bench: Bench, made: SignRequest) -> SignRequest:
    """A large payment as one intent with many payees below the tier."""
    payees = tuple(Payee(address=CUSTOMER, units=NEEDS_TWO // 4) for _ in range(4))
    whole: Intent = replace(made.intents[0], payees=payees)
    coins = [coin(hot(bench), 250_000_000)]
    outputs = [customer(NEEDS_TWO // 4)] * 4 + [change_to(hot(bench), 49_995_000)]
    spent = bench.spend("bitcoin-hot", coins, outputs)
    return replace(made, intents=(whole,), payload=spent)


def paid_again(coins: Callable[[Bench, SignRequest], list[Coin]]) -> Change:
    """The same intent under a new request, at a higher fee."""

    def change(bench: Bench, made: SignRequest) -> SignRequest:
        spent = coins(bench, made)
        rest = sum(one.sats for one in spent) - made.intents[0].total_units - 9_000
        outputs = [customer(made.intents[0].total_units), change_to(hot(bench), rest)]
        payload = bench.spend("bitcoin-hot", spent, outputs)
        return replace(made, request_id="another", payload=payload)

    return change


def beside_another(bench: Bench, made: SignRequest) -> SignRequest:
    """The same coin pays the same intent and one more."""
    first = made.intents[0]
    second = replace(first, intent_id="w2", payees=(Payee(address=CUSTOMER, units=10_000_000),))
    spent = [coin(hot(bench), 150_000_000, salt=first.intent_id)]
    outputs = [customer(100_000_000), customer(10_000_000), change_to(hot(bench), 39_991_000)]
    payload = bench.spend("bitcoin-hot", spent, outputs)
    return replace(made, request_id="another", intents=(first, second), payload=payload)


def paying(sats: int, *names: str) -> Change:
    """The same kind of payment, over another amount, approved by these."""

    def change(bench: Bench, made: SignRequest) -> SignRequest:
        payees = (Payee(address=CUSTOMER, units=sats),)
        larger = replace(made, intents=(replace(made.intents[0], payees=payees),))
        spent = built(
            lambda bench, made: (
                [coin(hot(bench), sats + 50_000_000)],
                [customer(sats), change_to(hot(bench), 49_995_000)],
            )
        )(bench, larger)
        return with_approvals(spent, *names)

    return change


ENVELOPE_MUTANTS = (
    # bytes of the envelope
    Mutant(
        name="an envelope above eight mebibytes",
        proves=("25",),
        base=payment,
        seal=lambda made: sealed(made) + bytes(MESSAGE_BYTES_MAX),
        code="request.malformed",
    ),
    Mutant(
        name="a body nested without end",
        proves=("25",),
        base=payment,
        seal=lambda made: resealed(b"\x81" * 100_000 + b"\x00"),
        code="request.malformed",
    ),
    Mutant(
        name="a length that promises four gigabytes",
        proves=("25",),
        base=payment,
        seal=lambda made: resealed(b"\x5a\xff\xff\xff\xff"),
        code="request.malformed",
    ),
    Mutant(
        name="bytes behind the body",
        proves=("25",),
        base=payment,
        seal=lambda made: resealed(made.encode() + b"\x00"),
        code="request.malformed",
    ),
    Mutant(
        name="an unknown field",
        proves=("25",),
        base=payment,
        seal=lambda made: resealed(made.encode().replace(b"\x61v\x01", b"\x61v\x02", 1)),
        code="request.malformed",
    ),
    Mutant(
        name="a kind of request for bare messages",
        proves=("10",),
        base=payment,
        seal=lambda made: resealed(made.encode().replace(b"\x64psbt", b"\x64hash")),
        code="request.malformed",
    ),
    Mutant(
        name="a body that is only a number",
        proves=("25",),
        base=payment,
        seal=lambda made: resealed(dump(1)),
        code="request.malformed",
    ),
    Mutant(
        name="sealed by a member of staff, not by the coordinator",
        proves=("16",),
        base=payment,
        seal=lambda made: sealed(made, STAFF["alice"]),
        code="request.coordinator",
    ),
    # which vault, chain and signer
    Mutant(
        name="for another signer",
        proves=("17",),
        base=payment,
        change=request(signers=("somebody-else",)),
        code="request.not_for_us",
    ),
    Mutant(
        name="on a network that is not configured",
        proves=("20",),
        base=payment,
        change=request(network="bitcoin"),
        code="request.network_unknown",
    ),
    Mutant(
        name="a Bitcoin vault asked on Litecoin",
        proves=("20",),
        base=payment,
        change=request(network="litecoin-regtest"),
        code="request.network",
    ),
    Mutant(
        name="from a vault that nobody registered",
        proves=("3",),
        base=payment,
        change=request(source="bitcoin-other"),
        code="request.source_unknown",
    ),
    # time and repetition
    Mutant(
        name="a request of tomorrow",
        proves=("17",),
        base=payment,
        change=request(created_s=NOW_S + 301, expires_s=NOW_S + 900),
        code="request.from_future",
    ),
    Mutant(
        name="an expired request",
        proves=("17",),
        base=payment,
        change=request(created_s=NOW_S - 600, expires_s=NOW_S),
        code="request.expired",
    ),
    Mutant(
        name="a request that never expires",
        proves=("17",),
        base=payment,
        change=request(expires_s=NOW_S + 10**6),
        code="request.lifetime",
    ),
    Mutant(
        name="an expired intent",
        proves=("16",),
        base=payment,
        change=intent(expires_s=NOW_S),
        code="intent.expired",
    ),
    Mutant(
        name="an intent of tomorrow",
        proves=("16",),
        base=payment,
        change=intent(created_s=NOW_S + 301),
        code="intent.from_future",
    ),
    Mutant(
        name="the same request again",
        proves=("17",),
        base=approved_payment,
        first=(again,),
        code="request.replayed",
    ),
    Mutant(
        name="the same approvals under a new request",
        proves=("16", "17"),
        base=approved_payment,
        first=(again,),
        change=request(request_id="another"),
        code="replacement.fee",
    ),
    Mutant(
        name="the same payment again from other coins",
        proves=("17",),
        base=payment,
        first=(again,),
        change=paid_again(lambda bench, made: [coin(hot(bench), 150_000_000, salt="other")]),
        code="replacement.no_conflict",
    ),
    Mutant(
        name="the same payment again with another one beside it",
        proves=("17",),
        base=payment,
        first=(again,),
        change=beside_another,
        code="replacement.payees",
    ),
    Mutant(
        name="the same intent id with another text",
        proves=("17",),
        base=payment,
        first=(again,),
        change=lambda bench, made: replace(
            intent(requester="somebody")(bench, made), request_id="another"
        ),
        code="intent.already_signed",
    ),
    # intents
    Mutant(
        name="without any intent",
        proves=("16",),
        base=payment,
        change=request(intents=()),
        code="intent.none",
    ),
    Mutant(
        name="an intent twice",
        proves=("17",),
        base=payment,
        change=lambda bench, made: replace(made, intents=made.intents * 2),
        code="intent.twice",
    ),
    Mutant(
        name="an intent of another vault",
        proves=("16",),
        base=payment,
        change=intent(source="litecoin-hot"),
        code="intent.source",
    ),
    Mutant(
        name="an intent of another network",
        proves=("20",),
        base=payment,
        change=intent(network="litecoin-regtest"),
        code="intent.network",
    ),
    Mutant(
        name="an intent that pays nobody",
        proves=("11",),
        base=payment,
        change=intent(payees=()),
        code="intent.no_payee",
    ),
    Mutant(
        name="a withdrawal called a sweep",
        proves=("16",),
        base=payment,
        change=intent(purpose=Purpose.SWEEP),
        code="purpose.wrong_payee",
    ),
    Mutant(
        name="a sweep called a withdrawal",
        proves=("16",),
        base=sweep,
        change=intent(purpose=Purpose.WITHDRAWAL),
        code="purpose.wrong_payee",
    ),
    Mutant(
        name="a refill from the hot vault",
        proves=("16",),
        base=payment,
        change=intent(purpose=Purpose.REFILL),
        code="purpose.wrong_source",
    ),
    Mutant(
        name="cold money to a stranger, called a refill",
        proves=("16",),
        base=refill,
        change=lambda bench, made: replace(
            intent(payees=(Payee(address=CUSTOMER, units=100_000_000),))(bench, made), own=()
        ),
        code="purpose.wrong_payee",
    ),
    # approvals: evidence that the signer checks itself
    Mutant(
        name="one approval where two are needed",
        proves=("16", "17"),
        base=approved_payment,
        change=approvals("alice"),
        code="policy.approvals.quorum",
    ),
    Mutant(
        name="no approval at all",
        proves=("16", "17"),
        base=approved_payment,
        change=approvals(),
        code="policy.approvals.quorum",
    ),
    Mutant(
        name="split into small payees to need no approval",
        proves=("17",),
        base=payment,
        change=split_to_avoid_approvals,
        code="policy.approvals.quorum",
    ),
    Mutant(
        name="one person twice",
        proves=("16",),
        base=approved_payment,
        change=approvals("alice", "alice"),
        code="approval.twice",
    ),
    Mutant(
        name="an approval in another person's name",
        proves=("16",),
        base=approved_payment,
        change=forged,
        code="approval.bad_signature",
    ),
    Mutant(
        name="approvals of something else",
        proves=("16",),
        base=approved_payment,
        change=crossed,
        code="approval.other_intent",
    ),
    Mutant(
        name="the requester approves",
        proves=("16",),
        base=approved_payment,
        change=lambda bench, made: with_approvals(
            intent(requester="alice")(bench, made), "alice", "bob"
        ),
        code="approval.by_requester",
    ),
    Mutant(
        name="an approval by somebody outside the roster",
        proves=("16",),
        base=approved_payment,
        change=lambda bench, made: replace(
            made,
            approvals=(an_approval("mallory", made.intents[0], seed=STAFF["alice"]),),
        ),
        code="approval.unknown_person",
    ),
    Mutant(
        name="an approval older than the intent",
        proves=("16",),
        base=approved_payment,
        change=lambda bench, made: replace(
            made, approvals=(an_approval("alice", made.intents[0], NOW_S - 1),)
        ),
        code="approval.time",
    ),
    # each signer's own limits, approvals or not
    Mutant(
        name="more than one order may be, though approved",
        proves=("17",),
        base=approved_payment,
        change=paying(500_000_001, "alice", "bob"),
        code="policy.caps.order",
    ),
    Mutant(
        name="more than a window holds",
        proves=("17",),
        base=approved_payment,
        first=(
            lambda bench, made: paying(500_000_000, "alice", "bob")(bench, payment(bench, "one")),
        ),
        code="policy.caps.window",
    ),
)

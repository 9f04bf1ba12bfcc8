"""Mutants of freed nonces: a payment of nothing to the account itself that does more than that."""

from dataclasses import replace

from chains.evm.addresses import from_text
from chains.evm.transactions import UnsignedTx
from signer.protocol import Intent, Payee, Purpose, SignRequest
from tests.mutants.bench import FREEING_WEI_MAX, GWEI, Bench, Change, Mutant, ether_payment
from tests.signer_world import CUSTOMER_EVM

THIEF = b"\x66" * 20


def freed_nonce(bench: Bench, name: str) -> SignRequest:
    """The hot account uses up a nonce: nothing to itself, for a fee."""
    made = ether_payment(bench, name)
    assert made.sender is not None
    intent = replace(made.intents[0], purpose=Purpose.UNSTICK, payees=())
    tx = replace(UnsignedTx.decode(made.payload), to=from_text(made.sender.address), value_wei=0)
    return replace(made, payload=tx.encode(), intents=(intent,))


def call(**changes: object) -> Change:
    """Change fields of the transaction."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        tx = replace(UnsignedTx.decode(request.payload), **changes)  # type: ignore[arg-type]
        return replace(request, payload=tx.encode())

    return change


def intents(*changes: dict[str, object]) -> Change:
    """As many intents as there are changes, each with its own."""

    def change(_bench: Bench, request: SignRequest) -> SignRequest:
        def made(change: dict[str, object]) -> Intent:
            return replace(request.intents[0], **change)  # type: ignore[arg-type]

        return replace(request, intents=tuple(made(one) for one in changes))

    return change


UNSTICKING_MUTANTS = tuple(
    Mutant(name=name, proves=("9", "16"), base=freed_nonce, change=change, code=code)
    for name, change, code in (
        ("a freed nonce that pays somebody", call(to=THIEF), "unstick.call"),
        ("a freed nonce that moves ether", call(value_wei=1), "unstick.call"),
        ("a freed nonce that calls", call(data=b"\x01"), "unstick.call"),
        ("a freed nonce on another chain", call(chain_id=1), "evm.wrong_chain"),
        ("a freed nonce at an absurd price", call(max_fee_wei=201 * GWEI), "fee.rate"),
        (
            "a freed nonce for more than the policy lets it cost",
            call(max_fee_wei=FREEING_WEI_MAX // 21_000 + 1),
            "policy.unstick.fee",
        ),
        (
            "a freed nonce whose intent pays",
            intents({"payees": (Payee(address=CUSTOMER_EVM, units=1),)}),
            "intent.unstick",
        ),
        ("a freed nonce for two intents", intents({}, {"intent_id": "two"}), "intent.unstick"),
        ("a freed nonce whose intent is of a token", intents({"asset": "DUSD"}), "unstick.asset"),
        (
            "a freed nonce whose intent is of another account",
            intents({"source": "ethereum-deposit"}),
            "intent.source",
        ),
    )
)
"""Each is refused for its own reason."""

"""EVM transactions, through the whole guard: payments, tokens, and calls of the Safe."""

from collections.abc import Iterable
from dataclasses import replace

from chains.errors import ChainError
from signer.errors import Refused
from signer.guards.evm import check_evm_tx
from signer.protocol import Purpose
from tests.evm_world import (
    CUSTOMER,
    ETHER,
    HOT_VAULT,
    SAFE,
    a_context,
    a_request,
    a_safe_tx,
    a_token_tx,
    a_tx,
    an_intent,
)

CONTEXT = a_context()
INTENTS = (
    an_intent(),
    an_intent(units=5, asset="DUSD"),
    an_intent(HOT_VAULT.address, ETHER, purpose=Purpose.REFILL, source="ethereum-cold"),
)
REQUEST = a_request(b"")


def one_input(data: bytes) -> None:
    """What passes pays exactly one of what was approved."""
    for intent in INTENTS:
        try:
            facts = check_evm_tx(replace(REQUEST, payload=data, intents=(intent,)), CONTEXT)
        except (Refused, ChainError):
            continue
        assert facts.units == intent.total_units
        assert facts.fee_units <= intent.fee_units_max


def seeds() -> Iterable[bytes]:
    """A payment, a token payment, and a carried refill."""
    call = a_safe_tx().execution_calldata(b"\x1b" * 130)
    yield a_tx().encode()
    yield a_token_tx(CUSTOMER, 5).encode()
    yield a_tx(to=SAFE, value_wei=0, gas_limit=200_000, data=call).encode()

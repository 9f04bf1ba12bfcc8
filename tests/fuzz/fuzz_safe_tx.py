"""Safe transactions, through the whole guard, and the calldata that carries them."""

from collections.abc import Iterable
from dataclasses import replace

from chains.errors import ChainError
from chains.evm import erc20
from chains.evm.safe import SafeTx
from signer.errors import Refused
from signer.guards.safe import check_safe_tx
from signer.protocol import Kind, Purpose
from tests.evm_world import (
    CHAIN_ID,
    DUSD,
    ETHER,
    HOT_VAULT,
    SAFE,
    a_context,
    a_request,
    a_safe_tx,
    an_intent,
)

CONTEXT = a_context()
INTENT = an_intent(HOT_VAULT.address, ETHER, purpose=Purpose.REFILL, source="ethereum-cold")
REQUEST = replace(a_request(b"", INTENT), source="ethereum-cold", kind=Kind.SAFE_TX, sender=None)


def one_input(data: bytes) -> None:
    """What passes is the refill; what is decoded is written back as the same bytes."""
    try:
        facts = check_safe_tx(replace(REQUEST, payload=data), CONTEXT)
        assert (facts.units, facts.payees[0].address) == (ETHER, INTENT.payees[0].address)
    except (Refused, ChainError):
        pass
    try:
        tx, packed = SafeTx.decode_execution(data, chain_id=CHAIN_ID, safe=SAFE, nonce=0)
        assert tx.execution_calldata(packed) == data
    except ChainError:
        return


def seeds() -> Iterable[bytes]:
    """A refill of ether, one of a token, and a carried one."""
    token = erc20.transfer_calldata(HOT_VAULT.address, 7)
    yield a_safe_tx().encode()
    yield a_safe_tx(to=DUSD, value_wei=0, data=token).encode()
    yield a_safe_tx().execution_calldata(b"\x1b" * 130)

"""Envelopes, requests, intents, approvals and answers: the first bytes that a signer reads."""

from collections.abc import Iterable

from signer.errors import ProtocolError
from signer.protocol import ANSWER, REQUEST, Approval, Intent, Sealed, SignAnswer, SignRequest
from tests.evm_world import a_request as an_evm_request
from tests.evm_world import a_tx
from tests.fuzz import ground
from tests.signer_world import sealed


def one_input(data: bytes) -> None:
    """Whatever is accepted is written back as exactly the same bytes."""
    for domain, decode in ((REQUEST, SignRequest.decode), (ANSWER, SignAnswer.decode)):
        try:
            envelope = Sealed.decode(data, domain)
            assert envelope.encode() == data
            assert decode(envelope.body).encode() == envelope.body
        except ProtocolError:
            continue
    for decode_body in (SignRequest.decode, SignAnswer.decode, Intent.decode):
        try:
            assert decode_body(data).encode() == data
        except ProtocolError:
            continue
    try:
        Approval(body=data, sig=b"").check()
    except ProtocolError:
        return


def seeds() -> Iterable[bytes]:
    """Envelopes, and their insides."""
    plain, evm = ground.request(ground.psbt()), an_evm_request(a_tx().encode())
    yield from (sealed(plain), sealed(evm), plain.encode(), evm.encode())
    yield ground.INTENT.encode()
    yield from (approval.body for approval in plain.approvals)

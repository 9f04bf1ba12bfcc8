"""Our answer to a sealed request, as the `eth-signature` that another wallet waits for.

The pair must fit: the signature in the answer has to be over exactly what the eth-sign-request
asks for, by the account that the answer names. Otherwise nothing is made.
"""

from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.transactions import UnsignedTx, recover
from signer.errors import Refused
from signer.foreign.requests import content_of
from signer.protocol import ANSWER, Result, Sealed, SignAnswer
from signer.transports.ur_types import EthSignature, EthSignRequest

_RSV_BYTES = 65
_V_FROM = 27


def eth_signature(answer: bytes, request: EthSignRequest) -> EthSignature:
    """The signature of a sealed answer (SA1) for a request. Raises Refused or ProtocolError.

    v is 0 or 1 for an EIP-1559 transaction and 27 or 28 for messages, as wallets expect.
    """
    body = SignAnswer.decode(Sealed.decode(answer, ANSWER).body)
    if body.result is not Result.SIGNED:
        raise Refused("foreign.not_signed", f"got an answer that refuses: {body.code}")
    found = body.signatures
    if len(found) != 1 or len(found[0].signature) != _RSV_BYTES:
        raise Refused("foreign.not_evm", "got an answer without exactly one EVM signature")
    content = content_of(request)
    if isinstance(content, UnsignedLegacyTx):
        raise Refused("foreign.legacy", "got a legacy transaction, whose v may not fit in a byte")
    signature = found[0].signature
    signer = recover(content.signing_hash, signature)
    if signer != found[0].public_key or request.address not in (None, signer):
        raise Refused("foreign.other_request", "got an answer that is not to this request")
    v = signature[-1] - _V_FROM if isinstance(content, UnsignedTx) else signature[-1]
    return EthSignature(signature=signature[:-1] + bytes((v,)), request_id=request.request_id)

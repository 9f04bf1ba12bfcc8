"""Send signed bytes and turn the node's words into a definite answer, or say that there is none."""

from collections.abc import Callable

from chains.broadcast_errors import Rejection, is_already_known, rejection_of
from chains.errors import BroadcastUnknown, NodeError
from chains.evm.node import EvmNode, RpcRefused
from chains.evm.transactions import txid_of
from chains.types import BroadcastAnswer, BroadcastOutcome, Family, TxSighting, TxState


def send(node: EvmNode, raw: bytes, look: Callable[[str], TxSighting]) -> BroadcastAnswer:
    """Broadcast `raw`. Raises BroadcastUnknown unless the node's answer is definite.

    `look` finds a txid on the node: "nonce too low" is also what a node says about bytes that it
    has already mined, and then it is no refusal at all.
    """
    txid = txid_of(raw)
    try:
        answer = node.call("eth_sendRawTransaction", "0x" + raw.hex())
    except RpcRefused as error:
        return _understood(txid, error.words, look)
    except NodeError as error:
        raise BroadcastUnknown(f"{txid}: {error}") from error
    if answer != txid:
        raise BroadcastUnknown(f"{txid}: the node answered {str(answer)[:70]!r}, expected the txid")
    return BroadcastAnswer(outcome=BroadcastOutcome.ACCEPTED, txid=txid)


def _understood(txid: str, words: str, look: Callable[[str], TxSighting]) -> BroadcastAnswer:
    if is_already_known(Family.EVM, words):
        return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=txid, detail=words)
    reason = rejection_of(Family.EVM, words)
    if reason is None:
        raise BroadcastUnknown(f"{txid}: the node said {words[:200]!r}, which may mean anything")
    if reason in (Rejection.NONCE_TOO_LOW, Rejection.REPLACEMENT_FEE) and _has(txid, look):
        return BroadcastAnswer(outcome=BroadcastOutcome.ALREADY_KNOWN, txid=txid, detail=words)
    return BroadcastAnswer(
        outcome=BroadcastOutcome.REJECTED, txid=txid, reason=str(reason), detail=words
    )


def _has(txid: str, look: Callable[[str], TxSighting]) -> bool:
    try:
        return look(txid).state is not TxState.UNKNOWN
    except NodeError as error:
        raise BroadcastUnknown(f"{txid}: refused, and then {error}") from error

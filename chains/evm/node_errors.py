"""What a node's words about a broadcast mean. Nodes have no common codes, so words are matched.

Sources: go-ethereum core/txpool/errors.go and core/error.go, Nethermind AcceptTxResult.cs, reth
crates/transaction-pool/src/error.rs, Erigon txpool/txpoolcfg, Besu TransactionInvalidReason, anvil
crates/anvil/src/eth/error.rs. Words that are not here are no definite answer.
"""

import re
from collections.abc import Mapping
from enum import StrEnum


class Refusal(StrEnum):
    """Why a node will not take signed bytes; the value is `BroadcastAnswer.reason`."""

    NONCE_TOO_LOW = "nonce_too_low"
    REPLACEMENT_UNDERPRICED = "replacement_underpriced"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    FEE_TOO_LOW = "fee_too_low"
    GAS_TOO_LOW = "gas_too_low"
    GAS_TOO_HIGH = "gas_too_high"
    NONCE_TOO_HIGH = "nonce_too_high"
    WRONG_CHAIN = "wrong_chain"
    MALFORMED = "malformed"
    POOL_FULL = "pool_full"


ALREADY_KNOWN = (
    "already known",
    "alreadyknown",
    "already imported",
    "known transaction",
    "already in mempool",
    "already exists",
)
"""The node has exactly these bytes."""

REFUSALS: Mapping[str, Refusal] = {
    "nonce too low": Refusal.NONCE_TOO_LOW,
    "oldnonce": Refusal.NONCE_TOO_LOW,
    "nonce_too_low": Refusal.NONCE_TOO_LOW,
    "nonce is too low": Refusal.NONCE_TOO_LOW,
    "replacement transaction underpriced": Refusal.REPLACEMENT_UNDERPRICED,
    "could not replace existing": Refusal.REPLACEMENT_UNDERPRICED,
    "replacementnotallowed": Refusal.REPLACEMENT_UNDERPRICED,
    "insufficient funds": Refusal.INSUFFICIENT_FUNDS,
    "insufficientfunds": Refusal.INSUFFICIENT_FUNDS,
    "upfront cost exceeds account balance": Refusal.INSUFFICIENT_FUNDS,
    "max fee per gas less than block base fee": Refusal.FEE_TOO_LOW,
    "transaction underpriced": Refusal.FEE_TOO_LOW,
    "feetoolow": Refusal.FEE_TOO_LOW,
    "gas price is less than": Refusal.FEE_TOO_LOW,
    "intrinsic gas too low": Refusal.GAS_TOO_LOW,
    "intrinsic gas exceeds": Refusal.GAS_TOO_LOW,
    "floor data gas": Refusal.GAS_TOO_LOW,
    "exceeds block gas limit": Refusal.GAS_TOO_HIGH,
    "gas limit is too high": Refusal.GAS_TOO_HIGH,
    "gas too high": Refusal.GAS_TOO_HIGH,
    "exceeds transaction gas limit": Refusal.GAS_TOO_HIGH,
    "nonce too high": Refusal.NONCE_TOO_HIGH,
    "nonce gap": Refusal.NONCE_TOO_HIGH,
    "invalid chain id": Refusal.WRONG_CHAIN,
    "invalid sender": Refusal.WRONG_CHAIN,
    "rlp": Refusal.MALFORMED,
    "failed to decode": Refusal.MALFORMED,
    "txpool is full": Refusal.POOL_FULL,
}
"""First match wins, so a longer phrase stands before one that it contains."""


def is_already_known(words: str) -> bool:
    """Whether the node says that it has these bytes."""
    return any(_says(words, phrase) for phrase in ALREADY_KNOWN)


def refusal_of(words: str) -> Refusal | None:
    """The definite refusal in a node's words, or None when nothing is certain."""
    return next((why for phrase, why in REFUSALS.items() if _says(words, phrase)), None)


def _says(words: str, phrase: str) -> bool:
    """Whether the phrase starts a word: "unknown transaction" is not "known transaction"."""
    return re.search(rf"(?<![a-z]){re.escape(phrase)}", words.lower()) is not None

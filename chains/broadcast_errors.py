"""What nodes' words about a broadcast mean, and what is done next: one table for every chain.

Nodes have no common codes, so words are matched. Sources: Bitcoin Core src/validation.cpp,
src/policy/rbf.cpp and src/rpc/protocol.h; bcoin and lcoin lib/mempool/mempool.js; go-ethereum
core/txpool/errors.go and core/error.go, Nethermind AcceptTxResult.cs, reth
crates/transaction-pool/src/error.rs, Erigon txpool/txpoolcfg, Besu TransactionInvalidReason, anvil
crates/anvil/src/eth/error.rs. Words that are not here are no definite answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from chains.types import Family


class Rejection(StrEnum):
    """Why a node will not take signed bytes; the value is `BroadcastAnswer.reason`."""

    FEE_TOO_LOW = "fee_too_low"
    FEE_TOO_HIGH = "fee_too_high"
    REPLACEMENT_FEE = "replacement_fee"
    POOL_FULL = "pool_full"
    TOO_MANY_UNCONFIRMED = "too_many_unconfirmed"
    NOT_FINAL = "not_final"
    INPUTS_MISSING_OR_SPENT = "inputs_missing_or_spent"
    CONFLICT = "conflict"
    NONCE_TOO_LOW = "nonce_too_low"
    NONCE_TOO_HIGH = "nonce_too_high"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DUST = "dust"
    GAS_TOO_LOW = "gas_too_low"
    GAS_TOO_HIGH = "gas_too_high"
    BAD_SIGNATURE = "bad_signature"
    INVALID = "invalid"
    WRONG_CHAIN = "wrong_chain"
    MALFORMED = "malformed"
    OTHER = "other"


class Meaning(StrEnum):
    """Whether the same bytes may still be taken."""

    RETRY = "retry"  # the same bytes, later, here or at another node
    PERMANENT = "permanent"  # never, as these bytes are
    UNKNOWN = "unknown"  # the words alone do not say


class Next(StrEnum):
    """What is done about it; none of these ends a payment."""

    RESEND = "resend"  # the same bytes again after a pause
    BUMP = "bump"  # a replacement at a higher fee, where one is allowed
    EVIDENCE = "evidence"  # blocks decide; until then the same bytes again
    PEOPLE = "people"  # alert once: somebody has to look


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rejection means and what follows from it."""

    meaning: Meaning
    next: Next


RULES: Mapping[Rejection, Rule] = {
    Rejection.FEE_TOO_LOW: Rule(Meaning.RETRY, Next.BUMP),
    Rejection.REPLACEMENT_FEE: Rule(Meaning.RETRY, Next.BUMP),
    Rejection.POOL_FULL: Rule(Meaning.RETRY, Next.RESEND),
    Rejection.TOO_MANY_UNCONFIRMED: Rule(Meaning.RETRY, Next.RESEND),
    Rejection.NOT_FINAL: Rule(Meaning.RETRY, Next.RESEND),
    Rejection.NONCE_TOO_HIGH: Rule(Meaning.RETRY, Next.RESEND),
    # Money may arrive, or have left by a rival: what the chain holds decides.
    Rejection.INSUFFICIENT_FUNDS: Rule(Meaning.UNKNOWN, Next.PEOPLE),
    # These very bytes, or another version of them, may have been mined long ago.
    Rejection.INPUTS_MISSING_OR_SPENT: Rule(Meaning.UNKNOWN, Next.EVIDENCE),
    Rejection.CONFLICT: Rule(Meaning.UNKNOWN, Next.EVIDENCE),
    Rejection.NONCE_TOO_LOW: Rule(Meaning.UNKNOWN, Next.EVIDENCE),
    Rejection.OTHER: Rule(Meaning.UNKNOWN, Next.PEOPLE),
    # Bytes that this node refuses for good stay valid for a miner who takes them: people decide.
    Rejection.FEE_TOO_HIGH: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.DUST: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.GAS_TOO_LOW: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.GAS_TOO_HIGH: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.BAD_SIGNATURE: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.INVALID: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.WRONG_CHAIN: Rule(Meaning.PERMANENT, Next.PEOPLE),
    Rejection.MALFORMED: Rule(Meaning.PERMANENT, Next.PEOPLE),
}
"""Every rejection has exactly one rule."""

ALREADY_KNOWN: Mapping[Family, tuple[str, ...]] = {
    Family.UTXO: (
        "txn-already-known",
        "txn-already-in-mempool",
        "already in block chain",
        "already in utxo set",
        "txn-same-nonwitness-data-in-mempool",
    ),
    Family.EVM: (
        "already known",
        "alreadyknown",
        "already imported",
        "known transaction",
        "already in mempool",
        "already exists",
    ),
}
"""The node has exactly these bytes."""

WORDS: Mapping[Family, tuple[tuple[str, Rejection], ...]] = {
    Family.UTXO: (
        ("txn-mempool-conflict", Rejection.CONFLICT),
        ("bad-txns-inputs-spent", Rejection.INPUTS_MISSING_OR_SPENT),
        ("missingorspent", Rejection.INPUTS_MISSING_OR_SPENT),
        ("missing-inputs", Rejection.INPUTS_MISSING_OR_SPENT),
        ("missing inputs", Rejection.INPUTS_MISSING_OR_SPENT),
        ("bad-txns-spends-conflicting-tx", Rejection.CONFLICT),
        ("replacement-adds-unconfirmed", Rejection.INVALID),
        ("too many potential replacements", Rejection.TOO_MANY_UNCONFIRMED),
        ("insufficient fee", Rejection.REPLACEMENT_FEE),
        ("insufficient priority", Rejection.FEE_TOO_LOW),
        ("rate limited free transaction", Rejection.FEE_TOO_LOW),
        ("min relay fee not met", Rejection.FEE_TOO_LOW),
        ("mempool min fee not met", Rejection.FEE_TOO_LOW),
        ("mempool full", Rejection.POOL_FULL),
        ("max-fee-exceeded", Rejection.FEE_TOO_HIGH),
        ("fee exceeds maximum", Rejection.FEE_TOO_HIGH),
        ("absurdly-high-fee", Rejection.FEE_TOO_HIGH),
        ("replace-by-fee", Rejection.INVALID),
        ("dust", Rejection.DUST),
        ("too-long-mempool-chain", Rejection.TOO_MANY_UNCONFIRMED),
        ("script-verify-flag", Rejection.BAD_SIGNATURE),
        ("non-final", Rejection.NOT_FINAL),
        ("non-bip68-final", Rejection.NOT_FINAL),
        ("tx decode failed", Rejection.MALFORMED),
        ("bad-txns", Rejection.INVALID),
        ("bad-witness", Rejection.INVALID),
    ),
    Family.EVM: (
        ("nonce too low", Rejection.NONCE_TOO_LOW),
        ("oldnonce", Rejection.NONCE_TOO_LOW),
        ("nonce_too_low", Rejection.NONCE_TOO_LOW),
        ("nonce is too low", Rejection.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Rejection.REPLACEMENT_FEE),
        ("could not replace existing", Rejection.REPLACEMENT_FEE),
        ("replacementnotallowed", Rejection.REPLACEMENT_FEE),
        ("insufficient funds", Rejection.INSUFFICIENT_FUNDS),
        ("insufficientfunds", Rejection.INSUFFICIENT_FUNDS),
        ("upfront cost exceeds account balance", Rejection.INSUFFICIENT_FUNDS),
        ("max fee per gas less than block base fee", Rejection.FEE_TOO_LOW),
        ("transaction underpriced", Rejection.FEE_TOO_LOW),
        ("feetoolow", Rejection.FEE_TOO_LOW),
        ("gas price is less than", Rejection.FEE_TOO_LOW),
        ("intrinsic gas too low", Rejection.GAS_TOO_LOW),
        ("intrinsic gas exceeds", Rejection.GAS_TOO_LOW),
        ("floor data gas", Rejection.GAS_TOO_LOW),
        ("exceeds block gas limit", Rejection.GAS_TOO_HIGH),
        ("gas limit is too high", Rejection.GAS_TOO_HIGH),
        ("gas too high", Rejection.GAS_TOO_HIGH),
        ("exceeds transaction gas limit", Rejection.GAS_TOO_HIGH),
        ("nonce too high", Rejection.NONCE_TOO_HIGH),
        ("nonce gap", Rejection.NONCE_TOO_HIGH),
        ("invalid chain id", Rejection.WRONG_CHAIN),
        ("invalid sender", Rejection.WRONG_CHAIN),
        ("rlp", Rejection.MALFORMED),
        ("failed to decode", Rejection.MALFORMED),
        ("txpool is full", Rejection.POOL_FULL),
    ),
}
"""First match wins, so a longer phrase stands before one that it contains."""


def is_already_known(family: Family, words: str) -> bool:
    """Whether the node says that it has these bytes."""
    return any(_says(words, phrase) for phrase in ALREADY_KNOWN[family])


def rejection_of(family: Family, words: str) -> Rejection | None:
    """The definite rejection in a node's words, or None when nothing is certain."""
    return next((why for phrase, why in WORDS[family] if _says(words, phrase)), None)


def rule_of(reason: str) -> Rule:
    """What follows from the reason of a `BroadcastAnswer`; one that is not here is `other`."""
    known = reason if reason in Rejection.__members__.values() else Rejection.OTHER
    return RULES[Rejection(known)]


def _says(words: str, phrase: str) -> bool:
    """Whether the phrase starts a word: "unknown transaction" is not "known transaction"."""
    return re.search(rf"(?<![a-z]){re.escape(phrase)}", words.lower()) is not None

"""What nodes say about a broadcast, in their own words, and what it means."""

import pytest

from chains.broadcast_errors import (
    ALREADY_KNOWN,
    RULES,
    WORDS,
    Meaning,
    Next,
    Rejection,
    is_already_known,
    rejection_of,
    rule_of,
)
from chains.types import Family

_R = Rejection

SAID = [
    # Bitcoin Core 29 and litecoind 0.21
    (Family.UTXO, "txn-mempool-conflict", _R.CONFLICT),
    (Family.UTXO, "bad-txns-inputs-missingorspent", _R.INPUTS_MISSING_OR_SPENT),
    (Family.UTXO, "Missing inputs", _R.INPUTS_MISSING_OR_SPENT),
    (
        Family.UTXO,
        "insufficient fee, rejecting replacement 12; new feerate 0.00002 <= old feerate 0.00002",
        _R.REPLACEMENT_FEE,
    ),
    (
        Family.UTXO,
        "insufficient fee, rejecting replacement 12, less fees than conflicting txs; 0.1 < 0.2",
        _R.REPLACEMENT_FEE,
    ),
    (Family.UTXO, "min relay fee not met, 1 < 141", _R.FEE_TOO_LOW),
    (Family.UTXO, "mempool min fee not met, 110 < 1000", _R.FEE_TOO_LOW),
    (Family.UTXO, "mempool full", _R.POOL_FULL),
    (Family.UTXO, "Fee exceeds maximum configured by user (e.g. -maxtxfee)", _R.FEE_TOO_HIGH),
    (Family.UTXO, "absurdly-high-fee, 100000 > 10000", _R.FEE_TOO_HIGH),
    (Family.UTXO, "dust, tx with dust output must be 0-fee", _R.DUST),
    (Family.UTXO, "too-long-mempool-chain, too many descendants", _R.TOO_MANY_UNCONFIRMED),
    (
        Family.UTXO,
        "too many potential replacements, rejecting replacement 12",
        _R.TOO_MANY_UNCONFIRMED,
    ),
    (Family.UTXO, "replacement-adds-unconfirmed", _R.INVALID),
    (Family.UTXO, "bad-txns-spends-conflicting-tx", _R.CONFLICT),
    (Family.UTXO, "mandatory-script-verify-flag-failed (Invalid signature)", _R.BAD_SIGNATURE),
    (Family.UTXO, "non-BIP68-final", _R.NOT_FINAL),
    (Family.UTXO, "TX decode failed. Make sure the tx has at least one input.", _R.MALFORMED),
    # bcoin and lcoin
    (Family.UTXO, "bad-txns-inputs-spent", _R.INPUTS_MISSING_OR_SPENT),
    (Family.UTXO, "insufficient priority", _R.FEE_TOO_LOW),
    (Family.UTXO, "rate limited free transaction", _R.FEE_TOO_LOW),
    (Family.UTXO, "replace-by-fee", _R.INVALID),
    (Family.UTXO, "bad-witness-nonstandard", _R.INVALID),
    (Family.UTXO, "something new", None),
    # geth, anvil, Nethermind, Besu, Erigon
    (Family.EVM, "nonce too low: next nonce 5, tx nonce 4", _R.NONCE_TOO_LOW),
    (Family.EVM, "nonce too low", _R.NONCE_TOO_LOW),
    (Family.EVM, "OldNonce, Current nonce: 5, nonce of rejected tx: 4", _R.NONCE_TOO_LOW),
    (Family.EVM, "replacement transaction underpriced", _R.REPLACEMENT_FEE),
    (Family.EVM, "transaction underpriced: tip needed 1, tip permitted 0", _R.FEE_TOO_LOW),
    (Family.EVM, "max fee per gas less than block base fee: address 0x1", _R.FEE_TOO_LOW),
    (Family.EVM, "Insufficient funds for gas * price + value", _R.INSUFFICIENT_FUNDS),
    (Family.EVM, "intrinsic gas too low: have 1, want 21000", _R.GAS_TOO_LOW),
    (Family.EVM, "exceeds block gas limit", _R.GAS_TOO_HIGH),
    (Family.EVM, "invalid sender", _R.WRONG_CHAIN),
    (Family.EVM, "txpool is full", _R.POOL_FULL),
    (Family.EVM, "Failed to decode transaction", _R.MALFORMED),
    (Family.EVM, "unknown transaction trouble", None),
    (Family.EVM, "", None),
]


@pytest.mark.parametrize(("family", "words", "meaning"), SAID)
def test_words_of_nodes(family: Family, words: str, meaning: Rejection | None) -> None:
    assert meaning is rejection_of(family, words)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (Family.UTXO, "txn-already-in-mempool"),
        (Family.UTXO, "Transaction already in block chain"),
        (Family.UTXO, "Transaction outputs already in utxo set"),
        (Family.EVM, "already known"),
        (Family.EVM, "AlreadyKnown"),
        (Family.EVM, "known transaction: 0x12"),
        (Family.EVM, "transaction already imported"),
    ],
)
def test_a_node_that_has_the_bytes_says_so(family: Family, words: str) -> None:
    assert is_already_known(family, words)
    assert not is_already_known(family, "unknown transaction type")


@pytest.mark.parametrize("rejection", Rejection)
def test_every_rejection_has_one_rule(rejection: Rejection) -> None:
    assert rule_of(str(rejection)) is RULES[rejection]


def test_a_reason_of_another_table_is_for_people() -> None:
    assert RULES[Rejection.OTHER] == rule_of("something new")


@pytest.mark.parametrize(
    ("reason", "then"),
    [
        ("fee_too_low", Next.BUMP),
        ("replacement_fee", Next.BUMP),
        ("pool_full", Next.RESEND),
        ("inputs_missing_or_spent", Next.EVIDENCE),
        ("nonce_too_low", Next.EVIDENCE),
        ("bad_signature", Next.PEOPLE),
    ],
)
def test_what_is_done_next(reason: str, then: Next) -> None:
    assert then is rule_of(reason).next


def test_what_may_be_mined_already_is_never_permanent() -> None:
    """Else a payment that paid could be taken for one that never will."""
    for rejection, rule in RULES.items():
        if rule.next is Next.EVIDENCE:
            assert rule.meaning is Meaning.UNKNOWN, rejection


@pytest.mark.parametrize("family", Family)
def test_no_phrase_hides_behind_a_shorter_one(family: Family) -> None:
    assert ALREADY_KNOWN[family]
    for phrase, meaning in WORDS[family]:
        assert meaning is rejection_of(family, phrase), phrase

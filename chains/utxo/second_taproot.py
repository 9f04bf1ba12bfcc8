"""A second opinion on taproot key-path signatures, which bitcoinlib cannot verify.

embit computes the BIP-341 digest from its own reading of the bytes, and its pure Python arithmetic
verifies BIP-340: what we sign and check with everywhere else is libsecp256k1, so that a fault of
either, or of our own digest, shows here.
"""

from collections.abc import Sequence

from embit.base import EmbitError
from embit.script import Script
from embit.transaction import Transaction
from embit.util.key import verify_schnorr

PROGRAM = b"\x51\x20"
"""A version 1 witness program of 32 bytes: the output key follows."""

_SCRIPT_BYTES = 34
_DEFAULT = 0
_SIGNATURE_BYTES = 64


def is_taproot(script: bytes) -> bool:
    """Whether an output's script is of taproot."""
    return len(script) == _SCRIPT_BYTES and script.startswith(PROGRAM)


def signed_by_key(raw: bytes, index: int, spent: Sequence[tuple[int, bytes]]) -> bool:
    """Whether a taproot input is spent by its key, with one signature of type DEFAULT.

    bitcoinlib cannot read a signature with a type byte, and we make none: more is not agreed on.
    `spent` are satoshi and script of every output that the transaction spends, in order.
    """
    try:
        transaction = Transaction.parse(raw)
        items = transaction.vin[index].witness.items
        if [len(item) for item in items] != [_SIGNATURE_BYTES]:
            # Anything else is a script path, an annex or another type of signature.
            return False
        scripts, amounts = [Script(script) for _, script in spent], [sats for sats, _ in spent]
        digest = transaction.sighash_taproot(index, scripts, amounts, sighash=_DEFAULT)
        return verify_schnorr(spent[index][1][len(PROGRAM) :], items[0], digest) is True
    except (EmbitError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
        return False

"""A test deposit as the online side's node tells it, read from the transaction's own bytes.

The file is what `getrawtransaction TXID true` answers. Of it only the bytes and the count of
confirmations are taken: txid and amount are computed here.
"""

import json
from collections.abc import Mapping

from chains.errors import ChainError, CodecError
from chains.nesting import check_nesting
from chains.utxo import addresses, transactions
from chains.utxo.params import BUILTIN
from signer.errors import SignerError

FILE_BYTES_MAX = 1 << 20


class DepositWrong(SignerError):
    """A file that shows no confirmed deposit to the address."""

    code = "ceremony.deposit_wrong"


def evidence_of_deposit(data: bytes, address: str) -> Mapping[str, str]:
    """Evidence of a test deposit to a vault's first address. Raises DepositWrong."""
    try:
        check_nesting(data)
        told = json.loads(data)
        raw, confirmations = bytes.fromhex(told["hex"]), told["confirmations"]
        tx = transactions.parse(raw)
    except (ChainError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise DepositWrong(f"got a file that holds no transaction: {error}") from error
    if type(confirmations) is not int or confirmations < 1:
        raise DepositWrong("got a deposit without confirmation, expected one in a block")
    sats = sum(output.sats for output in tx.outputs if _pays(output.script, address))
    if sats == 0:
        raise DepositWrong(f"got a transaction that pays nothing to {address}")
    return {
        "address": address,
        "txid": tx.txid,
        "units": str(sats),
        "confirmations": str(confirmations),
    }


def _pays(script: bytes, address: str) -> bool:
    """Whether a script is the address's, on whichever network it is of."""
    for params in BUILTIN.values():
        try:
            if addresses.parse(params, address).target == script:
                return True
        except CodecError:
            continue
    return False

"""A second implementation's view of a signed transaction, before it is broadcast.

bitcoinlib parses the bytes on its own; inputs, amounts, outputs and signatures must be what we
believe they are. It knows no BIP-340, so embit verifies what taproot keys signed. Online only:
importing bitcoinlib loads HTTP, TLS and SQL modules and writes files.
"""

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from chains.errors import ChainError
from chains.utxo import addresses
from chains.utxo.params import BUILTIN
from chains.utxo.second_taproot import is_taproot, signed_by_key

_NETWORK = "bitcoin"
"""What bitcoinlib is told. Scripts and digests are the same on every chain of the family, and it
does not know all of them (no Litecoin regtest); addresses are compared in this network's form."""

_SIGHASH_ALL = 1

_READ_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What bitcoinlib lets out, besides its own errors, on bytes that it cannot read."""


class ParsersDisagree(ChainError):
    """Two implementations read one transaction differently: it must not be broadcast."""

    code = "transaction.parsers_disagree"


class Spent(Protocol):
    """An output that the transaction is meant to spend."""

    @property
    def txid(self) -> str:
        """Lower-case hex."""
        ...

    @property
    def vout(self) -> int:
        """Which output of it."""
        ...

    @property
    def units(self) -> int:
        """Satoshi."""
        ...

    @property
    def script(self) -> bytes:
        """The output script."""
        ...


class Paid(Protocol):
    """An output that the transaction is meant to make."""

    @property
    def units(self) -> int:
        """Satoshi."""
        ...

    @property
    def script(self) -> bytes:
        """The output script."""
        ...


class SecondParser:
    """bitcoinlib behind one question."""

    def __init__(self, data_dir: Path) -> None:
        """`data_dir` takes the files that bitcoinlib writes when it is first imported."""
        data_dir.mkdir(parents=True, exist_ok=True)
        os.environ["BCL_DATA_DIR"] = str(data_dir)
        module = importlib.import_module("bitcoinlib.transactions")
        self._parse: Callable[..., Any] = module.Transaction.parse
        self._errors = (
            *_READ_ERRORS,
            module.TransactionError,
            importlib.import_module("bitcoinlib.scripts").ScriptError,
            importlib.import_module("bitcoinlib.keys").BKeyError,
            importlib.import_module("bitcoinlib.encoding").EncodingError,
        )

    def __call__(
        self, network: str, raw: bytes, spent: Sequence[Spent], paid: Sequence[Paid]
    ) -> None:
        """Raise ParsersDisagree unless `raw` spends and pays exactly this, and is fully signed.

        Amounts are satoshi; order matters. `network` names the chain in errors only.
        """
        try:
            self._check(raw, spent, paid)
        except ParsersDisagree as error:
            raise ParsersDisagree(f"{network}: {error}") from None
        except self._errors as error:
            raise ParsersDisagree(f"{network}: unreadable, {type(error).__name__}") from None

    def _check(self, raw: bytes, spent: Sequence[Spent], paid: Sequence[Paid]) -> None:
        transaction = self._parse(raw, strict=True, network=_NETWORK)
        if bytes(transaction.raw()) != raw:
            # It reads past trailing bytes and past signature types; its own writing tells.
            raise ParsersDisagree("it reads as other bytes than these")
        got = [(one.prev_txid.hex(), one.output_n_int) for one in transaction.inputs]
        if got != [(one.txid, one.vout) for one in spent]:
            raise ParsersDisagree("it spends other outputs than planned")
        outputs = [(one.value, bytes(one.lock_script)) for one in transaction.outputs]
        if outputs != [(one.units, one.script) for one in paid]:
            raise ParsersDisagree("it pays other outputs than planned")
        for one, origin in zip(transaction.inputs, spent, strict=True):
            one.value = origin.units
        coins = [(one.units, one.script) for one in spent]
        for index, (one, origin) in enumerate(zip(transaction.inputs, spent, strict=True)):
            if is_taproot(origin.script):
                if not signed_by_key(raw, index, coins):
                    raise ParsersDisagree("its signatures do not verify")
                continue
            # Its signatures are checked against the script in the input itself; the address ties
            # that script to the output that is spent.
            if one.address != addresses.encode(BUILTIN[_NETWORK], origin.script):
                raise ParsersDisagree(f"input {origin.txid}:{origin.vout} unlocks another script")
            types = {one.hash_type, *(signature.hash_type for signature in one.signatures)}
            if types != {_SIGHASH_ALL}:
                raise ParsersDisagree(f"input {origin.txid}:{origin.vout} is not signed as ALL")
            digest = transaction.signature_hash(index, one.hash_type, one.witness_type)
            if not digest or one.verify(digest) is not True:
                raise ParsersDisagree("its signatures do not verify")

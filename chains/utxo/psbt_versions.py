"""What the two versions of PSBT say about their transaction (BIP-174, BIP-370)."""

from collections.abc import Mapping

from chains.utxo import transactions
from chains.utxo.psbt_fields import (
    PsbtError,
    PsbtLockTimes,
    PsbtModifiable,
    PsbtUnknownVersion,
)
from chains.utxo.transactions import Reader, Transaction, TxInput, TxOutput


def version_of(pairs: Mapping[bytes, bytes]) -> int:
    """The version a global map names, 0 where it names none. Raises PsbtUnknownVersion."""
    version = int.from_bytes(pairs.get(b"\xfb", bytes(4)), "little")
    if version not in (0, 2):
        raise PsbtUnknownVersion(f"got PSBT version {version}, expected 0 or 2")
    return version


def counts(pairs: Mapping[bytes, bytes], version: int) -> tuple[int, int]:
    """How many inputs and outputs follow. Raises PsbtError or TransactionError."""
    if version == 0:
        tx = unsigned(pairs)
        return len(tx.inputs), len(tx.outputs)
    numbers = []
    for key in (b"\x04", b"\x05"):
        reader = Reader(pairs.get(key, b""))
        numbers.append(reader.compact())
        reader.done()
    return numbers[0], numbers[1]


def unsigned(pairs: Mapping[bytes, bytes]) -> Transaction:
    """The transaction that a version 0 PSBT carries. Raises PsbtError or TransactionError."""
    raw = pairs.get(b"\x00")
    if raw is None:
        raise PsbtError("got no unsigned transaction, expected one in version 0")
    tx = transactions.parse(raw, witness=False)
    if any(one.script_sig for one in tx.inputs):
        raise PsbtError("got signatures in the unsigned transaction")
    return tx


def constructed(
    pairs: Mapping[bytes, bytes],
    maps_in: list[dict[bytes, bytes]],
    maps_out: list[dict[bytes, bytes]],
) -> Transaction:
    """The transaction that a version 2 PSBT spells out, if it is finished. Raises PsbtError."""
    if b"\x02" not in pairs:
        raise PsbtError("got no transaction version, expected one in version 2")
    if pairs.get(b"\x06", b"\x00") != b"\x00":
        raise PsbtModifiable("got a transaction that may still change, expected a finished one")
    if any(b"\x0e" not in one or b"\x0f" not in one for one in maps_in):
        raise PsbtError("got an input without its outpoint")
    if any(b"\x03" not in one or b"\x04" not in one for one in maps_out):
        raise PsbtError("got an output without amount or script")
    inputs = tuple(
        TxInput(
            txid=one[b"\x0e"][::-1].hex(),
            vout=int.from_bytes(one[b"\x0f"], "little"),
            sequence=int.from_bytes(one.get(b"\x10", b"\xff\xff\xff\xff"), "little"),
        )
        for one in maps_in
    )
    outputs = tuple(
        TxOutput(sats=int.from_bytes(one[b"\x03"], "little"), script=one[b"\x04"])
        for one in maps_out
    )
    return Transaction(
        version=int.from_bytes(pairs[b"\x02"], "little", signed=True),
        inputs=inputs,
        outputs=outputs,
        locktime=_locktime(pairs, maps_in),
    )


def _locktime(pairs: Mapping[bytes, bytes], maps_in: list[dict[bytes, bytes]]) -> int:
    """The one lock time that satisfies every input (BIP-370), heights before times."""
    bound = [one for one in maps_in if b"\x11" in one or b"\x12" in one]
    if not bound:
        return int.from_bytes(pairs.get(b"\x03", bytes(4)), "little")
    for key in (b"\x12", b"\x11"):
        if all(key in one for one in bound):
            return max(int.from_bytes(one[key], "little") for one in bound)
    raise PsbtLockTimes("got inputs whose lock times cannot hold together")

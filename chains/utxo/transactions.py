"""Transactions as values: strict bytes in, the same bytes out.

Litecoin's flag 8 marks the HogEx transaction that ends a block with an MWEB extension block
(LIP-0002); of it only the transparent part is kept, which is all that its txid covers.
"""

from dataclasses import dataclass

from chains.errors import CodecError
from chains.types import OutPoint
from chains.utxo.scripts import sha256d

TX_BYTES_MAX = 4_000_000
"""No transaction fits a block above this (BIP-141 weight limit)."""

WITNESS_FLAG = 1
MWEB_FLAG = 8


class TransactionError(CodecError):
    """Bytes that are not one well-formed transaction."""

    code = "transaction.malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TxInput:
    """An input; `txid` is lower-case hex, as people write it."""

    txid: str
    vout: int
    script_sig: bytes = b""
    sequence: int = 0xFFFFFFFD
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TxOutput:
    """An output in satoshi and its script."""

    sats: int
    script: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A transaction; `hogex` marks Litecoin's flag 8."""

    version: int = 2
    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    locktime: int = 0
    hogex: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> "Transaction":
        """One transaction in either form. Raises TransactionError."""
        return parse(raw)

    def outpoints(self) -> tuple[OutPoint, ...]:
        """What it spends."""
        return tuple(OutPoint(one.txid, one.vout) for one in self.inputs)

    @property
    def txid(self) -> str:
        """Its name: the hash without witnesses, in the order people write it."""
        return sha256d(self.serialize(witness=False))[::-1].hex()

    @property
    def vsize(self) -> int:
        """Size in vbytes, rounded up (BIP-141)."""
        bare = len(self.serialize(witness=False))
        return -((-3 * bare - len(self.serialize())) // 4)

    def serialize(self, *, witness: bool = True) -> bytes:
        """The bytes that travel, or with `witness=False` those that the txid covers."""
        segwit = witness and any(one.witness for one in self.inputs)
        parts = [self.version.to_bytes(4, "little", signed=True)]
        if segwit:
            parts.append(b"\x00\x01")
        parts.append(compact_size(len(self.inputs)))
        for one in self.inputs:
            parts.append(outpoint_bytes(one.txid, one.vout))
            parts.append(compact_size(len(one.script_sig)) + one.script_sig)
            parts.append(one.sequence.to_bytes(4, "little"))
        parts.append(compact_size(len(self.outputs)))
        parts += [serialize_output(output) for output in self.outputs]
        if segwit:
            for one in self.inputs:
                parts.append(compact_size(len(one.witness)))
                parts += [compact_size(len(item)) + item for item in one.witness]
        parts.append(self.locktime.to_bytes(4, "little"))
        return b"".join(parts)


def outpoint_bytes(txid: str, vout: int) -> bytes:
    """The 36 bytes that name an output inside a transaction."""
    return bytes.fromhex(txid)[::-1] + vout.to_bytes(4, "little")


def serialize_output(output: TxOutput) -> bytes:
    """An output as it stands in a transaction."""
    return output.sats.to_bytes(8, "little") + compact_size(len(output.script)) + output.script


def compact_size(number: int) -> bytes:
    """Bitcoin's variable-length count."""
    if number < 0xFD:
        return bytes((number,))
    if number <= 0xFFFF:
        return b"\xfd" + number.to_bytes(2, "little")
    if number <= 0xFFFFFFFF:
        return b"\xfe" + number.to_bytes(4, "little")
    return b"\xff" + number.to_bytes(8, "little")


class Reader:
    """A cursor over bytes that never reads past the end. Raises TransactionError."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.end = len(data)

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        stop = self.at + size
        if stop > self.end:
            raise TransactionError(f"got {self.end - self.at} bytes more, expected {size}")
        piece = self.data[self.at : stop]
        self.at = stop
        return piece

    def number(self, size: int) -> int:
        """An unsigned little-endian number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        """A count in its shortest form; a longer one is refused, as Bitcoin Core does."""
        first = self.number(1)
        if first < 0xFD:
            return first
        size, least = {0xFD: (2, 0xFD), 0xFE: (4, 0x10000), 0xFF: (8, 0x100000000)}[first]
        number = self.number(size)
        if number < least:
            raise TransactionError(f"got {number} in {size} bytes, expected its shortest form")
        return number

    def blob(self) -> bytes:
        """Bytes after their length."""
        return self.take(self.compact())

    def count(self, least_bytes: int) -> int:
        """A number of items that take at least `least_bytes` each, so never more than fit."""
        number = self.compact()
        if number * least_bytes > self.end - self.at:
            raise TransactionError(f"got {number} items, which do not fit into the bytes left")
        return number

    def done(self) -> None:
        """Refuse bytes left over."""
        if self.at != self.end:
            raise TransactionError(f"got {self.end - self.at} bytes too many")


def parse(raw: bytes, *, witness: bool = True) -> Transaction:
    """One transaction, no byte more. With `witness=False` only the old form is read (BIP-174).

    Raises TransactionError.
    """
    if len(raw) > TX_BYTES_MAX:
        raise TransactionError(f"got {len(raw)} bytes, expected at most {TX_BYTES_MAX}")
    reader = Reader(raw)
    transaction = read(reader, witness=witness)
    reader.done()
    return transaction


def read(reader: Reader, *, witness: bool = True) -> Transaction:
    """The transaction at the cursor. Raises TransactionError."""
    version = int.from_bytes(reader.take(4), "little", signed=True)
    flag = 0
    if witness and reader.data[reader.at : reader.at + 1] == b"\x00":
        reader.take(1)
        flag = reader.number(1)
        _check_flag(flag)
    inputs = [_read_input(reader) for _ in range(reader.count(41))]
    outputs = tuple(read_output(reader) for _ in range(reader.count(9)))
    if flag & WITNESS_FLAG:
        stacks = [tuple(reader.blob() for _ in range(reader.count(1))) for _ in range(len(inputs))]
        if not any(stacks):
            raise TransactionError("got a witness flag without any witness")
        inputs = [_with_witness(one, stack) for one, stack in zip(inputs, stacks, strict=True)]
    if flag & MWEB_FLAG and reader.number(1) != 0:
        raise TransactionError("got MWEB data inside a transaction, expected a HogEx")
    return Transaction(
        version=version,
        inputs=tuple(inputs),
        outputs=outputs,
        locktime=reader.number(4),
        hogex=bool(flag & MWEB_FLAG),
    )


def output_of(raw: bytes, vout: int) -> tuple[str, TxOutput | None]:
    """The txid of a transaction and one of its outputs, None when it has fewer.

    As strict as `parse`, and several times faster: signers read one such proof for every input.
    Raises TransactionError.
    """
    if len(raw) > TX_BYTES_MAX:
        raise TransactionError(f"got {len(raw)} bytes, expected at most {TX_BYTES_MAX}")
    try:
        at = 4
        flag = raw[5] if raw[4] == 0 else 0
        if raw[4] == 0:
            _check_flag(flag)
            at = 6
        body = at
        inputs, at = compact_at(raw, at)
        for _ in range(inputs):
            size, at = compact_at(raw, at + 36)
            at += size + 4
        outputs, at = compact_at(raw, at)
        found = None
        for number in range(outputs):
            sats = raw[at : at + 8]
            size, at = compact_at(raw, at + 8)
            if number == vout:
                found = TxOutput(sats=int.from_bytes(sats, "little"), script=raw[at : at + size])
            at += size
        end = at
        at = _after_extras(raw, at, inputs, flag) + 4
    except IndexError:
        raise TransactionError("got a transaction that ends too early") from None
    if at != len(raw):
        raise TransactionError(f"got {len(raw)} bytes, expected {at}")
    bare = raw[:4] + raw[body:end] + raw[at - 4 :] if flag else raw
    return sha256d(bare)[::-1].hex(), found


def _after_extras(raw: bytes, at: int, inputs: int, flag: int) -> int:
    """The position after witnesses and MWEB field. Raises TransactionError or IndexError."""
    if flag & WITNESS_FLAG:
        start = at
        for _ in range(inputs):
            items, at = compact_at(raw, at)
            for _ in range(items):
                size, at = compact_at(raw, at)
                at += size
        if at == start + inputs:
            raise TransactionError("got a witness flag without any witness")
    if flag & MWEB_FLAG:
        if raw[at]:
            raise TransactionError("got MWEB data inside a transaction, expected a HogEx")
        at += 1
    return at


def compact_at(raw: bytes, at: int) -> tuple[int, int]:
    """A count at a position, and the position after it. Raises TransactionError or IndexError."""
    first = raw[at]
    if first < 0xFD:
        return first, at + 1
    size, least = ((2, 0xFD), (4, 0x10000), (8, 0x100000000))[first - 0xFD]
    number = int.from_bytes(raw[at + 1 : at + 1 + size], "little")
    if number < least:
        raise TransactionError(f"got {number} in {size} bytes, expected its shortest form")
    return number, at + 1 + size


def _check_flag(flag: int) -> None:
    if not flag or flag & ~(WITNESS_FLAG | MWEB_FLAG):
        raise TransactionError(f"got transaction flag {flag}, expected 1 (or 8 and 9 on LTC)")


def _read_input(reader: Reader) -> TxInput:
    return TxInput(
        txid=reader.take(32)[::-1].hex(),
        vout=reader.number(4),
        script_sig=reader.blob(),
        sequence=reader.number(4),
    )


def _with_witness(one: TxInput, stack: tuple[bytes, ...]) -> TxInput:
    return TxInput(
        txid=one.txid,
        vout=one.vout,
        script_sig=one.script_sig,
        sequence=one.sequence,
        witness=stack,
    )


def read_output(reader: Reader) -> TxOutput:
    """The output at the cursor. Raises TransactionError."""
    return TxOutput(sats=reader.number(8), script=reader.blob())

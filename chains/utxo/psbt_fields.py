"""The fields of a PSBT (BIP-174, BIP-370, BIP-371): which keys exist and what a value must be.

Unknown keys are kept untouched. A known key with a wrong key or value makes the PSBT unreadable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from coincurve import PublicKey

from chains.errors import CodecError
from chains.utxo import transactions
from chains.utxo.transactions import Reader


class PsbtError(CodecError):
    """Bytes that are not a PSBT we can read."""

    code = "psbt.malformed"


class PsbtDuplicateKey(PsbtError):
    """One key twice in a map: two readers could see two different transactions."""

    code = "psbt.duplicate_key"


class PsbtTooLarge(PsbtError):
    """More bytes, inputs or outputs than any payment of ours has."""

    code = "psbt.too_large"


class PsbtUnknownVersion(PsbtError):
    """A version whose rules are not known here."""

    code = "psbt.unknown_version"


class PsbtModifiable(PsbtError):
    """A transaction that others may still add to: nobody knows yet what would be signed."""

    code = "psbt.modifiable"


class PsbtLockTimes(PsbtError):
    """Inputs whose required lock times no transaction can have together."""

    code = "psbt.lock_times"


class PsbtUnproven(PsbtError):
    """An input amount without the previous transaction that proves it."""

    code = "psbt.unproven_amount"


class PsbtScriptMismatch(PsbtError):
    """Scripts that do not hash to the output they spend, or of a kind we do not sign."""

    code = "psbt.script_mismatch"


class PsbtSighash(PsbtError):
    """A signature type other than ALL, which would leave parts of the transaction open.

    Taproot's DEFAULT is ALL without the byte that says so.
    """

    code = "psbt.sighash"


class PsbtBadSignature(PsbtError):
    """A signature that does not verify, or by a key that is not in the script."""

    code = "psbt.bad_signature"


class PsbtIncomplete(PsbtError):
    """Too few signatures to finish."""

    code = "psbt.incomplete"


@dataclass(frozen=True, slots=True)
class Field:
    """A known field: lengths its key may have after the type byte, and a check of its value."""

    key_sizes: tuple[int, ...]
    is_valid: Callable[[bytes], bool]
    point: bool = False
    versions: tuple[int, ...] = (0, 2)


def _any(_value: bytes) -> bool:
    return True


def _size(*sizes: int) -> Callable[[bytes], bool]:
    return lambda value: len(value) in sizes


def _path(value: bytes) -> bool:
    """A fingerprint and four bytes a step."""
    return len(value) >= 4 and len(value) % 4 == 0


def _tap_path(value: bytes) -> bool:
    return _path(split_leaves(value)[1])


def split_leaves(value: bytes) -> tuple[bytes, bytes]:
    """Leaf hashes and origin of a taproot key (BIP-371). Raises TransactionError."""
    reader = Reader(value)
    leaves = reader.take(32 * reader.count(32))
    return leaves, value[reader.at :]


def _tap_tree(value: bytes) -> bool:
    reader = Reader(value)
    while reader.at < reader.end:
        depth, leaf_version = reader.number(1), reader.number(1)
        reader.blob()
        if depth > 128 or leaf_version & 1:
            return False
    return bool(value)


def _output(value: bytes) -> bool:
    reader = Reader(value)
    transactions.read_output(reader)
    return reader.at == reader.end


def _witness(value: bytes) -> bool:
    read_witness(value)
    return True


def read_witness(value: bytes) -> tuple[bytes, ...]:
    """A final witness stack. Raises TransactionError."""
    reader = Reader(value)
    stack = tuple(reader.blob() for _ in range(reader.count(1)))
    reader.done()
    return stack


def _is_time(value: bytes) -> bool:
    return len(value) == 4 and int.from_bytes(value, "little") >= 500_000_000


def _is_height(value: bytes) -> bool:
    return len(value) == 4 and 0 < int.from_bytes(value, "little") < 500_000_000


_KEYS = (33, 65)
_V2 = (2,)
_LEAF_KEYS = tuple(33 + 32 * steps for steps in range(129))

GLOBAL_FIELDS: Mapping[int, Field] = {
    0x00: Field((0,), _any, versions=(0,)),
    0x01: Field((78,), _path),
    0x02: Field((0,), _size(4), versions=_V2),
    0x03: Field((0,), _size(4), versions=_V2),
    0x04: Field((0,), _any, versions=_V2),
    0x05: Field((0,), _any, versions=_V2),
    0x06: Field((0,), _size(1), versions=_V2),
    0xFB: Field((0,), _size(4)),
}

INPUT_FIELDS: Mapping[int, Field] = {
    0x00: Field((0,), _any),  # parsed, and compared with the outpoint, by its only reader
    0x01: Field((0,), _output),
    0x02: Field(_KEYS, _size(*range(9, 74)), point=True),
    0x03: Field((0,), _size(4)),
    0x04: Field((0,), _any),
    0x05: Field((0,), _any),
    0x06: Field(_KEYS, _path, point=True),
    0x07: Field((0,), _any),
    0x08: Field((0,), _witness),
    0x0A: Field((20,), _any),
    0x0B: Field((32,), _any),
    0x0C: Field((20,), _any),
    0x0D: Field((32,), _any),
    0x0E: Field((0,), _size(32), versions=_V2),
    0x0F: Field((0,), _size(4), versions=_V2),
    0x10: Field((0,), _size(4), versions=_V2),
    0x11: Field((0,), _is_time, versions=_V2),
    0x12: Field((0,), _is_height, versions=_V2),
    0x13: Field((0,), _size(64, 65)),
    0x14: Field((64,), _size(64, 65)),
    0x15: Field(_LEAF_KEYS, bool),
    0x16: Field((32,), _tap_path),
    0x17: Field((0,), _size(32)),
    0x18: Field((0,), _size(32)),
}

OUTPUT_FIELDS: Mapping[int, Field] = {
    0x00: Field((0,), _any),
    0x01: Field((0,), _any),
    0x02: Field(_KEYS, _path, point=True),
    0x03: Field((0,), _size(8), versions=_V2),
    0x04: Field((0,), _any, versions=_V2),
    0x05: Field((0,), _size(32)),
    0x06: Field((0,), _tap_tree),
    0x07: Field((32,), _tap_path),
}


def read_map(reader: Reader) -> dict[bytes, bytes]:
    """One map, in the order written. Raises PsbtDuplicateKey."""
    pairs: dict[bytes, bytes] = {}
    while size := reader.compact():
        key = reader.take(size)
        if key in pairs:
            raise PsbtDuplicateKey(f"got key {key.hex()[:16]} twice in one map")
        pairs[key] = reader.blob()
    return pairs


def check_map(pairs: Mapping[bytes, bytes], known: Mapping[int, Field], version: int) -> None:
    """Raise PsbtError unless every known field of a map is well-formed."""
    for key, value in pairs.items():
        field = known.get(key[0])
        if field is None:
            continue
        name = f"field {key[0]:#04x}"
        if version not in field.versions:
            raise PsbtError(f"got {name} in a PSBT of version {version}, where it has no place")
        if len(key) - 1 not in field.key_sizes:
            raise PsbtError(f"got {len(key) - 1} key bytes for {name}, which never has as many")
        if field.point:
            check_point(key[1:])
        if not field.is_valid(value):
            raise PsbtError(f"got a malformed value of {len(value)} bytes for {name}")


@lru_cache(maxsize=4096)
def check_point(public_key: bytes) -> None:
    """Raise PsbtError unless the bytes are a public key."""
    try:
        PublicKey(public_key)
    except ValueError:
        raise PsbtError("got a key that is not a point of the curve") from None


def write_map(pairs: Mapping[bytes, bytes]) -> bytes:
    """The bytes of one map, in the order given."""
    size = transactions.compact_size
    parts = [size(len(key)) + key + size(len(value)) + value for key, value in pairs.items()]
    return b"".join(parts) + b"\x00"

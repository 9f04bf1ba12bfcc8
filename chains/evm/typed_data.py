"""EIP-712 typed data, read strictly: one meaning for each document, or none.

Every type is used and every field is there exactly once; the domain names its chain and contract,
so that a signature for one is worth nothing on another. Whoever signs pins what it accepts.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from chains.errors import ChainError, CodecError
from chains.evm import abi
from chains.evm.addresses import from_text
from chains.evm.hashing import keccak256
from chains.nesting import check_nesting

DOCUMENT_BYTES_MAX = 64 * 1024
"""No document is larger; checked before parsing."""

TYPES_MAX = 32
"""Struct types of one document."""

FIELDS_MAX = 64
"""Fields of one struct type."""

ITEMS_MAX = 256
"""Items of one array."""

DEPTH_MAX = 8
"""Structs and arrays inside each other."""

DOMAIN = "EIP712Domain"

Types: TypeAlias = Mapping[str, tuple[tuple[str, str], ...]]

_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
)
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,63}")
_ARRAY = re.compile(r"(.+)\[([1-9][0-9]{0,2})?\]")
_INTEGER = re.compile(r"(u?)int([1-9][0-9]{0,2})")
_FIXED_BYTES = re.compile(r"bytes([1-9][0-9]?)")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,77})")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


class TypedDataMalformed(CodecError):
    """Not a JSON document of the four parts, or one above the limits."""

    code = "typed_data.malformed"


class TypedDataTypes(CodecError):
    """Types that are unknown, unused, recursive, or of another form."""

    code = "typed_data.types"


class TypedDataFields(CodecError):
    """A struct with a field too many or too few."""

    code = "typed_data.fields"


class TypedDataValue(CodecError):
    """A value that is not of its field's type."""

    code = "typed_data.value"


class TypedDataDomain(CodecError):
    """A domain that does not say which chain and which contract it is for."""

    code = "typed_data.domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedData:
    """A document whose every part was checked; values are as JSON gave them."""

    types: Types
    primary_type: str
    domain: Mapping[str, Any]
    message: Mapping[str, Any]

    def __post_init__(self) -> None:
        _check_types(self.types, self.primary_type)
        _check_domain_type(self.types[DOMAIN])
        self._hash(DOMAIN, self.domain)
        self._hash(self.primary_type, self.message)

    @classmethod
    def decode(cls, document: bytes) -> "TypedData":
        """Parse a JSON document as wallets exchange it. Raises CodecError by its reason."""
        values = _json(document)
        expected = {"types", "primaryType", "domain", "message"}
        if set(values) != expected:
            raise TypedDataMalformed(f"got parts {sorted(values)}, expected {sorted(expected)}")
        if not isinstance(values["primaryType"], str):
            raise TypedDataMalformed("got a primary type that is not text")
        return cls(
            types=_types(values["types"]),
            primary_type=values["primaryType"],
            domain=values["domain"],
            message=values["message"],
        )

    @property
    def chain_id(self) -> int:
        """The chain that the domain names."""
        return _number("uint256", self.domain["chainId"])

    @property
    def verifying_contract(self) -> bytes:
        """The 20 bytes of the contract that the domain names."""
        return _address(self.domain["verifyingContract"])

    @property
    def domain_hash(self) -> bytes:
        """The domain separator."""
        return self._hash(DOMAIN, self.domain)

    @property
    def message_hash(self) -> bytes:
        """The struct hash of the message."""
        return self._hash(self.primary_type, self.message)

    @property
    def signing_hash(self) -> bytes:
        """The 32 bytes that would be signed: keccak-256(0x1901 || domain || message)."""
        return keccak256(b"\x19\x01" + self.domain_hash + self.message_hash)

    def check_domain(self, chain_id: int, contract: bytes) -> None:
        """Raise TypedDataDomain unless it is for exactly this chain and contract."""
        if (self.chain_id, self.verifying_contract) != (chain_id, contract):
            raise TypedDataDomain(
                f"got chain {self.chain_id} and contract {self.verifying_contract.hex()}, "
                f"expected {chain_id} and {contract.hex()}"
            )

    def _hash(self, name: str, value: Any) -> bytes:
        fields = self.types[name]
        if not isinstance(value, Mapping):
            raise TypedDataValue(f"got a {name} that is not a map")
        if set(value) != {field for field, _ in fields}:
            raise TypedDataFields(f"got {name} with {sorted(value)[:8]}, expected its fields only")
        parts = [keccak256(_type_text(self.types, name).encode())]
        parts.extend(self._word(kind, value[field]) for field, kind in fields)
        return keccak256(b"".join(parts))

    def _word(self, kind: str, value: Any) -> bytes:
        array = _ARRAY.fullmatch(kind)
        if array is not None:
            return self._array(array[1], array[2], value)
        if kind in self.types:
            return self._hash(kind, value)
        return _atom(kind, value)

    def _array(self, item_kind: str, size: str | None, value: Any) -> bytes:
        if not isinstance(value, list) or len(value) > ITEMS_MAX:
            raise TypedDataValue(f"got no list of at most {ITEMS_MAX} {item_kind}")
        if size is not None and len(value) != int(size):
            raise TypedDataValue(f"got {len(value)} items of {item_kind}, expected {size}")
        return keccak256(b"".join(self._word(item_kind, item) for item in value))


def _json(document: bytes) -> dict[str, Any]:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise TypedDataMalformed(f"got {len(document)} bytes, at most {DOCUMENT_BYTES_MAX}")
    try:
        check_nesting(document)
        values = json.loads(
            document.decode(),
            object_pairs_hook=_distinct,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise TypedDataMalformed(f"got no JSON: {error}") from error
    if not isinstance(values, dict):
        raise TypedDataMalformed("got JSON that is not a map")
    return values


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one map")
    return found


def _refuse_number(text: str) -> Any:
    raise ValueError(f"a number that is not whole: {text[:40]}")


def _types(value: Any) -> Types:
    if not isinstance(value, dict) or len(value) > TYPES_MAX:
        raise TypedDataTypes(f"got types that are not a map of at most {TYPES_MAX}")
    return {name: _fields(name, rows) for name, rows in value.items()}


def _fields(name: str, rows: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(rows, list) or not 0 < len(rows) <= FIELDS_MAX:
        raise TypedDataTypes(f"got fields of {name} that are not a list of 1 to {FIELDS_MAX}")
    for row in rows:
        if not isinstance(row, dict) or set(row) != {"name", "type"}:
            raise TypedDataTypes(f"got a field of {name} with more than name and type")
        if not all(isinstance(text, str) for text in row.values()):
            raise TypedDataTypes(f"got a field of {name} that is not text")
    return tuple((row["name"], row["type"]) for row in rows)


def _check_types(types: Types, primary: str) -> None:
    if DOMAIN not in types or primary not in types or primary == DOMAIN:
        raise TypedDataTypes(f"got primary type {primary[:64]!r}, expected a type beside {DOMAIN}")
    for name, fields in types.items():
        if _NAME.fullmatch(name) is None or _is_atom(name):
            raise TypedDataTypes(f"got a type named {name[:64]!r}")
        names = [field for field, _ in fields]
        if len(set(names)) != len(names) or any(_NAME.fullmatch(one) is None for one in names):
            raise TypedDataTypes(f"got fields of {name} that are not distinct names")
    used = _used(types, primary, DEPTH_MAX) | {DOMAIN}
    if used != set(types):
        raise TypedDataTypes(f"got types that nothing uses: {sorted(set(types) - used)[:5]}")


def _used(types: Types, name: str, left: int) -> set[str]:
    """The struct types that one contains; a type inside itself runs out of depth."""
    found = {name}
    for _, kind in types[name]:
        inner, depth = kind, left
        while (array := _ARRAY.fullmatch(inner)) is not None:
            inner, depth = array[1], depth - 1
        if depth <= 0:
            raise TypedDataTypes(f"got {name[:64]} nested deeper than {DEPTH_MAX}, or in itself")
        if inner in types and inner != DOMAIN:
            found |= _used(types, inner, depth - 1)
        elif not _is_atom(inner):
            raise TypedDataTypes(f"got unknown type {kind[:64]!r} in {name[:64]}")
    return found


def _type_text(types: Types, name: str) -> str:
    """encodeType: the type, then what it contains in order of name."""
    inner = sorted(_used(types, name, DEPTH_MAX) - {name})
    return "".join(
        f"{one}({','.join(f'{kind} {field}' for field, kind in types[one])})"
        for one in (name, *inner)
    )


def _check_domain_type(fields: tuple[tuple[str, str], ...]) -> None:
    if tuple(field for field in _DOMAIN_FIELDS if field in fields) != fields:
        raise TypedDataDomain(f"got a domain of {fields[:6]}, expected known fields in order")
    names = {field for field, _ in fields}
    if not {"chainId", "verifyingContract"} <= names:
        raise TypedDataDomain("got a domain without chainId or verifyingContract")


def _is_atom(kind: str) -> bool:
    if kind in ("address", "bool", "string", "bytes"):
        return True
    integer, fixed = _INTEGER.fullmatch(kind), _FIXED_BYTES.fullmatch(kind)
    if integer is not None:
        return int(integer[2]) % 8 == 0 and int(integer[2]) <= 256
    return fixed is not None and int(fixed[1]) <= abi.WORD


def _atom(kind: str, value: Any) -> bytes:
    if kind == "bool":
        if not isinstance(value, bool):
            raise TypedDataValue(f"got {str(value)[:40]!r}, expected true or false")
        return abi.word(int(value))
    if "int" in kind:
        return (_number(kind, value) % 2**256).to_bytes(abi.WORD, "big")
    if not isinstance(value, str):
        raise TypedDataValue(f"got {str(value)[:40]!r}, expected a text of {kind}")
    if kind == "address":
        return abi.address_word(_address(value))
    if kind == "string":
        return _text_hash(value)
    data = _blob(value)
    if kind == "bytes":
        return keccak256(data)
    if len(data) != int(kind.removeprefix("bytes")):
        raise TypedDataValue(f"got {len(data)} bytes, expected {kind}")
    return data.ljust(abi.WORD, b"\x00")


def _number(kind: str, value: Any) -> int:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypedDataValue(f"got {str(value)[:40]!r}, expected a whole number of {kind}")
    bits = int(kind.removeprefix("u").removeprefix("int"))
    low, high = (0, 2**bits) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not low <= value < high:
        raise TypedDataValue(f"got a number out of the range of {kind}")
    return value


def _address(value: str) -> bytes:
    try:
        return from_text(value)
    except ChainError as error:
        raise TypedDataValue(str(error)) from error


def _blob(value: str) -> bytes:
    if _HEX.fullmatch(value) is None:
        raise TypedDataValue("got no bytes, expected 0x and pairs of hex digits")
    return bytes.fromhex(value[2:])


def _text_hash(value: str) -> bytes:
    try:
        return keccak256(value.encode())
    except UnicodeEncodeError as error:
        raise TypedDataValue("got a text with a lone surrogate") from error

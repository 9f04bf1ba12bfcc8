r"""The deterministic encoding of a height, and the hash that chains heights (requirement W10).

`state_hash(h) = SHA-256(TAG || state_hash(h-1) || SHA-256(KVSet(h)) || h as 8 bytes, big-endian)`,
with 32 zero bytes before height 1. KVSet(h), the keys changed at h with their new values, is
UTF-8 text of lines that end in a newline, fields parted by tabs, numbers in decimal, UUIDs in
canonical lower case, nothing as \\N:

    batch      height, cause, content digest in hex, created_s
    accounts   how many the height used first; then a line each by number:
               number, owner, asset, kind, may_go_negative
    transfers  how many; then a line each as posted:
               height, line, id, kind, hold_id, debit, credit, units, expires_s
    balances   how many accounts it changed; then a line each, in the order in which its transfers
               first name them, of a transfer the debit before the credit:
               number, debits, credits, debits_held, credits_held, height

A transfer's line and a balance's line are PostgreSQL's COPY text of the same row: what is hashed
is what is written. Names cannot hold tabs or newlines (wallet.ledger.chart refuses them).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import msgspec

from wallet.ledger.books import Position

TAG = b"glaytos ledger state 1\n"
GENESIS = b"\0" * 32
"""The hash before the first height."""

NOTHING = "\\N"
"""No value, in a line."""

NO_HOLD = msgspec.Raw(NOTHING.encode())
"""The hold_id of a transfer that ends no hold, in a column."""

_JSON = msgspec.json.Encoder()
_TABS = bytes.maketrans(b",", b"\t")


class Balance(Protocol):
    """An account's sums, in base units, and the last height that changed them."""

    number: int
    debits: int
    credits: int
    debits_held: int
    credits_held: int
    height: int


class Lines(NamedTuple):
    """Lines as they are hashed and written: how many, and their text."""

    number: int
    text: bytes


@dataclass(slots=True)
class TransferColumns:
    """The transfers of a height as posted, column by column: ten thousand rows are no objects."""

    ids: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    hold_ids: list[str | msgspec.Raw] = field(default_factory=list)
    debits: list[int] = field(default_factory=list)
    credits: list[int] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    expiries: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def complete(self) -> None:
        """Make those plain transfers of which only ids, accounts and units were added."""
        new = len(self.ids) - len(self.kinds)
        self.kinds += ["single"] * new
        self.hold_ids += [NO_HOLD] * new
        self.expiries += [0] * new

    def cut(self, length: int) -> None:
        """Forget those after the first `length`."""
        for column in self._all():
            del column[length:]

    def lines(self, height: int) -> Lines:
        """Their lines."""
        number = len(self)
        rows = zip(repeat(height, number), range(number), *self._all(), strict=True)
        return Lines(number, _text(rows))

    def _all(self) -> tuple[list[Any], ...]:
        return (
            self.ids,
            self.kinds,
            self.hold_ids,
            self.debits,
            self.credits,
            self.units,
            self.expiries,
        )


def balance_lines(balances: Sequence[Balance]) -> Lines:
    """The lines of balances as they are."""
    rows = (
        (b.number, b.debits, b.credits, b.debits_held, b.credits_held, b.height) for b in balances
    )
    return Lines(len(balances), _text(rows))


def _text(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Rows of numbers, ids and kinds as lines: JSON's, without the brackets and quotes.

    None of these can hold such a character. It takes a seventh of the time of formatting each.
    """
    return _JSON.encode_lines(rows).translate(_TABS, b'[]"')


def lines(texts: Sequence[str]) -> Lines:
    """Lines made one."""
    return Lines(len(texts), "".join(texts).encode())


def account_line(number: int, owner: str, asset: str, kind: str, may_go_negative: int) -> str:
    """The line of an account."""
    return f"{number}\t{owner}\t{asset}\t{kind}\t{may_go_negative}\n"


def opened_line(position: Position) -> str:
    """The line of an account that the height opens."""
    account = position.account
    flag = int(account.may_go_negative)
    return account_line(position.number, account.owner, account.asset, account.kind, flag)


def batch_line(height: int, cause: str, content: bytes, created_s: int) -> str:
    """The line of a batch."""
    return f"{height}\t{cause}\t{content.hex()}\t{created_s}\n"


def kv_digest(batch: str, accounts: Lines, transfers: Lines, balances: Lines) -> bytes:
    """SHA-256 of KVSet(h), from its lines in order."""
    digest = hashlib.sha256(f"batch\t{batch}".encode())
    for name, part in (("accounts", accounts), ("transfers", transfers), ("balances", balances)):
        digest.update(f"{name}\t{part.number}\n".encode())
        digest.update(part.text)
    return digest.digest()


class Fingerprint:
    """SHA-256 over the state at a height: what an image holds, and `ledger verify` can work out.

    H(H(account lines) || H(balance lines) || H(lines of open holds)) with lines as above, accounts
    and balances by number, and holds by id: id, debit, credit, units, expires_s.
    """

    def __init__(self) -> None:
        self.accounts, self.balances, self.holds = (hashlib.sha256() for _ in range(3))

    def digest(self) -> bytes:
        """The digest, when every line has been added to its part."""
        parts = (self.accounts, self.balances, self.holds)
        return hashlib.sha256(b"".join(part.digest() for part in parts)).digest()


def state_hash(previous: bytes, kv: bytes, height: int) -> bytes:
    """The hash of the state at a height, over the one before it and what the height changed."""
    return hashlib.sha256(TAG + previous + kv + height.to_bytes(8, "big")).digest()

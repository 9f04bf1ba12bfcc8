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
from collections.abc import Sequence
from typing import NamedTuple

from wallet.ledger.books import Position

TAG = b"glaytos ledger state 1\n"
GENESIS = b"\0" * 32
"""The hash before the first height."""


class Lines(NamedTuple):
    """Lines as they are hashed and written: how many, and their text."""

    number: int
    text: bytes


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


def balance_lines(positions: Sequence[Position], height: int) -> list[str]:
    """The lines of balances that a height changed."""
    end = f"\t{height}\n"
    return [
        f"{p.text}\t{p.debits}\t{p.credits}\t{p.debits_held}\t{p.credits_held}{end}"
        for p in positions
    ]


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

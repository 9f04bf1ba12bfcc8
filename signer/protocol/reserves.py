"""The payload of a proof of reserves: what a vault is to show as its own, never bytes to sign.

The signer makes what it signs out of this by itself, so that it cannot be given a payment.
"""

from dataclasses import dataclass
from typing import Any

from signer.errors import ProtocolError
from signer.protocol.wire import Fields, as_blob, as_units, dump

HASH_BYTES = 32
COINS_MAX = 1000
ACCOUNTS_MAX = 1000
"""Coins or accounts of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservesCoin:
    """A coin of the vault: `txid` as people write it, and the script's branch and index."""

    txid: str
    vout: int
    sats: int
    branch: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservesClaim:
    """A published statement's digest, a block, and the coins or accounts that are shown at it.

    `accounts` are indices of a vault with many addresses; a vault that is one address names none.
    """

    statement: bytes
    height: int
    block_hash: bytes
    coins: tuple[ReservesCoin, ...] = ()
    accounts: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The canonical bytes: the payload of a request, and what its intent approves."""
        return dump(
            {
                "v": 1,
                "statement": self.statement,
                "height": self.height,
                "block_hash": self.block_hash,
                "coins": [
                    [bytes.fromhex(c.txid), c.vout, c.sats, c.branch, c.index] for c in self.coins
                ],
                "accounts": list(self.accounts),
            }
        )

    @classmethod
    def decode(cls, body: bytes) -> "ReservesClaim":
        """Parse canonical bytes. Raises ProtocolError."""
        fields = Fields(body, "claim")
        claim = cls(
            statement=fields.blob("statement"),
            height=fields.units("height"),
            block_hash=fields.blob("block_hash"),
            coins=tuple(_coin(item) for item in fields.items("coins", COINS_MAX)),
            accounts=tuple(as_units(item) for item in fields.items("accounts", ACCOUNTS_MAX)),
        )
        fields.done(version=1)
        if {len(claim.statement), len(claim.block_hash)} != {HASH_BYTES}:
            raise ProtocolError(f"got a digest or a block hash that is not {HASH_BYTES} bytes")
        return claim

    def message(self, network: str) -> str:
        """What a BIP-322 proof of these coins says, in words."""
        block = f"block {self.height} {self.block_hash.hex()}"
        return f"Proof of reserves {self.statement.hex()} at {network} {block}"


def _coin(item: Any) -> ReservesCoin:
    if not isinstance(item, list) or len(item) != 5:
        raise ProtocolError("got a coin of another shape, expected five fields")
    txid, numbers = as_blob(item[0]), [as_units(one) for one in item[1:]]
    if len(txid) != HASH_BYTES or numbers[0] >= 1 << 32:
        raise ProtocolError("got a coin that names no output")
    vout, sats, branch, index = numbers
    return ReservesCoin(txid=txid.hex(), vout=vout, sats=sats, branch=branch, index=index)

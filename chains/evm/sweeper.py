"""The sweeper: what deposit addresses run under EIP-7702, where it is, and the one call we make.

Its address is the hash of its code and its treasury (CREATE2), so who knows the address knows,
without asking any node, what the code is and where alone the money can go.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from chains.errors import CodecError
from chains.evm import abi
from chains.evm.addresses import ADDRESS_BYTES, from_text
from chains.evm.hashing import keccak256

CREATE2_DEPLOYER = from_text("0x4e59b44847b379578588920cA78FbF26c0B4956C")
"""The deterministic deployment proxy, the same on every chain; takes a salt and creation code."""

SALT = bytes(32)
"""One sweeper for each treasury is enough."""

ACCOUNTS_MAX = 100
"""Deposit addresses that one call may sweep, as the contract has it."""

SWEEP_MANY = keccak256(b"sweep_many(address,address[])")[:4]

DELEGATION = bytes.fromhex("ef0100")
"""EIP-7702: an account's code is this and the delegate's address."""

ETHER = bytes(20)
"""What the sweeper calls ether: the zero address in place of a token."""

_ARTIFACT = Path(__file__).parent / "contracts" / "Sweeper.json"


class SweepCalldata(CodecError):
    """A call that is not exactly one of the sweeper for 1 to 100 different addresses."""

    code = "sweeper.calldata"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCall:
    """Everything that `accounts` hold of a token (20 bytes; zeros for ether) to the treasury."""

    token: bytes
    accounts: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.accounts) <= ACCOUNTS_MAX:
            raise SweepCalldata(f"got {len(self.accounts)} addresses, expected 1 to {ACCOUNTS_MAX}")
        if len(set(self.accounts)) != len(self.accounts):
            raise SweepCalldata("got an address twice")
        if any(len(one) != ADDRESS_BYTES for one in (self.token, *self.accounts)):
            raise SweepCalldata("got an address that has not 20 bytes")

    def encode(self) -> bytes:
        """The calldata."""
        words = [abi.address_word(self.token), abi.word(2 * abi.WORD), abi.word(len(self.accounts))]
        return SWEEP_MANY + b"".join([*words, *(abi.address_word(one) for one in self.accounts)])

    @classmethod
    def decode(cls, data: bytes) -> "SweepCall":
        """Parse exactly what `encode` writes. Raises SweepCalldata."""
        if abi.selector(data) != SWEEP_MANY:
            raise SweepCalldata(f"got call {data[:4].hex()}, expected sweep_many")
        words = data[4:]
        try:
            count = abi.read_int(words, 2)
            if len(words) != (3 + min(count, ACCOUNTS_MAX + 1)) * abi.WORD:
                raise SweepCalldata(f"got {len(data)} bytes of calldata for {count} addresses")
            token = abi.read_address(words, 0)
            call = cls(
                token=token,
                accounts=tuple(abi.read_address(words, 3 + place) for place in range(count)),
            )
        except CodecError as error:
            raise SweepCalldata(str(error)) from error
        if call.encode() != data:
            raise SweepCalldata("got a sweep that is not in canonical form")
        return call


def creation_code(treasury: bytes) -> bytes:
    """What makes the sweeper of a treasury."""
    return _code("bytecode") + abi.address_word(treasury)


def deployment_calldata(treasury: bytes) -> bytes:
    """What to send to `CREATE2_DEPLOYER` to have the sweeper of a treasury."""
    return SALT + creation_code(treasury)


def sweeper_address(treasury: bytes) -> bytes:
    """Where the sweeper of a treasury is, on every chain (EIP-1014)."""
    made = keccak256(b"\xff" + CREATE2_DEPLOYER + SALT + keccak256(creation_code(treasury)))
    return made[-ADDRESS_BYTES:]


def runtime_code(treasury: bytes) -> bytes:
    """What a chain shows at `sweeper_address`: the code, and behind it the two it is tied to."""
    tied = (treasury, sweeper_address(treasury))
    return _code("runtime") + b"".join(abi.address_word(one) for one in tied)


def delegation_code(delegate: bytes) -> bytes:
    """What a chain shows as the code of an address that runs a delegate's."""
    return DELEGATION + delegate


@cache
def _code(name: str) -> bytes:
    artifact: Any = json.loads(_ARTIFACT.read_text(encoding="utf-8"))
    return bytes.fromhex(artifact[name][2:])

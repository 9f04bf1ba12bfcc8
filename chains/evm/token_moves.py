"""Whether a token's logs are true: what they sum to, held against balances; pure.

A log is only what a contract says. What an address holds before and after a block is what later
transfers will work with, so that is what counts.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chains.evm import abi
from chains.evm.blocks import Block, Log, Receipt, Transaction
from chains.evm.erc20 import (
    TRANSFER_TOPIC,
    TokenTransfer,
    addresses_in,
    read_transfer_log,
)
from chains.evm.hashing import keccak256

PROXY_SLOTS: tuple[int, ...] = (
    # EIP-1967: keccak of "eip1967.proxy.implementation", less one
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC,
    # before EIP-1967, USDC's: keccak of "org.zeppelinos.proxy.implementation"
    0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3,
    # EIP-1822: keccak of "PROXIABLE"
    0xC5F16F0FCC639FA48A6947836D9850F504798523BF8C9A3A87D5876CF622BCF7,
)
"""Storage slots where upgradable proxies keep the address of their implementation."""

BEACON_SLOT = 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50
"""EIP-1967, keccak of "eip1967.proxy.beacon" less one: a contract that names the implementation."""

IMPLEMENTATION = bytes.fromhex("5c60da1b")
"""implementation(), what a beacon is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Sums of Transfer logs to and from one address, in base units."""

    into: int = 0
    out_of: int = 0


def transfers(receipt: Receipt, contract: bytes) -> Iterator[TokenTransfer]:
    """Transfers that a contract told in a transaction, so far as they can be read.

    None if it failed.
    """
    for log in _told(receipt, contract):
        transfer = read_transfer_log(log.topics, log.data)
        if transfer is not None:
            yield transfer


def unreadable(receipt: Receipt, contract: bytes) -> Iterator[Log]:
    """Logs of a contract that claim to be a Transfer and have another shape."""
    for log in _told(receipt, contract):
        if log.topics[:1] == (TRANSFER_TOPIC,) and not read_transfer_log(log.topics, log.data):
            yield log


def touched(
    block: Block, receipts: Sequence[Receipt], contract: bytes, watched: Container[bytes]
) -> Mapping[bytes, Logged]:
    """Watched addresses whose balance a block may have changed, and what its logs sum to.

    Found by logs, by calls of the contract that name an address without telling of it, and by
    whatever looks like an address in a Transfer that cannot be read.
    """
    into: dict[bytes, int] = defaultdict(int)
    out_of: dict[bytes, int] = defaultdict(int)
    for transaction, receipt in zip(block.transactions, receipts, strict=True):
        for transfer in transfers(receipt, contract):
            into[transfer.to] += transfer.units
            out_of[transfer.sender] += transfer.units
        for log in unreadable(receipt, contract):
            for address in addresses_in(log.topics, log.data):
                into[address] += 0
        if receipt.succeeded and transaction.to == contract:
            for address in _named(transaction):
                into[address] += 0
    return {
        address: Logged(into=into[address], out_of=out_of[address])
        for address in sorted({*into, *out_of})
        if address in watched
    }


def without(receipt: Receipt, contract: bytes, address: bytes, logged: Logged) -> Logged:
    """A block's sums for an address less what one of its transactions told."""
    told = list(transfers(receipt, contract))
    return Logged(
        into=logged.into - sum(t.units for t in told if t.to == address),
        out_of=logged.out_of - sum(t.units for t in told if t.sender == address),
    )


def is_logged(receipt: Receipt, contract: bytes, expected: TokenTransfer) -> bool:
    """Whether the only transfer from the expected sender is exactly the expected one.

    Never beside a Transfer that cannot be read: it may tell of the same sender.
    """
    if any(True for _ in unreadable(receipt, contract)):
        return False
    told = [t for t in transfers(receipt, contract) if t.sender == expected.sender]
    return told == [expected]


def fingerprint(code: bytes, implementations: Sequence[tuple[bytes, bytes]]) -> str:
    """A name for a token's code: its own, and (address, code) of each that it stands in for."""
    parts = [keccak256(code)]
    for address, behind in implementations:
        parts += [address, keccak256(behind)]
    return keccak256(b"".join(parts)).hex()


def _named(transaction: Transaction) -> Iterator[bytes]:
    """The sender, and every word of the calldata that looks like an address."""
    yield transaction.sender
    yield from abi.address_like(transaction.data[4:])


def _told(receipt: Receipt, contract: bytes) -> Iterator[Log]:
    """A contract's logs in a transaction that succeeded."""
    return (log for log in receipt.logs if receipt.succeeded and log.contract == contract)

"""Accounts of a simulated EVM chain, and what a call does to them: value, tokens, Safes, sweeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from chains.errors import CodecError
from chains.evm import abi
from chains.evm.erc20 import TRANSFER, TRANSFER_TOPIC, decode_transfer
from chains.evm.safe import EXEC_TRANSACTION, SafeTx, SafeVault
from chains.evm.safe_signatures import recover_owners
from chains.evm.sweeper import ETHER, SWEEP_MANY, SweepCall
from chains.types import Asset

NATIVE = bytes(20)
"""Stands for the native currency where a token contract could be named."""

SPLITTER = b"\x59" * 20
"""A contract that pays many from one call: what exchanges and payroll services use."""

_SPLIT = b"\x5b\x11\x77\xed"
"""Its one function, with three words for each payment: contract (zero is native), payee, units."""

_GAS_CALL, _GAS_TRANSFER, _GAS_OTHER, _GAS_EACH = 21_000, 50_000, 90_000, 30_000
_GAS_SHARE = 10_000

Balances = dict[tuple[bytes, str], int]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event of a token."""

    contract: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """Ether that a contract sent inside a call."""

    sender: bytes
    to: bytes
    units: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What a call that did not revert left behind."""

    logs: tuple[LogEntry, ...] = ()
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """What code stands where. Calls that reach a `reverting` address revert when they run.

    `sweepers` maps each sweeper to its treasury. A `frozen` account's tokens do not move, and of
    every transfer its token keeps `token_fee` units.
    `answers` has what a token's transfer answers where that is not true.
    """

    chain_id: int
    native: str
    tokens: Mapping[bytes, Asset]
    safes: Mapping[bytes, SafeVault]
    reverting: set[bytes]
    sweepers: dict[bytes, bytes] = field(default_factory=dict)
    frozen: set[bytes] = field(default_factory=set)
    token_fee: dict[str, int] = field(default_factory=dict)
    answers: dict[bytes, bytes] = field(default_factory=dict)

    def copy(self) -> "Contracts":
        """The same code, to be changed apart."""
        return replace(
            self,
            reverting=set(self.reverting),
            sweepers=dict(self.sweepers),
            frozen=set(self.frozen),
            token_fee=dict(self.token_fee),
            answers=dict(self.answers),
        )


@dataclass
class State:
    """Balances and nonces after a block; who is `rich` pays without ever having been paid."""

    rich: frozenset[bytes] = frozenset()
    balances: Balances = field(default_factory=dict)
    nonces: dict[bytes, int] = field(default_factory=dict)
    safe_nonces: dict[bytes, int] = field(default_factory=dict)
    delegates: dict[bytes, bytes] = field(default_factory=dict)

    def copy(self) -> "State":
        """The state that the next block starts from."""
        return State(
            self.rich,
            dict(self.balances),
            dict(self.nonces),
            dict(self.safe_nonces),
            dict(self.delegates),
        )

    def held(self, target: bytes, asset: str) -> int:
        """What an address has."""
        return self.balances.get((target, asset), 0)

    def can_pay(self, target: bytes, asset: str, units: int) -> bool:
        """Whether an address has that much."""
        return target in self.rich or self.held(target, asset) >= units

    def move(self, asset: str, sender: bytes, to: bytes, units: int) -> None:
        """Take from one and give to the other."""
        self.add(sender, asset, -units)
        self.add(to, asset, units)

    def add(self, target: bytes, asset: str, units: int) -> None:
        """Give, or take with negative units."""
        if target not in self.rich:
            self.balances[target, asset] = self.held(target, asset) + units


def gas_of(data: bytes) -> int:
    """The gas that a call uses: flat rates, for this chain runs no code."""
    if data[:4] == _SPLIT:
        return _GAS_CALL + _GAS_EACH * (len(data) // (3 * abi.WORD))
    if data[:4] == SWEEP_MANY:
        return _GAS_CALL + _GAS_SHARE * (len(data) // abi.WORD)
    return {b"": _GAS_CALL, TRANSFER: _GAS_TRANSFER}.get(data[:4], _GAS_OTHER)


def split_calldata(payments: Sequence[tuple[bytes, bytes, int]]) -> bytes:
    """Calldata for the splitter: (contract or zeros, payee, units) of each payment."""
    words = [
        abi.address_word(contract) + abi.address_word(to) + abi.word(units)
        for contract, to, units in payments
    ]
    return _SPLIT + b"".join(words)


def execute(
    state: State, contracts: Contracts, sender: bytes, to: bytes, value_wei: int, data: bytes
) -> Effects | None:
    """Do what a call does. None when it reverts; the state is then as before."""
    if to in contracts.reverting or not state.can_pay(sender, contracts.native, value_wei):
        return None
    if to in contracts.safes and data[:4] == EXEC_TRANSACTION:
        return _execute_safe(state, contracts, contracts.safes[to], data)
    if to in contracts.tokens:
        try:
            payee, units = decode_transfer(data)
        except CodecError:
            return None
        return _pay_each(state, contracts, sender, [(to, payee, units)])
    if to in contracts.sweepers and data[:4] == SWEEP_MANY:
        return _sweep(state, contracts, sender, to, data)
    if to == SPLITTER and data[:4] == _SPLIT:
        return _pay_each(state, contracts, sender, _split_of(data))
    state.move(contracts.native, sender, to, value_wei)
    return Effects()


def _split_of(data: bytes) -> list[tuple[bytes, bytes, int]]:
    body = data[4:]
    count = len(body) // (3 * abi.WORD)
    return [
        (
            abi.read_address(body, 3 * at),
            abi.read_address(body, 3 * at + 1),
            abi.read_int(body, 3 * at + 2),
        )
        for at in range(count)
    ]


def _pay_each(
    state: State,
    contracts: Contracts,
    sender: bytes,
    payments: Sequence[tuple[bytes, bytes, int]],
) -> Effects | None:
    """Tokens by their logs, ether by inner calls; all of it or nothing."""
    logs, moves = [], []
    before = dict(state.balances)
    for contract, to, units in payments:
        native = contract == NATIVE
        asset = contracts.native if native else contracts.tokens[contract].code
        stuck = not native and sender in contracts.frozen
        if to in contracts.reverting or stuck or not state.can_pay(sender, asset, units):
            state.balances = before
            return None
        kept = 0 if native else min(units, contracts.token_fee.get(asset, 0))
        state.add(sender, asset, -units)
        state.add(to, asset, units - kept)
        if native:
            moves.append(Move(SPLITTER, to, units))
        else:
            topics = (TRANSFER_TOPIC, abi.address_word(sender), abi.address_word(to))
            logs.append(LogEntry(contract, topics, abi.word(units - kept)))
    return Effects(tuple(logs), tuple(moves))


def _sweep(
    state: State, contracts: Contracts, sender: bytes, sweeper: bytes, data: bytes
) -> Effects | None:
    """Every account that delegates to the sweeper pays the treasury; one that fails is passed."""
    treasury = contracts.sweepers[sweeper]
    try:
        call = SweepCall.decode(data)
    except CodecError:
        return None
    if sender != treasury or (call.token != ETHER and call.token not in contracts.tokens):
        return None
    native = call.token == ETHER
    asset = contracts.native if native else contracts.tokens[call.token].code
    logs: list[LogEntry] = []
    moves: list[Move] = []
    for account in call.accounts:
        units = state.held(account, asset)
        if state.delegates.get(account) != sweeper or not units:
            continue
        if native:
            state.move(asset, account, treasury, units)
            moves.append(Move(account, treasury, units))
        elif done := _pay_each(state, contracts, account, [(call.token, treasury, units)]):
            logs.extend(done.logs)
    return Effects(tuple(logs), tuple(moves))


def _execute_safe(
    state: State, contracts: Contracts, safe: SafeVault, data: bytes
) -> Effects | None:
    nonce = state.safe_nonces.get(safe.address, 0)
    try:
        inner, packed = SafeTx.decode_execution(
            data, chain_id=contracts.chain_id, safe=safe.address, nonce=nonce
        )
        owners = recover_owners(inner.safe_tx_hash, packed)
    except CodecError:
        return None
    if len(owners) < safe.threshold or not set(owners) <= set(safe.owners):
        return None
    done = execute(state, contracts, safe.address, inner.to, inner.value_wei, inner.data)
    if done is None:
        return None
    state.safe_nonces[safe.address] = nonce + 1
    moved = (Move(safe.address, inner.to, inner.value_wei),) if inner.value_wei else ()
    return Effects(done.logs, moved + done.moves)

"""The sweeper on a real chain: it gathers, it costs little, and it can do nothing else."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains.evm import sweeper
from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization
from chains.evm.chain import EvmChain
from chains.evm.contracts import build
from chains.evm.erc20 import transfer_calldata
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.evm.set_code import UnsignedSetCodeTx
from chains.evm.sweeper import ETHER, SweepCall
from chains.evm.transactions import UnsignedTx
from chains.types import Asset
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM

GWEI = 10**9
ONE = 10**18
UNITS = 5_000_000
ANYBODY = "0x" + "a7" * 20


@dataclass
class Field:
    """A hot account, its sweeper, and deposit accounts that run it."""

    devnet: Devnet
    chain: EvmChain
    hot: Any = field(default_factory=Account.create)

    def __post_init__(self) -> None:
        self.token = from_text(self.devnet.contracts.tokens["DUSD"])
        self.treasury = from_text(self.hot.address)
        self.sweeper = from_text(self.devnet.deploy_sweeper(self.hot.address))
        self.fund("ETH", self.treasury, 100 * ONE)
        self.fund("DUSD", self.treasury, 1)

    def fund(self, asset: str, target: bytes, units: int) -> None:
        self.devnet.fund(ETHEREUM, asset, checksum(target), units)
        self.devnet.mine(ETHEREUM)

    def accounts(self, count: int, units: int = UNITS) -> list[Any]:
        """Fresh deposit accounts that hold tokens and no gas."""
        made = [Account.create() for _ in range(count)]
        for one in made:
            self.devnet.fund(ETHEREUM, "DUSD", one.address, units)
        self.devnet.mine(ETHEREUM)
        return made

    def held(self, target: bytes, asset: str = "DUSD") -> int:
        return self.chain.balance_units(target, asset, self.chain.tip())

    def sweep(self, call: SweepCall, *new: Any) -> Any:
        """The receipt of a batch by the hot account; `new` accounts give their leave in it."""
        plain = UnsignedTx(
            chain_id=31337,
            nonce=self.chain.nonce(self.treasury),
            priority_fee_wei=1,
            max_fee_wei=self.chain.fees().max_fee_wei,
            gas_limit=8_000_000,
            to=self.sweeper,
            value_wei=0,
            data=call.encode(),
        )
        tx: Any = plain
        if new:
            leave = Authorization(chain_id=31337, delegate=self.sweeper, nonce=0)
            signed = [
                leave.with_signature(
                    bytes(Account.unsafe_sign_hash(leave.signing_hash, one.key).signature)
                )
                for one in new
            ]
            tx = UnsignedSetCodeTx(call=plain, authorizations=tuple(signed))
        made = Account.unsafe_sign_hash(tx.signing_hash, self.hot.key)
        return self.sent(tx.with_signature(bytes(made.signature)).raw)

    def sent(self, raw: bytes) -> Any:
        txid = self.devnet.rpc(ETHEREUM, "eth_sendRawTransaction", "0x" + raw.hex())
        self.devnet.mine(ETHEREUM)
        return self.devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", txid)

    def asked(self, sender: str, to: bytes, data: bytes, value: int = 0) -> Any:
        """The receipt of a call by anybody."""
        self.devnet.rpc(ETHEREUM, "anvil_impersonateAccount", sender)
        self.devnet.rpc(ETHEREUM, "anvil_setBalance", sender, hex(10 * ONE))
        request = {
            "from": sender,
            "to": checksum(to),
            "data": "0x" + data.hex(),
            "value": hex(value),
            "gas": hex(1_000_000),
        }
        txid = self.devnet.rpc(ETHEREUM, "eth_sendTransaction", request)
        self.devnet.mine(ETHEREUM)
        return self.devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", txid)


@pytest.fixture(scope="module")
def ground(devnet: Devnet) -> Iterator[Field]:
    asset = Asset(
        code="DUSD", network=ETHEREUM, decimals=6, contract=devnet.contracts.tokens["DUSD"]
    )
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [asset])
    yield Field(devnet, chain)
    chain.close()


def targets(accounts: list[Any]) -> tuple[bytes, ...]:
    return tuple(from_text(one.address) for one in accounts)


@pytest.mark.parametrize("name", build.NAMES)
def test_the_committed_code_is_what_the_compiler_makes(name: str) -> None:
    pytest.importorskip("vyper")
    folder = Path(build.__file__).parent
    committed = json.loads((folder / f"{name}.json").read_text())
    assert committed == build.compile_contract(folder / f"{name}.vy")


def test_the_chain_has_exactly_our_code_where_it_has_to_be(ground: Field) -> None:
    assert sweeper.sweeper_address(ground.treasury) == ground.sweeper
    assert sweeper.runtime_code(ground.treasury) == ground.chain.code_at(ground.sweeper)


def test_the_first_batch_delegates_and_moves_and_a_later_one_only_moves(ground: Field) -> None:
    accounts = ground.accounts(3)
    call = SweepCall(token=ground.token, accounts=targets(accounts))
    before = ground.held(ground.treasury)

    first = ground.sweep(call, *accounts)

    assert ("0x1", 3) == (first["status"], len(first["logs"]))
    assert ground.held(ground.treasury) == before + 3 * UNITS
    code = sweeper.delegation_code(ground.sweeper)
    assert {code} == {ground.chain.code_at(one) for one in call.accounts}
    for one in call.accounts:
        ground.fund("DUSD", one, 7)
    later = ground.sweep(call)
    assert ground.held(ground.treasury) == before + 3 * UNITS + 21
    assert int(later["gasUsed"], 16) < int(first["gasUsed"], 16)


def test_ether_moves_too(ground: Field) -> None:
    accounts = ground.accounts(2)
    for one in targets(accounts):
        ground.fund("ETH", one, ONE)
    before = ground.held(ground.treasury, "ETH")

    receipt = ground.sweep(SweepCall(token=ETHER, accounts=targets(accounts)), *accounts)

    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert ground.held(ground.treasury, "ETH") == before + 2 * ONE - fee
    assert [0, 0] == [ground.held(one, "ETH") for one in targets(accounts)]


def test_one_that_cannot_be_moved_stops_nobody_else(ground: Field) -> None:
    accounts = ground.accounts(3)
    call = SweepCall(token=ground.token, accounts=targets(accounts))

    receipt = ground.sweep(call, accounts[0], accounts[2])  # the second gave no leave

    assert "0x1" == receipt["status"]
    assert [0, UNITS, 0] == [ground.held(one) for one in call.accounts]
    nothing = ground.sweep(SweepCall(token=ANYBODY_BYTES, accounts=call.accounts))
    assert ("0x1", []) == (nothing["status"], nothing["logs"])


def test_a_delegated_address_takes_ether_with_the_gas_of_a_plain_transfer(ground: Field) -> None:
    accounts = ground.accounts(1)
    (target,) = targets(accounts)
    ground.sweep(SweepCall(token=ground.token, accounts=(target,)), *accounts)
    # A contract that passes its value on with no gas but the 2,300 that a value brings.
    passing_on = bytes.fromhex(f"5f5f5f5f3473{target.hex()}5ff16022575f5ffd5b00")
    place = b"\xc0" * 20
    ground.devnet.rpc(ETHEREUM, "anvil_setCode", checksum(place), "0x" + passing_on.hex())

    passed = ground.asked(ANYBODY, place, b"", ONE)

    assert "0x1" == passed["status"]
    assert ground.held(target, "ETH") == ONE


ANYBODY_BYTES = bytes.fromhex(ANYBODY[2:])


def test_a_plain_gather_still_works_after_delegation(ground: Field) -> None:
    accounts = ground.accounts(1)
    (target,) = targets(accounts)
    ground.sweep(SweepCall(token=ground.token, accounts=(target,)), *accounts)
    ground.fund("DUSD", target, 9)
    ground.fund("ETH", target, ONE)
    before = ground.held(ground.treasury)
    tx = UnsignedTx(
        chain_id=31337,
        nonce=ground.chain.nonce(target),
        priority_fee_wei=1,
        max_fee_wei=ground.chain.fees().max_fee_wei,
        gas_limit=100_000,
        to=ground.token,
        value_wei=0,
        data=transfer_calldata(ground.treasury, 9),
    )
    assert tx.nonce == 1  # the authorisation took nonce 0
    made = Account.unsafe_sign_hash(tx.signing_hash, accounts[0].key)

    assert "0x1" == ground.sent(tx.with_signature(bytes(made.signature)).raw)["status"]
    assert ground.held(ground.treasury) == before + 9


def call_of(signature: str, types: Sequence[str], values: Sequence[object]) -> bytes:
    return bytes(keccak(text=signature)[:4] + encode(types, values))


@st.composite
def attacks(draw: st.DrawFn) -> tuple[str, str, str, tuple[bytes, ...], bytes, int]:
    """(caller, called, kind, values, junk, wei): any bytes, and those that look like ours."""
    caller = draw(st.sampled_from(["anybody", "treasury", "sweeper", "deposit"]))
    called = draw(st.sampled_from(["deposit", "sweeper"]))
    kind = draw(st.sampled_from(["junk", "selector", "sweep", "sweep_many", "transfer", "approve"]))
    subjects = st.sampled_from(
        [b"token", b"ether", b"deposit", b"sweeper", b"anybody", b"treasury"]
    )
    values = tuple(draw(st.lists(subjects, min_size=2, max_size=5)))
    wei = draw(st.sampled_from([0, 0, 1, ONE]))
    return caller, called, kind, values, draw(st.binary(max_size=120)), wei


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(attack=attacks())
def test_whoever_calls_with_whatever_only_the_treasury_is_paid(
    ground: Field, attack: tuple[str, str, str, tuple[bytes, ...], bytes, int]
) -> None:
    caller, called, kind, names, junk, wei = attack
    deposit = the_deposit(ground)
    places = {
        "token": ground.token,
        "ether": ETHER,
        "deposit": deposit,
        "sweeper": ground.sweeper,
        "anybody": ANYBODY_BYTES,
        "treasury": ground.treasury,
    }
    values = [checksum(places[name.decode()]) for name in names]
    selectors = [sweeper.SWEEP_MANY, keccak(text="sweep(address)")[:4], keccak(text="TREASURY()")]
    data = {
        "junk": junk,
        "selector": bytes(selectors[len(junk) % 3][:4]) + junk,
        "sweep": call_of("sweep(address)", ["address"], values[:1]),
        "sweep_many": call_of(
            "sweep_many(address,address[])", ["address", "address[]"], [values[0], values[1:]]
        ),
        "transfer": transfer_calldata(ANYBODY_BYTES, 1),
        "approve": call_of("approve(address,uint256)", ["address", "uint256"], [ANYBODY, 2**255]),
    }[kind] + (junk if kind == "sweep" else b"")

    receipt = ground.asked(checksum(places[caller]), places[called], data, wei)

    for log in receipt["logs"]:
        assert keccak(text="Transfer(address,address,uint256)") == bytes.fromhex(
            log["topics"][0][2:]
        )
        assert ground.treasury == bytes.fromhex(log["topics"][2][-40:])
    assert ground.held(ANYBODY_BYTES) == 0
    assert ground.held(deposit) in (0, UNITS)
    if ground.held(deposit) == 0:
        assert (caller, called, kind) == ("treasury", "sweeper", "sweep_many")
        assert len(receipt["logs"]) == 1
    assert sweeper.delegation_code(ground.sweeper) == ground.chain.code_at(deposit)
    assert bytes(32) == ground.chain.storage_at(deposit, 0)
    assert sweeper.runtime_code(ground.treasury) == ground.chain.code_at(ground.sweeper)


_DEPOSITS: list[bytes] = []


def the_deposit(ground: Field) -> bytes:
    """A delegated deposit address that holds tokens; the same one until it was swept."""
    if not _DEPOSITS:
        accounts = ground.accounts(1, 1)
        call = SweepCall(token=ground.token, accounts=targets(accounts))
        assert "0x1" == ground.sweep(call, *accounts)["status"]
        _DEPOSITS.extend(call.accounts)
    (deposit,) = _DEPOSITS
    missing = UNITS - ground.held(deposit)
    if missing:
        ground.fund("DUSD", deposit, missing)
    return deposit


def test_gas_for_each_deposit_beside_the_top_up_way(ground: Field) -> None:
    """In batches of 50: at most 0.6 of the top-up way the first time, and 0.25 after that."""
    accounts = ground.accounts(50)
    call = SweepCall(token=ground.token, accounts=targets(accounts))
    first = int(ground.sweep(call, *accounts)["gasUsed"], 16)
    for one in call.accounts:
        ground.devnet.fund(ETHEREUM, "DUSD", checksum(one), UNITS)
    ground.devnet.mine(ETHEREUM)
    later = int(ground.sweep(call)["gasUsed"], 16)
    top_up = 21_000 + plain_transfer_gas(ground)

    assert first * 10 <= 50 * top_up * 6
    assert later * 100 <= 50 * top_up * 25


def plain_transfer_gas(ground: Field) -> int:
    (one,) = ground.accounts(1)
    target = from_text(one.address)
    ground.fund("ETH", target, ONE)
    tx = UnsignedTx(
        chain_id=31337,
        nonce=0,
        priority_fee_wei=1,
        max_fee_wei=ground.chain.fees().max_fee_wei,
        gas_limit=100_000,
        to=ground.token,
        value_wei=0,
        data=transfer_calldata(ground.treasury, UNITS),
    )
    made = Account.unsafe_sign_hash(tx.signing_hash, one.key)
    receipt = ground.sent(tx.with_signature(bytes(made.signature)).raw)
    return int(receipt["gasUsed"], 16)

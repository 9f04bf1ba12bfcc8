"""The sweeper on a real chain: it gathers, it costs little, and it can do nothing else."""

import json
from collections.abc import Iterator, Sequence
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
from chains.evm.chain import EvmChain
from chains.evm.contracts import build
from chains.evm.erc20 import balance_calldata, transfer_calldata
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.evm.sweeper import ETHER, SweepCall
from chains.evm.transactions import UnsignedTx
from chains.types import Asset
from tests.contracts.build import creation_code
from tests.sweeper_ground import ONE, UNITS, Ground
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM

GWEI = 10**9
ANYBODY = "0x" + "a7" * 20


@pytest.fixture(scope="module")
def ground(devnet: Devnet) -> Iterator[Ground]:
    asset = Asset(
        code="DUSD", network=ETHEREUM, decimals=6, contract=devnet.contracts.tokens["DUSD"]
    )
    chain = EvmChain(BUILTIN[ETHEREUM], EvmNode(devnet.url(ETHEREUM)), [asset])
    yield Ground(devnet, chain)
    chain.close()


def targets(accounts: list[Any]) -> tuple[bytes, ...]:
    return tuple(from_text(one.address) for one in accounts)


@pytest.mark.parametrize("name", build.NAMES)
def test_the_committed_code_is_what_the_compiler_makes(name: str) -> None:
    pytest.importorskip("vyper")
    folder = Path(build.__file__).parent
    committed = json.loads((folder / f"{name}.json").read_text())
    assert committed == build.compile_contract(folder / f"{name}.vy")


def test_the_chain_has_exactly_our_code_where_it_has_to_be(ground: Ground) -> None:
    assert sweeper.sweeper_address(ground.treasury) == ground.sweeper
    assert sweeper.runtime_code(ground.treasury) == ground.chain.code_at(ground.sweeper)


def test_the_first_batch_delegates_and_moves_and_a_later_one_only_moves(ground: Ground) -> None:
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


def test_ether_moves_too(ground: Ground) -> None:
    accounts = ground.accounts(2)
    for one in targets(accounts):
        ground.fund("ETH", one, ONE)
    before = ground.held(ground.treasury, "ETH")

    receipt = ground.sweep(SweepCall(token=ETHER, accounts=targets(accounts)), *accounts)

    fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert ground.held(ground.treasury, "ETH") == before + 2 * ONE - fee
    assert [0, 0] == [ground.held(one, "ETH") for one in targets(accounts)]


def test_one_that_cannot_be_moved_stops_nobody_else(ground: Ground) -> None:
    accounts = ground.accounts(3)
    call = SweepCall(token=ground.token, accounts=targets(accounts))

    receipt = ground.sweep(call, accounts[0], accounts[2])  # the second gave no leave

    assert "0x1" == receipt["status"]
    assert [0, UNITS, 0] == [ground.held(one) for one in call.accounts]
    nothing = ground.sweep(SweepCall(token=ANYBODY_BYTES, accounts=call.accounts))
    assert ("0x1", []) == (nothing["status"], nothing["logs"])


def test_a_delegated_address_takes_ether_with_the_gas_of_a_plain_transfer(ground: Ground) -> None:
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


def test_a_plain_gather_still_works_after_delegation(ground: Ground) -> None:
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
    ground: Ground, attack: tuple[str, str, str, tuple[bytes, ...], bytes, int]
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
        # The treasury through the sweeper; the second is the sweeper's own half of that, which
        # nobody but it can call outside of a test that speaks in its name.
        assert (caller, called, kind) in (
            ("treasury", "sweeper", "sweep_many"),
            ("sweeper", "deposit", "sweep"),
        )
        assert len(receipt["logs"]) == 1
    assert sweeper.delegation_code(ground.sweeper) == ground.chain.code_at(deposit)
    assert bytes(32) == ground.chain.storage_at(deposit, 0)
    assert sweeper.runtime_code(ground.treasury) == ground.chain.code_at(ground.sweeper)


_DEPOSITS: list[bytes] = []


def the_deposit(ground: Ground) -> bytes:
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


def test_gas_for_each_deposit_beside_the_top_up_way(ground: Ground) -> None:
    """In batches of 50: at most 0.6 of the top-up way the first time, and 0.25 after that."""
    accounts = ground.accounts(50)
    call = SweepCall(token=ground.token, accounts=targets(accounts))
    first = int(ground.sweep(call, *accounts)["gasUsed"], 16)
    for one in call.accounts:
        ground.devnet.fund(ETHEREUM, "DUSD", checksum(one), UNITS)
    ground.devnet.mine(ETHEREUM)
    later = int(ground.sweep(call)["gasUsed"], 16)
    top_up = 21_000 + ground.plain_transfer_gas()

    assert first * 10 <= 50 * top_up * 6
    assert later * 100 <= 50 * top_up * 25


MOVED, LEFT = "moved", "left"


@pytest.mark.parametrize(
    ("name", "switch", "outcome"),
    [
        ("NoReturn", "", MOVED),
        ("FalseReturn", "", MOVED),
        ("FalseReturn", "stop(bool)", LEFT),
        ("Pausable", "", MOVED),
        ("Pausable", "pause(bool)", LEFT),
        ("FeeOnTransfer", "", MOVED),
        ("Reentrant", "", MOVED),
        ("RevertOnZero", "", MOVED),
        ("MissingEvents", "", MOVED),
        ("SameEventTwice", "", MOVED),
    ],
)
def test_odd_tokens_are_moved_or_passed_over_and_never_stop_the_batch(
    ground: Ground, name: str, switch: str, outcome: str
) -> None:
    """No answer is as good as true; false and a revert alike leave the address its tokens."""
    token = deployed(ground, name)
    accounts = ground.accounts(2)
    call = SweepCall(token=token, accounts=targets(accounts))
    for one in call.accounts:
        ground.asked(ANYBODY, token, transfer_calldata(one, UNITS))
    put = [units_of(ground, token, one) for one in call.accounts]
    assert all(put)
    if switch:
        ground.asked(ANYBODY, token, call_of(switch, ["bool"], [True]))

    receipt = ground.sweep(call, *accounts)

    assert "0x1" == receipt["status"]
    left = [units_of(ground, token, one) for one in call.accounts]
    assert left == ([0, 0] if outcome is MOVED else put)
    assert bool(units_of(ground, token, ground.treasury)) is (outcome is MOVED)


def deployed(ground: Ground, name: str) -> bytes:
    """An odd token whose whole supply anybody has."""
    made = creation_code(name) + encode(["uint8", "address", "uint256"], [6, ANYBODY, 10**15])
    sender: Any = ground.devnet.rpc(ETHEREUM, "eth_accounts")
    request = {"from": sender[0], "data": "0x" + made.hex()}
    txid = ground.devnet.rpc(ETHEREUM, "eth_sendTransaction", request)
    ground.devnet.mine(ETHEREUM)
    receipt: Any = ground.devnet.rpc(ETHEREUM, "eth_getTransactionReceipt", txid)
    return bytes.fromhex(receipt["contractAddress"][2:])


def units_of(ground: Ground, token: bytes, holder: bytes) -> int:
    return int.from_bytes(ground.chain.call(token, balance_calldata(holder)), "big")

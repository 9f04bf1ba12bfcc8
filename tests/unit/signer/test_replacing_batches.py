"""A batch by the sweeper is signed again only as it was, at higher fees, from the signer's log."""

from typing import Any

import pytest

from chains.evm.accounts import FixedAddress, KeyAccount
from chains.evm.addresses import checksum
from chains.evm.sweeper import ETHER, SweepCall, sweeper_address
from chains.evm.transactions import UnsignedTx
from signer.home import Home
from signer.protocol import Kind, OwnOutput, Purpose, SignRequest
from tests.signer_world import CONFIG, ETH, NOW_S, POLICY, World, a_request, an_intent
from tests.unit.signer.test_replacing import asked

GWEI = 10**9


def sweeping_home(home: Home) -> Home:
    """The home, which knows its sweeper from now on."""
    lines = f"""gas_limit_max = 500000
sweeper = "{checksum(sweeper_address(treasury(home).address))}"
batch_gas_limit_max = 2000000
"""
    config = CONFIG.replace("gas_limit_max = 500000\n", lines)
    home.configure(config.encode(), POLICY.encode(), NOW_S)
    return home


@pytest.fixture
def sweeping(hot: Home) -> Home:
    return sweeping_home(hot)


def treasury(home: Home) -> FixedAddress:
    vault = home.vaults["ethereum-hot"].vault
    assert isinstance(vault, FixedAddress)
    return vault


def deposit(home: Home, index: int) -> OwnOutput:
    vault = home.vaults["ethereum-deposit"].vault
    assert isinstance(vault, KeyAccount)
    return OwnOutput(
        address=vault.address_text(index), source="ethereum-deposit", branch=0, index=index
    )


def batch(home: Home, name: str, *indexes: int, intent: str = "g1", **changes: Any) -> SignRequest:
    """A batch of ether from these deposit addresses, of one and the same intent."""
    emptied = tuple(deposit(home, index) for index in indexes)
    accounts = tuple(bytes.fromhex(one.address[2:]) for one in emptied)
    data = SweepCall(token=ETHER, accounts=accounts).encode()
    fields = {"nonce": 4, "max_fee_wei": 30 * GWEI, "gas_limit": 300_000, **changes}
    tx = UnsignedTx(
        chain_id=31337,
        priority_fee_wei=GWEI,
        to=sweeper_address(treasury(home).address),
        value_wei=0,
        data=data,
        **fields,
    )
    act = an_intent(
        intent,
        network=ETH,
        asset="ETH",
        source="ethereum-hot",
        purpose=Purpose.GATHER,
        payees=(),
        call=data,
        fee_units_max=2 * 10**16,
    )
    sender = OwnOutput(
        address=treasury(home).address_text(0), source="ethereum-hot", branch=0, index=0
    )
    return a_request(
        tx.encode(),
        act,
        request_id=name,
        network=ETH,
        source="ethereum-hot",
        kind=Kind.EVM_BATCH,
        sender=sender,
        own=emptied,
    )


def test_the_same_batch_is_signed_again_at_a_higher_fee(sweeping: Home) -> None:
    assert "signed" == asked(sweeping, batch(sweeping, "first", 0, 1))
    assert "signed" == asked(sweeping, batch(sweeping, "second", 0, 1, max_fee_wei=33 * GWEI))


@pytest.mark.parametrize(
    ("indexes", "changes", "code"),
    [
        ((0, 1), {"max_fee_wei": 30 * GWEI}, "nonce.replacement_fee"),
        ((0, 1), {"max_fee_wei": 40 * GWEI, "gas_limit": 299_000}, "nonce.used"),
        ((0, 1), {"max_fee_wei": 40 * GWEI, "nonce": 5}, "replacement.no_conflict"),
        ((0, 2), {"max_fee_wei": 40 * GWEI}, "intent.already_signed"),
    ],
)
def test_anything_else_of_the_same_intent_is_refused(
    sweeping: Home, indexes: tuple[int, ...], changes: dict[str, Any], code: str
) -> None:
    asked(sweeping, batch(sweeping, "first", 0, 1))
    asked(sweeping, batch(sweeping, "second", 0, 1, max_fee_wei=31 * GWEI))

    assert code == asked(sweeping, batch(sweeping, "third", *indexes, **changes))


def test_another_intent_does_not_take_the_nonce_for_other_addresses(sweeping: Home) -> None:
    asked(sweeping, batch(sweeping, "first", 0, 1))
    other = batch(sweeping, "second", 0, 2, intent="g2", max_fee_wei=40 * GWEI)

    assert "nonce.used" == asked(sweeping, other)


def test_a_restarted_signer_knows_from_its_log_what_may_be_replaced(world: World) -> None:
    home = sweeping_home(world.open("hot"))
    assert "signed" == asked(home, batch(home, "first", 0, 1))
    home.close()
    home = world.open("hot")
    try:
        raised: dict[str, Any] = {"max_fee_wei": 33 * GWEI}
        assert "nonce.used" == asked(home, batch(home, "second", 0, 2, intent="g2", **raised))
        assert "signed" == asked(home, batch(home, "third", 0, 1, **raised))
    finally:
        home.close()

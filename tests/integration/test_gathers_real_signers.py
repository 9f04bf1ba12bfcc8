"""Batches signed by two real signer processes: one gives leave for its addresses, one sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chains.evm.accounts import FixedAddress
from chains.evm.addresses import checksum
from chains.evm.sweeper import sweeper_address
from chains.vaults import Vault
from signer.keystore import PassphraseKek
from signer.protocol import Kind, public_key_of
from tests import evm_world, signer_world
from tests.fakes import START_TIME_S
from tests.integration.test_gathers_batches import gather, more, of_kind, users
from tests.integration.test_payments_real_signers import PASSPHRASE, Signers, make_homes, opened
from tests.payments_world import COORDINATOR, ETH, Keep, World, make_signers
from tests.sweeping_chain import sweeping_keep
from wallet.ledger import chart
from wallet.payments.states import PaymentStatus as P
from wallet.signing.hot import HotSigner
from wallet.store.database import Database

ETHER = 10**18
UNITS = 9_000_000


def hot_of(vaults: dict[str, Vault]) -> bytes:
    vault = vaults["ethereum-hot"]
    assert isinstance(vault, FixedAddress)
    return vault.address


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    made = make_homes(tmp_path_factory.mktemp("homes"))
    sweeper = checksum(sweeper_address(hot_of(made.vaults)))
    contract = checksum(evm_world.DUSD)
    lines = f"""gas_limit_max = 500000
sweeper = "{sweeper}"
batch_gas_limit_max = 2000000
tokens = [{{ code = "DUSD", contract = "{contract}", decimals = 6, symbol = "DUSD" }}]
"""
    config = signer_world.CONFIG.replace("gas_limit_max = 500000\n", lines)
    config = config.replace(
        public_key_of(signer_world.COORDINATOR).hex(), COORDINATOR.public_key.hex()
    )
    policy = (
        signer_world.POLICY
        + f"""
[[payments]]
network = "{ETH}"
asset = "DUSD"
purposes = ["gather"]
order_units_max = 1
tx_units_max = 1
tiers = [{{ from_units = 0, approvals = 0 }}]
"""
    )
    for name in ("hot-a", "hot-b"):
        home = opened(made.root / name, PassphraseKek(PASSPHRASE))
        home.configure(config.encode(), policy.encode(), START_TIME_S)
        home.close()
    return made


@pytest.fixture
def world(tmp_path: Path, signers: Signers) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    keep: Keep = sweeping_keep()
    treasury = hot_of(signers.vaults)
    keep.eth.history.contracts.sweepers[sweeper_address(treasury)] = treasury
    make_signers(keep)
    doors: dict[str, HotSigner] = signers.start()
    yield World(
        database,
        keep,
        vaults=signers.vaults,
        doors=doors,
        sweeper=checksum(sweeper_address(treasury)),
    )
    for door in doors.values():
        door.close()
    database.close()


def test_real_signers_give_leave_and_send_batches(world: World) -> None:
    world.fund_hot_gas(ETHER)
    addresses = users(world, 3)

    gather(world)

    assert [P.COMPLETED] == of_kind(world, Kind.EVM_BATCH)
    assert [P.COMPLETED] * 3 == of_kind(world, Kind.EVM_AUTH)
    more(world, addresses)
    gather(world)
    assert [P.COMPLETED] * 2 == of_kind(world, Kind.EVM_BATCH)
    assert world.books(chart.HOT, "DUSD") == 6 * UNITS
    world.check_books()

"""Payments signed by two real `glaytos-signer serve-stdio` processes, over fake chains."""

import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.utxo.descriptors import Template, multisig_descriptor
from chains.utxo.params import BUILTIN
from chains.utxo.second_parser import SecondParser
from chains.vaults import Vault, load_vault
from signer.founding import create
from signer.guards.facts import Role
from signer.home import Home
from signer.keystore import PassphraseKek
from signer.protocol import public_key_of
from tests import evm_world, signer_world
from tests.fakes import START_TIME_S
from tests.payments_world import (
    BTC,
    COORDINATOR,
    CUSTOMER,
    ETH,
    VAULTS,
    Keep,
    World,
    make_signers,
    outside_address,
)
from wallet.ledger import chart
from wallet.signing.errors import SignerSilent
from wallet.signing.hot import HotSigner
from wallet.signing.ports import CheckedAnswer
from wallet.store.database import Database
from wallet.withdrawals.states import WithdrawalStatus as W

PASSPHRASE = b"an unattended passphrase"
COMMAND = (
    "import signer.__main__ as command, signer.cli.terminal as terminal; "
    "terminal.now_s = lambda: {now_s}; command.main()"
)


@dataclass
class Signers:
    """Two unattended homes and the vaults they hold keys of."""

    root: Path
    vaults: dict[str, Vault]
    identities: dict[str, bytes]

    def start(self) -> dict[str, HotSigner]:
        """Both as child processes; each starts with its first question."""
        return {
            name: HotSigner(
                signer_id=name,
                command=[
                    sys.executable,
                    "-c",
                    COMMAND.format(now_s=START_TIME_S),
                    "serve-stdio",
                    "--home",
                    str(self.root / name),
                    "--passphrase-file",
                    str(self.root / "passphrase"),
                ],
                public_key=identity,
            )
            for name, identity in self.identities.items()
        }


def make_homes(root: Path) -> Signers:
    """hot-a: a BTC key and the ETH hot key; hot-b: a BTC key and the deposit account."""
    kek = PassphraseKek(PASSPHRASE)
    (root / "passphrase").write_bytes(PASSPHRASE)
    for name in ("hot-a", "hot-b"):
        create(root / name, name, kek, signer_world.drip(name), START_TIME_S)
    first, second = opened(root / "hot-a", kek), opened(root / "hot-b", kek)
    files = vault_files(first, second)
    for home in (first, second):
        config = signer_world.CONFIG.replace(
            public_key_of(signer_world.COORDINATOR).hex(),
            COORDINATOR.public_key.hex(),
        )
        home.configure(config.encode(), signer_world.POLICY.encode(), START_TIME_S)
        for name, text in files.items():
            role = Role.DEPOSIT if name.endswith("deposit") else Role.HOT
            home.register(text.encode(), role, START_TIME_S)
    identities = {"hot-a": first.state.identity, "hot-b": second.state.identity}
    first.close()
    second.close()
    vaults = VAULTS | {name: load_vault(tomllib.loads(text)) for name, text in files.items()}
    return Signers(root, vaults, identities)


def opened(folder: Path, kek: PassphraseKek) -> Home:
    home = Home(folder)
    home.unlock(kek)
    return home


def vault_files(first: Home, second: Home) -> dict[str, str]:
    path, version = signer_world.MULTISIG_BTC, BUILTIN[BTC].xpub_version
    keys = [signer_world.account(home, BTC, path) for home in (first, second)]
    keys.append(signer_world.origin(signer_world.SOFT["third"], path, version))
    text = multisig_descriptor(Template.WSH_MULTI, 2, keys)
    hot = signer_world.account(first, ETH, signer_world.EVM_HOT)
    address = checksum(address_of_key(hot.key.child(0).child_key(0)))
    deposit = signer_world.account(second, ETH, signer_world.EVM_DEPOSIT)
    head = f'network = "{ETH}"\n'
    return {
        "bitcoin-hot": f'name = "bitcoin-hot"\nnetwork = "{BTC}"\nkind = "descriptor"\n'
        f'descriptor = "{text}"\n',
        "ethereum-hot": f'name = "ethereum-hot"\n{head}kind = "address"\n'
        f'key = "{hot.text}"\naddress = "{address}"\n',
        "ethereum-deposit": f'name = "ethereum-deposit"\n{head}kind = "keys"\n'
        f'key = "{deposit.text}"\n',
    }


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return make_homes(tmp_path_factory.mktemp("homes"))


@pytest.fixture
def doors(signers: Signers) -> Iterator[dict[str, HotSigner]]:
    started = signers.start()
    yield started
    for door in started.values():
        door.close()


@pytest.fixture
def world(tmp_path: Path, signers: Signers, doors: dict[str, HotSigner]) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    keep = Keep()
    keep.ids.prefix = tmp_path.name[-20:]  # the homes outlive one test: no id may come again
    make_signers(keep)
    keep.second_parser = SecondParser(tmp_path / "bitcoinlib")  # type: ignore[assignment]
    yield World(database, keep, vaults=signers.vaults, doors=doors)
    database.close()


def test_two_processes_sign_a_batch_that_a_second_parser_agrees_with(world: World) -> None:
    user = world.account("alice")
    world.deposit(user, "BTC", 3_000_000)
    world.deposit(user, "BTC", 2_000_000)
    asked = [
        world.withdraw(user, "BTC", outside_address(i), 900_000 + i, f"w-{i}") for i in range(4)
    ]
    world.settle()
    assert {world.read(w.id).status for w in asked} == {W.COMPLETED}
    assert len(world.keep.btc.sent) == 1
    world.check_books()


def test_ether_is_gathered_and_paid_out(world: World) -> None:
    world.fund_hot_gas(10**17)
    user = world.account("bob")
    world.deposit(user, "ETH", 10**18)
    asked = world.withdraw(user, "ETH", CUSTOMER, 5 * 10**17, "e-1")
    for _ in range(4):
        world.scan()
        world.gatherer.run(ETH)
        world.desk.run(ETH)
        world.keep.eth.mine()
    world.settle()
    assert world.read(asked.id).status is W.COMPLETED
    assert world.keep.eth.held(evm_world.CUSTOMER, "ETH") == 5 * 10**17
    assert world.books(chart.DEPOSIT, "ETH") == 0
    world.check_books()


def test_an_answer_lost_between_the_processes_is_recalled(
    world: World, doors: dict[str, HotSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.account("carol")
    world.deposit(user, "BTC", 1_000_000)
    asked = world.withdraw(user, "BTC", outside_address(1), 100_000, "w-1")
    door = doors["hot-a"]
    taken: list[bytes] = []
    real = door._pipe.ask

    def cut(frame: bytes, timeout_s: int) -> bytes:
        answer = real(frame, timeout_s)
        if not taken:
            taken.append(answer)
            door._pipe.close()
            raise SignerSilent("the pipe broke")
        return answer

    monkeypatch.setattr(door._pipe, "ask", cut)
    world.settle()
    assert world.read(asked.id).status is W.COMPLETED
    payment_id = world.read(asked.id).payment_id
    assert payment_id is not None
    payment = world.desk.get(payment_id)
    recalled = door.recall(payment.sealed)
    assert isinstance(recalled, CheckedAnswer)
    assert recalled.data in taken[0]  # the very answer that was lost, not another one


def test_the_signers_own_policy_holds_whatever_the_service_allows(world: World) -> None:
    """Four times 1.9 BTC is fine with the service; the signers let 6 BTC go in an hour."""
    user = world.account("dave")
    for _ in range(4):
        world.deposit(user, "BTC", 200_000_000)
    asked = [
        world.withdraw(user, "BTC", outside_address(i), 190_000_000, f"big-{i}") for i in range(4)
    ]
    world.settle(8)
    found = [(w.status, w.sub_status) for w in (world.read(a.id) for a in asked)]
    assert found == [(W.COMPLETED, "")] * 3 + [(W.BLOCKED, "refused:policy.denied")]
    world.check_books()

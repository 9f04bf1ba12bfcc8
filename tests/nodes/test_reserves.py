"""Reserves on real chains: bcoin and anvil, two signer processes, a Safe that answers itself."""

import json
import os
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select

from chains.evm.accounts import address_of_key, first_public_key
from chains.evm.addresses import checksum
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN as EVM
from chains.hd import HARDENED
from chains.types import Asset
from chains.utxo.chain import UtxoChain
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.vaults import Vault, load_vault
from signer.guards.facts import Role
from signer.keystore import PassphraseKek
from tests import signer_world
from tests.fakes import START_TIME_S
from tests.integration.test_payments_real_signers import PASSPHRASE, Signers, make_homes, opened
from tests.payments_world import BTC, ETH, Keep, World, make_signers
from wallet.addresses.issuing import Purpose
from wallet.deposits.rules import DepositRules
from wallet.deposits.watcher import Watcher
from wallet.devnet.devnet import Devnet
from wallet.ledger import chart
from wallet.ledger.balances import balance
from wallet.milestones import pass_by
from wallet.reserves.context import ReservesContext
from wallet.reserves.owed.proving import proof_json
from wallet.reserves.preparing import prepare
from wallet.reserves.publication import Publication
from wallet.reserves.publishing import publish
from wallet.reserves.signing import Signing
from wallet.reserves.verifier.__main__ import main
from wallet.reserves.verifier.checking import Report, check_package
from wallet.reserves.verifier.nodes import check_on_chain
from wallet.reserves.verifier.package import Package, read_package
from wallet.reserves.verifier.statement import AccountClaim, CoinsClaim, Network
from wallet.settings import SignerSettings
from wallet.signing.hot import HotSigner
from wallet.store.database import Database
from wallet.store.schema import addresses

ETHER, COIN = 10**18, 100_000_000
OWNER_PATH = (44 + HARDENED, 60 + HARDENED, 3 + HARDENED)
SOURCES = {
    "hot-a": ("bitcoin-hot", "ethereum-hot", "ethereum-cold"),
    "hot-b": ("bitcoin-hot", "ethereum-deposit", "ethereum-cold"),
}


def add_safe(signers: Signers, devnet: Devnet) -> None:
    """A real Safe of two owners, each signer's key one of them, registered in both."""
    kek = PassphraseKek(PASSPHRASE)
    homes = [opened(signers.root / name, kek) for name in ("hot-a", "hot-b")]
    keys = [signer_world.account(home, ETH, OWNER_PATH) for home in homes]
    owners = [checksum(address_of_key(first_public_key(key))) for key in keys]
    text = (
        f'name = "ethereum-cold"\nnetwork = "{ETH}"\nkind = "safe"\n'
        f'address = "{devnet.deploy_safe(owners, 2)}"\nchain_id = 31337\nversion = "1.4.1"\n'
        f'singleton = "{devnet.contracts.safe_singleton}"\nthreshold = 2\n'
        f"owners = {json.dumps(owners)}\nkeys = {json.dumps([key.text for key in keys])}\n"
    )
    for home in homes:
        home.register(text.encode(), Role.COLD, START_TIME_S)
        home.close()
    signers.vaults["ethereum-cold"] = load_vault(tomllib.loads(text))


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory, devnet: Devnet) -> Signers:
    made = make_homes(tmp_path_factory.mktemp("homes"))
    add_safe(made, devnet)
    return made


@pytest.fixture(scope="module")
def doors(signers: Signers) -> Iterator[dict[str, HotSigner]]:
    started = signers.start()
    yield started
    for door in started.values():
        door.close()


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory,
    devnet: Devnet,
    signers: Signers,
    doors: dict[str, HotSigner],
) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('db') / 'wallet.sqlite'}")
    database.migrate()

    def watched() -> list[bytes]:
        with database.read() as tx:
            return [bytes(row.target) for row in tx.execute(select(addresses.c.target))]

    dusd = Asset(code="DUSD", network=ETH, decimals=6, contract=devnet.contracts.tokens["DUSD"])
    btc = UtxoChain(BUILTIN[BTC], UtxoNode(devnet.url(BTC)), feerate_min=1_000)
    eth = EvmChain(EVM[ETH], EvmNode(devnet.url(ETH)), [dusd], watched)
    keep = Keep(btc=btc, eth=eth)  # type: ignore[arg-type]
    make_signers(keep)
    vaults: dict[str, Vault] = signers.vaults
    world = World(database, keep, vaults=vaults, doors=doors)
    for code in ("DUSD",):
        world.assets[code] = replace(world.assets[code], contract=dusd.contract)
    world.watchers = {
        name: Watcher(
            chain,
            database,
            {a.code: DepositRules(asset=a) for a in world.assets.values() if a.network == name},
            chain.tip().height,
            keep.clock,
            pass_by,
        )
        for name, chain in world.chains.items()
    }
    world.scan()
    yield world
    btc.close()
    eth.close()
    database.close()


@pytest.fixture(scope="module")
def alice(world: World, devnet: Devnet) -> str:
    """A user with coins, ether and tokens; the house has a Safe and ether for gas."""
    user = world.account("alice")
    coins, ether = world.address(user, BTC), world.address(user, ETH)
    hot = world.own_address(ETH, "ethereum-hot", Purpose.HOT)
    safe = world.own_address(ETH, "ethereum-cold", Purpose.COLD)
    world.scan()
    devnet.fund_script(BTC, coins.target, COIN)
    devnet.fund_script(BTC, coins.target, 5)
    devnet.fund(ETH, "ETH", ether.address, ETHER)
    devnet.fund(ETH, "DUSD", ether.address, 2_500_000)
    devnet.fund(ETH, "ETH", hot.address, ETHER // 10)
    devnet.fund(ETH, "ETH", safe.address, 3 * ETHER)
    for _ in range(3):
        for network in (BTC, ETH):
            devnet.mine(network)
        world.scan()
    with world.database.read() as tx:
        owed = {code: balance(tx, chart.user(user), code).net for code in ("BTC", "ETH", "DUSD")}
    assert {"BTC": COIN + 5, "ETH": ETHER, "DUSD": 2_500_000} == owed
    return user


@pytest.fixture(scope="module")
def published(
    world: World, alice: str, signers: Signers, tmp_path_factory: pytest.TempPathFactory
) -> Publication:
    paying = world.context
    context = ReservesContext(
        database=world.database,
        clock=paying.clock,
        new_id=paying.new_id,
        random=os.urandom,
        coordinator=paying.coordinator,
        chains=paying.chains,
        chain_ids={BTC: None, ETH: 31337},
        vaults=paying.vaults,
        signers={
            name: SignerSettings(
                id=name,
                command=("signer",),
                public_key=signers.identities[name].hex(),
                sources=sources,
            )
            for name, sources in SOURCES.items()
        },
        doors=paying.doors,
    )
    folder = tmp_path_factory.mktemp("reserves") / "first"
    publication = prepare(context, folder, operator="Test exchange")
    assert [] == Signing(context, publication).sign()
    publish(context, publication)
    return publication


def test_the_package_holds_against_the_chains_themselves(
    published: Publication, alice: str, devnet: Devnet, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = [f"--node={network}={devnet.url(network)}" for network in (BTC, ETH)]
    assert 0 == main(["check", str(published.package), "--json", *nodes])
    told = json.loads(capsys.readouterr().out)

    assert {"BTC": str(COIN + 5), "ETH": str(ETHER), "DUSD": "2500000"} == told["owed"]
    held = told["held"]
    assert (str(COIN + 5), "2500000") == (held["BTC"], held["DUSD"])
    assert int(held["ETH"]) == ETHER + ETHER // 10 + 3 * ETHER
    assert {BTC: True, ETH: True} == {name: one["seen"] for name, one in told["blocks"].items()}
    proof = published.folder / "alice.json"
    proof.write_text(json.dumps(proof_json(alice, published.digest, published.trees())))
    assert 0 == main(["me", str(published.package), str(proof), "--account", alice])


def codes(
    published: Publication,
    devnet: Devnet,
    network: str,
    change: Callable[[Report], None],
    url: str = "",
    package: Package | None = None,
) -> list[str]:
    read = package or read_package(published.package)
    report = check_package(read)
    change(report)
    check_on_chain(report, network, url or devnet.url(network), read.proofs)
    return [failed.code for failed in report.failures]


def with_network(report: Report, name: str, **changes: object) -> None:
    networks = dict(report.statement.networks)
    networks[name] = replace(networks[name], **changes)  # type: ignore[arg-type]
    report.statement = replace(report.statement, networks=networks)


def with_coin(report: Report, **changes: object) -> None:
    claims = [
        replace(one, coins=(replace(one.coins[0], **changes), *one.coins[1:]))  # type: ignore[arg-type]
        if isinstance(one, CoinsClaim)
        else one
        for one in report.statement.claims
    ]
    report.statement = replace(report.statement, claims=tuple(claims))


def with_units(report: Report, asset: str) -> None:
    claims = [
        replace(
            one,
            holds=tuple(
                replace(held, units=held.units + (held.asset == asset)) for held in one.holds
            ),
        )
        if isinstance(one, AccountClaim)
        else one
        for one in report.statement.claims
    ]
    report.statement = replace(report.statement, claims=tuple(claims))


def nothing(_report: Report) -> None:
    """Everything as it was published."""


def test_what_the_chain_does_not_show_is_named(published: Publication, devnet: Devnet) -> None:
    def code(network: str, change: Callable[[Report], None]) -> list[str]:
        return codes(published, devnet, network, change)

    assert [] == code(BTC, nothing) == code(ETH, nothing)
    assert ["node.block"] == code(BTC, lambda r: with_network(r, BTC, block_hash=bytes(32)))
    assert ["node.block"] == code(ETH, lambda r: with_network(r, ETH, block_hash=bytes(32)))
    assert ["node.chain"] == code(ETH, lambda r: with_network(r, ETH, chain_id=1))
    assert ["node.coin"] == code(BTC, lambda r: with_coin(r, vout=77))
    assert ["node.amount"] == code(BTC, lambda r: with_coin(r, units=6))
    assert ["node.amount"] == code(BTC, lambda r: with_coin(r, script=b"\x51"))
    assert ["node.balance"] == code(ETH, lambda r: with_units(r, "ETH"))
    assert ["node.balance"] == code(ETH, lambda r: with_units(r, "DUSD"))


def test_a_coin_that_came_later_is_named(published: Publication, devnet: Devnet) -> None:
    def earlier(report: Report) -> None:
        at: Network = report.statement.networks[BTC]
        height = at.height - 3
        found = str(devnet.rpc(BTC, "getblockhash", height))
        with_network(report, BTC, height=height, block_hash=bytes.fromhex(found))

    assert ["node.late"] == codes(published, devnet, BTC, earlier)


def test_a_safe_says_itself_that_its_owners_did_not_sign(
    published: Publication, devnet: Devnet
) -> None:
    read = read_package(published.package)
    proofs = tuple({"safe": "11" * 130} if "safe" in proof else proof for proof in read.proofs)
    spoiled = Package(read.statement, read.digest, proofs)
    found = codes(published, devnet, ETH, nothing, package=spoiled)
    assert ["safe.signature", "node.safe"] == found


def with_accounts(report: Report, change: Callable[[AccountClaim], AccountClaim]) -> None:
    claims = [
        change(one) if isinstance(one, AccountClaim) else one for one in report.statement.claims
    ]
    report.statement = replace(report.statement, claims=tuple(claims))


def test_what_is_no_contract_says_nothing(published: Publication, devnet: Devnet) -> None:
    """No Safe and no token at the address: the chain answers with nothing, which is no yes."""

    def elsewhere(one: AccountClaim) -> AccountClaim:
        return replace(one, address=b"\x09" * 20, holds=()) if one.owners else one

    def no_token(one: AccountClaim) -> AccountClaim:
        holds = [replace(h, contract=b"\x09" * 20) if h.contract else h for h in one.holds]
        return replace(one, holds=tuple(holds))

    assert ["node.safe"] == codes(published, devnet, ETH, lambda r: with_accounts(r, elsewhere))
    assert ["node.silent"] == codes(published, devnet, ETH, lambda r: with_accounts(r, no_token))


def test_a_node_that_is_not_there_shows_nothing(published: Publication, devnet: Devnet) -> None:
    def code(url: str, network: str = BTC) -> list[str]:
        return codes(published, devnet, network, nothing, url=url)

    assert ["node.url"] == code("ftp://127.0.0.1")
    assert ["node.silent"] == code("http://127.0.0.1:1")
    assert ["node.silent"] == code(devnet.url(ETH))
    assert ["node.network"] == code(devnet.url(BTC), network="dogecoin")

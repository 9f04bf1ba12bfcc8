"""Deposits followed on real nodes: seen waiting, replaced, and through deep reorganisations."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from eth_account import Account
from sqlalchemy import insert, select

from chains.evm.addresses import checksum, from_text
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN as EVM
from chains.ports import MempoolSight
from chains.types import OutPoint
from chains.utxo import scripts
from chains.utxo.chain import UtxoChain
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import CHANGE, RECEIVE, Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN as UTXO
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.selection import Market, plan_spend
from chains.utxo.transactions import Transaction
from tests.conftest import skip_or_fail
from tests.nodes.test_evm_chain import ETHER, a_person, payment, signed_by
from tests.nodes.test_utxo_chains import NODES
from tests.utxo_world import sign_all, vault
from wallet import pauses
from wallet.clock import SystemClock
from wallet.deposits.mempool import MempoolWatcher
from wallet.deposits.rules import DepositRules
from wallet.deposits.scanned.proving import prove_coverage
from wallet.deposits.watcher import Seen, Watcher
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.events import read_events
from wallet.ledger import chart
from wallet.ledger.posting import balance
from wallet.milestones import pass_by
from wallet.settings import AssetSettings, ConfirmationTier
from wallet.store.database import Database
from wallet.store.schema import accounts, addresses, deposits

USER = "user-1"
UNIT = 100_000_000
DEPTH = 10


@dataclass
class Followed:
    """A node, one watched target on it, and both watchers."""

    devnet: Devnet
    node: str
    chain: UtxoChain | EvmChain
    database: Database
    asset: str
    watcher: Watcher
    mempool: MempoolWatcher

    def mine(self, count: int = 1) -> None:
        self.devnet.mine(self.node, count)
        self.follow()

    def follow(self) -> None:
        while self.watcher.step().seen is not Seen.SAME:
            pass
        self.mempool.step()

    def states(self) -> list[tuple[str, str]]:
        with self.database.read() as tx:
            found = tx.execute(select(deposits).order_by(deposits.c.units))
            return [(row.status, row.sub_status) for row in found]

    def owned(self) -> int:
        with self.database.read() as tx:
            return balance(tx, chart.user(USER), self.asset).net

    def event_types(self) -> list[str]:
        with self.database.read() as tx:
            return [event.type for event in read_events(tx, 0, 1000)]


def followed(
    devnet: Devnet, node: str, chain: UtxoChain | EvmChain, target: bytes, folder: Path
) -> Followed:
    database = Database.open(f"sqlite:///{folder / 'w.sqlite'}")
    database.migrate()
    with database.write() as tx:
        tx.execute(insert(accounts).values(id=USER, external_id="u", created_s=0))
        tx.execute(
            insert(addresses).values(
                id="address-1",
                account_id=USER,
                network=chain.network,
                source="hot",
                branch=0,
                position=0,
                purpose="deposit",
                address="address",
                target=target,
                created_s=0,
            )
        )
    native = chain.assets[0]
    two = (ConfirmationTier(from_units=0, confirmations=2),)
    asset = AssetSettings(
        code=native.code, network=chain.network, decimals=native.decimals, confirmations=two
    )
    rules, clock = {native.code: DepositRules(asset=asset)}, SystemClock()
    start = chain.tip().height
    watcher = Watcher(chain, database, rules, start, clock, pass_by)
    mempool = MempoolWatcher(chain, chain, database, rules, clock, 3600)
    made = Followed(devnet, node, chain, database, native.code, watcher, mempool)
    made.follow()
    return made


@pytest.fixture(params=NODES)
def outputs(request: pytest.FixtureRequest, devnet: Devnet, tmp_path: Path) -> Iterator[Followed]:
    node = str(request.param)
    if node not in devnet.networks:
        skip_or_fail(f"no node for {node} on this machine")
    params = UTXO["bitcoin-regtest" if node.startswith("bitcoin") else "litecoin-regtest"]
    chain = UtxoChain(params, UtxoNode(devnet.url(node)), feerate_min=1_000)
    script = scripts.p2wpkh(bytes(Account.create().key[:20]))
    made = followed(devnet, node, chain, script, tmp_path)
    yield made
    made.database.close()
    chain.close()


@pytest.fixture
def ether(devnet: Devnet, tmp_path: Path) -> Iterator[Followed]:
    chain = EvmChain(EVM[ETHEREUM], EvmNode(devnet.url(ETHEREUM)))
    made = followed(devnet, ETHEREUM, chain, from_text(a_person()[1]), tmp_path)
    yield made
    made.database.close()
    chain.close()


def script_of(made: Followed) -> bytes:
    with made.database.read() as tx:
        return bytes(tx.execute(select(addresses.c.target)).scalar_one())


def fund(made: Followed, units: int) -> str:
    if isinstance(made.chain, EvmChain):
        return made.devnet.fund(made.node, "ETH", "0x" + script_of(made).hex(), units)
    return made.devnet.fund_script(made.node, script_of(made), units)


def check_seen_then_credited(made: Followed) -> None:
    assert isinstance(made.chain, MempoolSight)
    fund(made, UNIT)
    made.mempool.step()
    assert made.states() == [("seen", "")]
    assert made.owned() == 0
    made.mine()
    assert made.states() == [("confirming", "")]
    made.mine()
    assert made.states() == [("credited", "")]
    assert made.owned() == UNIT


def check_deep_reorg(made: Followed) -> None:
    """A credit taken back by a deep reorganisation, withdrawals paused, and credited again."""
    lost = fund(made, UNIT)
    kept = fund(made, 2 * UNIT)
    made.mine(DEPTH)
    assert made.owned() == 3 * UNIT
    assert lost != kept
    made.devnet.reorg(made.node, DEPTH, [lost])
    made.follow()
    made.mine(2)
    assert made.owned() == 2 * UNIT
    assert made.event_types().count("chain.reorganised") == 1
    assert made.event_types().count("deposit.reversed") == 2
    with made.database.read() as tx:
        assert len(pauses.holding(tx, made.chain.network, made.asset)) == 1
    rules = {made.asset: made.watcher._rules[made.asset].asset}
    assert prove_coverage(made.database, made.chain, rules, 0).gaps[0].code == "start_not_covered"
    start = made.watcher._start_height
    assert prove_coverage(made.database, made.chain, rules, start).is_proven


def test_a_deposit_is_seen_in_the_mempool_and_credited_from_its_blocks(outputs: Followed) -> None:
    check_seen_then_credited(outputs)


def test_ether_is_seen_in_the_pool_and_credited_from_its_blocks(ether: Followed) -> None:
    check_seen_then_credited(ether)


def test_a_deep_reorg_of_outputs_reverses_pauses_and_credits_again(outputs: Followed) -> None:
    check_deep_reorg(outputs)


def test_a_deep_reorg_of_ether_reverses_pauses_and_credits_again(ether: Followed) -> None:
    check_deep_reorg(ether)


def test_an_evm_transaction_replaced_at_its_nonce_is_told(ether: Followed) -> None:
    chain = ether.chain
    assert isinstance(chain, EvmChain)
    key, sender = a_person()
    ether.devnet.fund(ETHEREUM, "ETH", sender, ETHER)
    ether.mine()
    first = payment(chain, sender, checksum(script_of(ether)), 1_000)
    chain.broadcast(signed_by(key, first).raw)
    ether.mempool.step()
    assert ether.states() == [("seen", "")]
    fees = chain.fees()
    second = payment(
        chain,
        sender,
        sender,
        0,
        nonce=first.nonce,
        max_fee_wei=4 * fees.max_fee_wei,
        priority_fee_wei=4 * fees.priority_fee_wei + 1,
    )
    chain.broadcast(signed_by(key, second).raw)
    ether.mempool.step()
    ether.mine()
    ether.mempool.step()

    assert ether.states() == [("replaced", "nonce_used")]


def test_a_real_fee_bump_that_pays_elsewhere_replaces_the_deposit(
    devnet: Devnet, tmp_path: Path
) -> None:
    """BIP-125 on the one node here that follows it."""
    node = "litecoind-regtest"
    if node not in devnet.networks:
        skip_or_fail("no litecoind on this machine")
    chain = UtxoChain(UTXO["litecoin-regtest"], UtxoNode(devnet.url(node)), feerate_min=1_000)
    made = followed(devnet, node, chain, scripts.p2wpkh(bytes(Account.create().key[:20])), tmp_path)
    payer = vault(Template.WSH_MULTI, params=chain.params)
    txid = devnet.fund_script(node, payer.script_pubkey_at(RECEIVE, 31), UNIT)
    raw_in_pool = chain._node.transaction(txid)
    assert raw_in_pool is not None
    made.mine()
    coin = _coin(raw_in_pool, txid, payer.script_pubkey_at(RECEIVE, 31), payer.name)

    def spend(script: bytes, feerate: int) -> bytes:
        plan = plan_spend(
            coins=[coin],
            payouts=[Payout(script=script, sats=UNIT // 2)],
            change=Payout(
                script=payer.script_pubkey_at(CHANGE, 0),
                sats=0,
                place=OwnPlace(source=payer.name, branch=CHANGE, index=0),
            ),
            vaults={payer.name: payer},
            market=Market(feerate=feerate, feerate_long_term=feerate),
            dust_sats=5460,
        )
        unsigned = build(coins=plan.coins, outputs=plan.outputs, vaults={payer.name: payer})
        return finalize(add_signatures(unsigned, sign_all(unsigned, (1, 3))))

    chain.broadcast(spend(script_of(made), 20_000))
    made.mempool.step()
    assert made.states() == [("seen", "")]
    winner = chain.broadcast(spend(scripts.p2wpkh(bytes(20)), 90_000))
    assert winner.outcome == "accepted"
    made.mempool.step()
    assert made.states() == [("seen", "")]
    made.mine()

    assert made.states() == [("replaced", winner.txid)]
    made.database.close()
    chain.close()


def _coin(raw: bytes, txid: str, script: bytes, source: str) -> Coin:
    outputs = Transaction.parse(raw).outputs
    vout = next(n for n, output in enumerate(outputs) if output.script == script)
    return Coin(
        outpoint=OutPoint(txid, vout),
        sats=outputs[vout].sats,
        place=OwnPlace(source=source, branch=RECEIVE, index=31),
        raw_tx=raw,
    )

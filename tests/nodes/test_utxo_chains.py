"""The Bitcoin family against real nodes: bcoin, lcoin and litecoind."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chains.errors import BroadcastUnknown, NodeUnavailable
from chains.ports import Chain
from chains.types import BlockRef, BlockScan, BroadcastOutcome, OutPoint, TxState
from chains.utxo import blocks, scripts
from chains.utxo.chain import UtxoChain
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import CHANGE, RECEIVE, DescriptorVault, Template
from chains.utxo.node import UtxoNode
from chains.utxo.params import BUILTIN
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.second_parser import SecondParser
from chains.utxo.selection import Market, plan_spend
from chains.utxo.transactions import Transaction
from chains.watched import WatchedOutpoints, WatchedScripts
from tests.conftest import skip_or_fail
from tests.nodes.stoppable import LOOKS_MAX
from tests.utxo_world import sign_all, vault
from wallet.devnet.devnet import Devnet

NODES = ("bitcoin-regtest", "litecoin-regtest", "litecoind-regtest")
FEERATE = 20_000
UNIT = 100_000_000


@dataclass(slots=True)
class Watching:
    """What a test watches."""

    targets: WatchedScripts
    outpoints: WatchedOutpoints


@dataclass(frozen=True, slots=True)
class Setup:
    """A node and its chain."""

    devnet: Devnet
    node: str
    chain: UtxoChain

    def mine(self) -> BlockRef:
        """One block with all that waits."""
        self.devnet.mine(self.node, 1)
        return self.chain.tip()

    def receive(self, owner: DescriptorVault, index: int, sats: int) -> Coin:
        """A confirmed coin of a vault, found by scanning."""
        script = owner.script_pubkey_at(RECEIVE, index)
        txid = self.devnet.fund_script(self.node, script, sats)
        scan = self.scan(self.mine(), script)
        (inflow,) = [one for one in scan.inflows if one.txid == txid]
        return Coin(
            outpoint=OutPoint(txid, int(inflow.position.removeprefix("out:"))),
            sats=inflow.units,
            place=OwnPlace(source=owner.name, branch=RECEIVE, index=index),
            raw_tx=inflow.raw_tx,
        )

    def scan(self, block: BlockRef, *targets: bytes, spent: OutPoint | None = None) -> BlockScan:
        """A block's movements of these scripts and this outpoint."""
        outpoints = WatchedOutpoints([spent] if spent else [])
        return self.chain.scan(
            block, Watching(targets=WatchedScripts(targets), outpoints=outpoints)
        )


@pytest.fixture(params=NODES)
def setup(request: pytest.FixtureRequest, devnet: Devnet) -> Iterator[Setup]:
    node = str(request.param)
    if node not in devnet.networks:
        skip_or_fail(f"no node for {node} on this machine")
    params = BUILTIN["bitcoin-regtest" if node.startswith("bitcoin") else "litecoin-regtest"]
    client = UtxoNode(devnet.url(node))
    chain = UtxoChain(params, client, feerate_min=FEERATE, presence_checks=LOOKS_MAX)
    yield Setup(devnet, node, chain)
    chain.close()


@pytest.fixture(scope="session")
def second_parser(tmp_path_factory: pytest.TempPathFactory) -> SecondParser:
    return SecondParser(tmp_path_factory.mktemp("bitcoinlib"))


def _spend(owner: DescriptorVault, coin: Coin, script: bytes, sats: int) -> bytes:
    change = Payout(
        script=owner.script_pubkey_at(CHANGE, 0),
        sats=0,
        place=OwnPlace(source=owner.name, branch=CHANGE, index=0),
    )
    plan = plan_spend(
        coins=[coin],
        payouts=[Payout(script=script, sats=sats)],
        change=change,
        vaults={owner.name: owner},
        market=Market(feerate=FEERATE, feerate_long_term=FEERATE),
        dust_sats=5460,
    )
    raw = build(coins=plan.coins, outputs=plan.outputs, vaults={owner.name: owner})
    signers = (1,) if len(owner.keys) == 1 else (1, 3)
    return finalize(add_signatures(raw, sign_all(raw, signers)))


def _nothing() -> Watching:
    return Watching(targets=WatchedScripts(), outpoints=WatchedOutpoints())


def _owner(setup: Setup, template: Template) -> DescriptorVault:
    return vault(template, params=setup.chain.params)


def test_is_a_chain(setup: Setup) -> None:
    port: Chain = setup.chain

    assert port.tip().height >= 450


@pytest.mark.parametrize("template", [one for one in Template if one is not Template.TR])
def test_vault_receives_spends_and_is_followed(
    setup: Setup, second_parser: SecondParser, template: Template
) -> None:
    owner = _owner(setup, template)
    coin = setup.receive(owner, 7, UNIT)
    payee = scripts.p2wpkh(bytes(20))
    raw = _spend(owner, coin, payee, 30_000_000)
    tx = Transaction.parse(raw)
    spent = [_Spent(coin.outpoint.txid, coin.outpoint.vout, UNIT, owner.script_pubkey_at(0, 7))]
    second_parser(setup.node, raw, spent, [_Paid(one.sats, one.script) for one in tx.outputs])

    assert setup.chain.sighting(tx.txid).state is TxState.UNKNOWN
    assert setup.chain.broadcast(raw).outcome is BroadcastOutcome.ACCEPTED
    assert setup.chain.sighting(tx.txid).state is TxState.MEMPOOL
    assert setup.chain.broadcast(raw).outcome is BroadcastOutcome.ALREADY_KNOWN
    (alone,) = setup.chain.relatives(tx.txid)
    assert (alone.vsize, alone.parents) == (tx.vsize, ())
    assert (alone.descendants, alone.descendant_vsize) == (1, tx.vsize)

    block = setup.mine()
    scan = setup.scan(block, payee, owner.script_pubkey_at(CHANGE, 0), spent=coin.outpoint)
    sighting = setup.chain.sighting(tx.txid)

    assert [coin.outpoint] == [one.outpoint for one in scan.spends if one.txid == tx.txid]
    assert [one.sats for one in tx.outputs] == [
        one.units for one in scan.inflows if one.txid == tx.txid
    ]
    assert (TxState.MINED, block) == (sighting.state, sighting.block)
    assert setup.chain.broadcast(raw).outcome is BroadcastOutcome.ALREADY_KNOWN


@dataclass(frozen=True, slots=True)
class _Spent:
    txid: str
    vout: int
    units: int
    script: bytes


@dataclass(frozen=True, slots=True)
class _Paid:
    units: int
    script: bytes


def test_conflicting_spend_is_never_taken_for_sent(setup: Setup) -> None:
    owner = _owner(setup, Template.WSH_MULTI)
    coin = setup.receive(owner, 8, UNIT)
    first = _spend(owner, coin, scripts.p2wpkh(bytes(20)), 20_000_000)
    rival = _spend(owner, coin, scripts.p2wpkh(bytes(20)), 21_000_000)
    setup.chain.broadcast(first)
    setup.mine()

    try:
        answer = setup.chain.broadcast(rival)
    except BroadcastUnknown:
        # bcoin says yes to everything and drops it later; nobody may take that for sent.
        return

    assert (BroadcastOutcome.REJECTED, "inputs_missing_or_spent") == (answer.outcome, answer.reason)


def test_tampered_signature_is_never_taken_for_sent(setup: Setup) -> None:
    owner = _owner(setup, Template.WSH_MULTI)
    coin = setup.receive(owner, 9, UNIT)
    raw = bytearray(_spend(owner, coin, scripts.p2wpkh(bytes(20)), 20_000_000))
    at = bytes(raw).index(scripts.p2wpkh(bytes(20)))
    raw[at + 5] ^= 1

    try:
        answer = setup.chain.broadcast(bytes(raw))
    except BroadcastUnknown:
        return

    assert (BroadcastOutcome.REJECTED, "bad_signature") == (answer.outcome, answer.reason)


def test_reorg_changes_the_hash_at_a_height(setup: Setup) -> None:
    old = setup.mine()
    # Something new for the rival block: mined in the same second it would else be the same block.
    setup.devnet.fund_script(setup.node, scripts.p2wpkh(bytes(20)), UNIT)
    setup.devnet.reorg(setup.node, 1, ())
    tip = setup.chain.tip()
    new = setup.chain.block_at(old.height)

    assert (old.height + 1, new.hash) == (tip.height, tip.parent)
    assert old.hash != new.hash
    assert old.parent == new.parent


def test_fees_fall_back_to_the_configured_least(setup: Setup) -> None:
    assert setup.chain.feerate_units() >= FEERATE


def test_every_block_of_the_chain_is_read(setup: Setup) -> None:
    tip = setup.chain.tip()
    for height in range(tip.height - 30, tip.height + 1):
        block = setup.chain.block_at(height)

        assert setup.scan(block, b"\x51").ref == block


def test_mweb_blocks_end_in_a_hogex(devnet: Devnet) -> None:
    if "litecoind-regtest" not in devnet.networks:
        skip_or_fail("no litecoind on this machine")
    params = BUILTIN["litecoin-regtest"]
    node = UtxoNode(devnet.url("litecoind-regtest"))
    raw = node.block(node.block_hash(440))
    header, hits = blocks.read_block(params, raw, _nothing())

    assert node.block_hash(440) == header.hash
    assert [] == hits
    with pytest.raises(blocks.BlockError):
        # The same chain, if it had no extension blocks.
        blocks.read_block(replace(params, mweb_hrp=""), raw, _nothing())
    node.close()


@pytest.fixture
def litecoind(devnet: Devnet) -> Iterator[Setup]:
    """The one node here that knows taproot."""
    if "litecoind-regtest" not in devnet.networks:
        skip_or_fail("no litecoind on this machine")
    chain = UtxoChain(
        BUILTIN["litecoin-regtest"],
        UtxoNode(devnet.url("litecoind-regtest")),
        feerate_min=FEERATE,
    )
    yield Setup(devnet, "litecoind-regtest", chain)
    chain.close()


def test_taproot_vault_receives_and_spends(litecoind: Setup) -> None:
    owner = _owner(litecoind, Template.TR)
    coin = litecoind.receive(owner, 11, UNIT)
    payee = scripts.p2wpkh(bytes(range(20)))

    assert litecoind.chain.broadcast(_spend(owner, coin, payee, UNIT // 2)).outcome == "accepted"

    (inflow,) = litecoind.scan(litecoind.mine(), payee).inflows

    assert UNIT // 2 == inflow.units


def test_taproot_payee_is_paid(litecoind: Setup) -> None:
    setup, chain = litecoind, litecoind.chain
    owner = _owner(setup, Template.WSH_MULTI)
    coin = setup.receive(owner, 10, UNIT)
    # The x coordinate of the curve's generator: a valid key that nobody loses money on here.
    x = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    script = scripts.witness_program(1, x)

    assert chain.broadcast(_spend(owner, coin, script, UNIT // 2)).outcome == "accepted"

    (inflow,) = setup.scan(setup.mine(), script).inflows

    assert UNIT // 2 == inflow.units


def test_no_node_is_unavailable(tmp_path: Path) -> None:
    chain = UtxoChain(
        BUILTIN["bitcoin-regtest"],
        UtxoNode("http://name:secret@127.0.0.1:9", timeout_s=2),
        feerate_min=1,
    )

    with pytest.raises(NodeUnavailable) as caught:
        chain.tip()

    assert "secret" not in str(caught.value)
    chain.close()

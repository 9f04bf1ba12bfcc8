"""A simulated UTXO chain behaves as Bitcoin Core does where the wallet depends on it."""

from dataclasses import replace

import pytest

from chains.errors import BroadcastUnknown, CodecError, NodeUnavailable
from chains.simulated.line import Fault, Lie
from chains.simulated.utxo import SimulatedUtxoChain
from chains.types import BroadcastOutcome, OutPoint, TxState
from chains.utxo.params import BUILTIN
from chains.utxo.transactions import Transaction, TxInput, TxOutput

SCRIPT, OTHER = b"\x00\x14" + b"\x01" * 20, b"\x00\x14" + b"\x02" * 20
SATS = 1_000_000


class Watching:
    """Watches one script."""

    targets = frozenset({SCRIPT})
    outpoints: frozenset[OutPoint] = frozenset()


@pytest.fixture(params=["bitcoin-regtest", "litecoin-regtest"])
def chain(request: pytest.FixtureRequest) -> SimulatedUtxoChain:
    return SimulatedUtxoChain(params=BUILTIN[request.param])


def spend(txid: str, fee_sats: int, script: bytes = OTHER, vout: int = 0) -> Transaction:
    return Transaction(
        inputs=(TxInput(txid=txid, vout=vout, witness=(b"\x01",)),),
        outputs=(TxOutput(sats=SATS - fee_sats, script=script),),
    )


def funded(chain: SimulatedUtxoChain) -> str:
    txid = chain.fund(SCRIPT, SATS)
    chain.mine()
    return txid


def send(chain: SimulatedUtxoChain, tx: Transaction) -> tuple[BroadcastOutcome, str]:
    answer = chain.broadcast(tx.serialize())
    return answer.outcome, answer.reason


def test_blocks_are_real_and_prove_themselves(chain: SimulatedUtxoChain) -> None:
    txid = chain.history.pay([(SCRIPT, SATS), (OTHER, 5), (SCRIPT, 7)])
    scan = chain.scan(chain.mine(), Watching())
    assert [(i.txid, i.position, i.units) for i in scan.inflows] == [
        (txid, "out:0", SATS),
        (txid, "out:2", 7),
    ]


@pytest.mark.parametrize("lie", list(Lie))
def test_a_lying_node_is_found_out(chain: SimulatedUtxoChain, lie: Lie) -> None:
    funded(chain)
    chain.line.lie = lie
    with pytest.raises(CodecError):
        chain.scan(chain.tip(), Watching())


def test_a_kept_reorg_brings_everything_back(chain: SimulatedUtxoChain) -> None:
    txid, before = funded(chain), chain.tip()
    chain.reorg(1)
    assert chain.tip().height == before.height + 1
    assert chain.block_at(before.height).hash != before.hash
    assert chain.sighting(txid).state is TxState.MEMPOOL
    chain.mine()
    assert chain.sighting(txid).state is TxState.MINED


def test_a_dropped_payment_is_forgotten_with_all_that_spends_it(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    child = spend(txid, 1_000)
    assert send(chain, child) == (BroadcastOutcome.ACCEPTED, "")
    chain.reorg(1, keep=False)
    assert chain.sighting(txid).state is TxState.UNKNOWN
    assert chain.sighting(child.txid).state is TxState.UNKNOWN


def test_a_conflicting_reorg_pays_somebody_else(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    coin = chain.blocks[-1].payments[0].outpoints()[0]
    chain.reorg(1, conflicting=True)
    assert chain.sighting(txid).state is TxState.UNKNOWN
    assert chain.history.spender(coin) not in (None, txid)
    assert chain.paid_units(SCRIPT) == 0


def test_a_reorg_never_undoes_the_first_block(chain: SimulatedUtxoChain) -> None:
    first = chain.block_at(0)
    chain.reorg(50)
    assert chain.block_at(0) == first


def test_a_replacement_must_pay_more_and_for_itself(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    first = spend(txid, 1_000)
    assert send(chain, first)[0] is BroadcastOutcome.ACCEPTED
    almost = 1_000 + first.vsize - 1
    outcome, reason = send(chain, spend(txid, almost, SCRIPT))
    assert (outcome, reason) == (BroadcastOutcome.REJECTED, "replacement_fee")
    assert send(chain, spend(txid, 1_000 + first.vsize, SCRIPT))[0] is BroadcastOutcome.ACCEPTED
    assert chain.sighting(first.txid).state is TxState.UNKNOWN


def test_a_spent_coin_is_refused(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    send(chain, spend(txid, 1_000))
    chain.mine()
    outcome, reason = send(chain, spend(txid, 9_000, SCRIPT))
    assert (outcome, reason) == (BroadcastOutcome.REJECTED, "inputs_missing_or_spent")
    assert send(chain, spend("ee" * 32, 1_000))[1] == "inputs_missing_or_spent"


def test_what_pays_too_little_waits_until_its_child_pays_for_it(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    chain.history.floor = 10_000
    poor = spend(txid, 200)
    send(chain, poor)
    chain.mine()
    assert chain.sighting(poor.txid).state is TxState.MEMPOOL
    rich = replace(
        spend(poor.txid, 200), outputs=(TxOutput(sats=SATS - 200 - 50_000, script=SCRIPT),)
    )
    send(chain, rich)
    chain.mine()
    states = {chain.sighting(tx.txid).state for tx in (poor, rich)}
    assert states == {TxState.MINED}


def test_lost_answers_before_and_after_delivery(chain: SimulatedUtxoChain) -> None:
    first, second = spend(funded(chain), 1_000), spend(funded(chain), 1_000)
    chain.faults.extend([Fault.LOST_BEFORE, Fault.LOST_AFTER])
    for tx, state in ((first, TxState.UNKNOWN), (second, TxState.MEMPOOL)):
        with pytest.raises(BroadcastUnknown):
            chain.broadcast(tx.serialize())
        assert chain.sighting(tx.txid).state is state


def test_a_doubled_delivery_is_answered_as_known(chain: SimulatedUtxoChain) -> None:
    chain.faults.append(Fault.DOUBLED)
    assert send(chain, spend(funded(chain), 1_000))[0] is BroadcastOutcome.ALREADY_KNOWN


def test_an_evicted_transaction_takes_its_children_along(chain: SimulatedUtxoChain) -> None:
    parent = spend(funded(chain), 1_000)
    child = replace(spend(parent.txid, 2_000), outputs=(TxOutput(sats=5, script=SCRIPT),))
    send(chain, parent)
    send(chain, child)
    chain.history.evict(parent.txid)
    assert not chain.mempool


def test_a_lagging_node_knows_older_blocks_only(chain: SimulatedUtxoChain) -> None:
    chain.mine(3)
    txid, tip = funded(chain), chain.tip()
    other = chain.second_node()
    other.line.lag = 1
    assert other.tip().height == tip.height - 1
    assert other.sighting(txid).state is TxState.UNKNOWN
    assert chain.tip() == tip


def test_a_line_is_cut_after_so_many_questions(chain: SimulatedUtxoChain) -> None:
    chain.line.cut_after = 2
    chain.tip()
    with pytest.raises(NodeUnavailable):
        chain.tip()
    chain.line.mend()
    chain.tip()


def test_a_copy_of_its_history_goes_its_own_way(chain: SimulatedUtxoChain) -> None:
    txid = funded(chain)
    kept = chain.history.copy()
    tip, outside = kept.blocks[-1].ref, dict(kept.outside)
    send(chain, spend(txid, 5_000))
    chain.fund(SCRIPT, SATS)
    chain.mine()
    chain.reorg(2, keep=False)
    assert kept.blocks[-1].ref == tip
    assert (kept.mempool, kept.ever, kept.outside) == ({}, {}, outside)
    assert kept.unspent_units([SCRIPT]) == SATS
    assert kept.find(txid) is not None

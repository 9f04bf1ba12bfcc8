"""A simulated EVM chain behaves as go-ethereum does where the wallet depends on it."""

import coincurve
import pytest

from chains.errors import UnexpectedAnswer
from chains.evm.addresses import checksum, of_public_key
from chains.evm.erc20 import transfer_calldata
from chains.evm.params import BUILTIN
from chains.evm.transactions import UnsignedTx
from chains.simulated.evm import SimulatedEvmChain
from chains.simulated.line import Lie
from chains.types import Asset, BroadcastOutcome, Evidence, TxState

KEY = coincurve.PrivateKey(b"\x07" * 32)
OURS = of_public_key(KEY.public_key.format(compressed=False))
PAYEE = b"\x88" * 20
CONTRACT = b"\xd0" * 20
TOKEN = Asset(code="DUSD", network="ethereum-31337", decimals=6, contract=checksum(CONTRACT))
ETHER = 10**18


class Watching:
    """Watches the payee and ourselves."""

    targets = frozenset({PAYEE, OURS})
    outpoints: frozenset[object] = frozenset()


@pytest.fixture
def chain() -> SimulatedEvmChain:
    chain = SimulatedEvmChain(params=BUILTIN["ethereum-31337"], tokens=[TOKEN])
    chain.history.base_fee_wei, chain.history.tip_wei = 10**9, 10**9
    chain.fund(OURS, "ETH", ETHER)
    chain.fund(OURS, "DUSD", 1_000)
    chain.mine()
    return chain


def signed(
    nonce: int = 0, max_fee_wei: int = 3 * 10**9, tip_wei: int = 10**9, data: bytes = b""
) -> bytes:
    tx = UnsignedTx(
        chain_id=31337,
        nonce=nonce,
        priority_fee_wei=tip_wei,
        max_fee_wei=max_fee_wei,
        gas_limit=100_000,
        to=CONTRACT if data else PAYEE,
        value_wei=0 if data else 5,
        data=data,
    )
    return tx.with_signature(KEY.sign_recoverable(tx.signing_hash, hasher=None)).raw


def reason(chain: SimulatedEvmChain, raw: bytes) -> str:
    answer = chain.broadcast(raw)
    return answer.reason or str(answer.outcome)


def test_every_kind_of_payment_is_seen_and_proven(chain: SimulatedEvmChain) -> None:
    chain.fund(PAYEE, "ETH", 1)
    chain.fund(PAYEE, "DUSD", 2)
    chain.history.pay([(PAYEE, "ETH", 3), (PAYEE, "DUSD", 4), (PAYEE, "DUSD", 5)])
    scan = chain.scan(chain.mine(), Watching())  # type: ignore[arg-type]
    found = sorted((i.units, i.asset, i.evidence) for i in scan.inflows)
    assert found == [
        (1, "ETH", Evidence.TRANSACTION),
        (2, "DUSD", Evidence.LOG),
        (3, "ETH", Evidence.TRACE),
        (4, "DUSD", Evidence.LOG),
        (5, "DUSD", Evidence.LOG),
    ]


@pytest.mark.parametrize("lie", list(Lie))
def test_a_lying_node_is_found_out(chain: SimulatedEvmChain, lie: Lie) -> None:
    chain.line.lie = lie
    with pytest.raises(UnexpectedAnswer):
        chain.scan(chain.tip(), Watching())  # type: ignore[arg-type]


def test_a_payment_pays_its_fee_and_uses_its_nonce(chain: SimulatedEvmChain) -> None:
    answer = chain.broadcast(signed())
    assert answer.outcome is BroadcastOutcome.ACCEPTED
    chain.mine()
    seen = chain.sighting(answer.txid)
    assert (seen.state, seen.fee_units) == (TxState.MINED, 21_000 * 2 * 10**9)
    assert chain.nonce(OURS) == 1
    assert chain.held(OURS, "ETH") == ETHER - 5 - 21_000 * 2 * 10**9
    assert chain.held(PAYEE, "ETH") == 5


def test_a_revert_costs_gas_and_moves_nothing(chain: SimulatedEvmChain) -> None:
    answer = chain.broadcast(signed(data=transfer_calldata(PAYEE, 1_001)))
    chain.mine()
    assert chain.sighting(answer.txid).succeeded is False
    assert chain.held(OURS, "DUSD") == 1_000
    assert chain.held(OURS, "ETH") == ETHER - 50_000 * 2 * 10**9


def test_a_replacement_must_raise_both_fees_by_a_tenth(chain: SimulatedEvmChain) -> None:
    first = chain.broadcast(signed()).txid
    assert reason(chain, signed(max_fee_wei=33 * 10**8)) == "replacement_fee"
    assert reason(chain, signed(tip_wei=11 * 10**8)) == "replacement_fee"
    assert reason(chain, signed(max_fee_wei=33 * 10**8, tip_wei=11 * 10**8)) == "accepted"
    assert chain.sighting(first).state is TxState.UNKNOWN


def test_nonces_funds_and_known_bytes_are_checked(chain: SimulatedEvmChain) -> None:
    assert reason(chain, signed()) == "accepted"
    assert reason(chain, signed()) == "already_known"
    chain.mine()
    assert reason(chain, signed(max_fee_wei=4 * 10**9)) == "nonce_too_low"
    assert reason(chain, signed(nonce=1, max_fee_wei=ETHER)) == "insufficient_funds"


def test_a_nonce_gap_and_a_low_price_wait(chain: SimulatedEvmChain) -> None:
    later = chain.broadcast(signed(nonce=1)).txid
    chain.mine()
    assert chain.sighting(later).state is TxState.MEMPOOL
    chain.history.base_fee_wei = 10**10
    chain.broadcast(signed())
    chain.mine()
    assert chain.nonce(OURS) == 0
    assert chain.nonce(OURS, pending=True) == 2
    chain.history.base_fee_wei = 10**9
    chain.mine()
    assert chain.nonce(OURS) == 2


def test_a_conflicting_reorg_pays_somebody_else(chain: SimulatedEvmChain) -> None:
    txid = chain.fund(PAYEE, "ETH", 9)
    chain.mine()
    chain.reorg(1, conflicting=True)
    chain.mine()
    assert chain.sighting(txid).state is TxState.UNKNOWN
    assert chain.held(PAYEE, "ETH") == 0


def test_a_kept_reorg_brings_everything_back(chain: SimulatedEvmChain) -> None:
    txid = chain.broadcast(signed()).txid
    chain.mine()
    chain.reorg(1)
    assert (chain.sighting(txid).state, chain.nonce(OURS)) == (TxState.MEMPOOL, 0)
    chain.mine()
    assert (chain.sighting(txid).state, chain.nonce(OURS)) == (TxState.MINED, 1)


def test_a_copy_of_its_history_goes_its_own_way(chain: SimulatedEvmChain) -> None:
    kept = chain.history.copy()
    tip, held = kept.blocks[-1].ref, kept.state.held(OURS, "ETH")
    chain.reverting.add(CONTRACT)
    chain.history.state.move("ETH", OURS, PAYEE, 1)
    chain.broadcast(signed())
    chain.fund(PAYEE, "ETH", 7)
    chain.mine()
    chain.reorg(2, keep=False)
    assert kept.blocks[-1].ref == tip
    assert kept.known[tip.hash].state.held(OURS, "ETH") == kept.state.held(OURS, "ETH") == held
    assert (kept.mempool, kept.ever, kept.contracts.reverting) == ({}, {}, set())
    assert all(kept.find(one.signed.txid) for block in kept.blocks for one in block.done)

"""Replacements against real nodes: what each takes, says and mines, and answers lost on the way."""

import pytest

from chains.broadcast_errors import Meaning, rule_of
from chains.errors import BroadcastUnknown
from chains.evm.addresses import from_text
from chains.evm.chain import EvmChain
from chains.evm.node import EvmNode
from chains.evm.params import BUILTIN
from chains.types import BroadcastOutcome, TxState
from chains.utxo import scripts
from chains.utxo.chain import UtxoChain
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import CHANGE, DescriptorVault, Template
from chains.utxo.fees import transaction_vsize
from chains.utxo.node import UtxoNode
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.transactions import parse
from tests.nodes.cut_line import cut_line
from tests.nodes.test_evm_chain import ETHER, a_person, chain, payment, signed_by, tokens
from tests.nodes.test_utxo_chains import FEERATE, UNIT, Setup, _owner, setup
from tests.utxo_world import sign_all
from wallet.devnet.devnet import Devnet
from wallet.devnet.nodes import ETHEREUM
from wallet.payments.replacing.rates import Step, evm_fees, utxo_fee

__all__ = ["chain", "setup"]

STEP = Step(step_ppm=250_000, least_ppm=100_000, relay_rate=1_000)
PAYEE = scripts.p2wpkh(bytes(20))
PAID = 30_000_000


def version(owner: DescriptorVault, coin: Coin, fee_sats: int) -> bytes:
    """The same payee and amount from the same coin, at a fee."""
    outputs = [
        Payout(script=PAYEE, sats=PAID),
        Payout(
            script=owner.script_pubkey_at(CHANGE, 0),
            sats=coin.sats - PAID - fee_sats,
            place=OwnPlace(source=owner.name, branch=CHANGE, index=0),
        ),
    ]
    raw = build(coins=[coin], outputs=outputs, vaults={owner.name: owner})
    return finalize(add_signatures(raw, sign_all(raw, (1, 3))))


def two_versions(setup: Setup, index: int) -> tuple[bytes, bytes]:
    owner = _owner(setup, Template.WSH_MULTI)
    coin = setup.receive(owner, index, UNIT)
    vsize = transaction_vsize([owner], [PAYEE, owner.script_pubkey_at(CHANGE, 0)])
    old = FEERATE * vsize // 1000
    new = utxo_fee(
        step=STEP, old_sats=old, old_vsize=vsize, vsize=vsize, rate=FEERATE, cap_sats=UNIT
    )
    return version(owner, coin, old), version(owner, coin, new)


def test_at_most_one_of_two_versions_is_mined(setup: Setup) -> None:
    """litecoind takes the replacement (BIP-125); bcoin and lcoin keep what they saw first."""
    first, second = two_versions(setup, 31)
    assert BroadcastOutcome.ACCEPTED is setup.chain.broadcast(first).outcome
    takes = setup.node.startswith("litecoind")
    if takes:
        assert BroadcastOutcome.ACCEPTED is setup.chain.broadcast(second).outcome
        again = setup.chain.broadcast(first)
        assert (BroadcastOutcome.REJECTED, "replacement_fee") == (again.outcome, again.reason)
        assert Meaning.RETRY is rule_of(again.reason).meaning
    else:
        # They answer before they look, and then do not show it: unknown, until blocks decide.
        soon_tired = UtxoChain(setup.chain.params, setup.chain._node, feerate_min=FEERATE)
        with pytest.raises(BroadcastUnknown):
            soon_tired.broadcast(second)
    setup.mine()

    states = [setup.chain.sighting(parse(raw).txid).state for raw in (first, second)]
    assert states == (
        [TxState.UNKNOWN, TxState.MINED] if takes else [TxState.MINED, TxState.UNKNOWN]
    )


def test_a_line_cut_in_the_middle_of_a_broadcast(setup: Setup) -> None:
    """The node has the bytes, we have no answer: the very same bytes again are already known."""
    first, _ = two_versions(setup, 32)
    with cut_line(setup.devnet.url(setup.node)) as line:
        behind = UtxoChain(setup.chain.params, UtxoNode(line.url), feerate_min=FEERATE)
        txid = parse(first).txid
        assert TxState.UNKNOWN is behind.sighting(txid).state
        node = UtxoNode(line.url)
        line.is_cut = True
        with pytest.raises(Exception, match="sendrawtransaction"):
            node.send(first)
        assert line.swallowed >= 1
        line.is_cut = False
        # Unless the line was cut before the node had read all of them: then it takes them now.
        taken = (BroadcastOutcome.ALREADY_KNOWN, BroadcastOutcome.ACCEPTED)
        assert behind.broadcast(first).outcome in taken
        node.close()
        behind.close()
    setup.mine()
    assert TxState.MINED is setup.chain.sighting(txid).state


@pytest.fixture
def person(chain: EvmChain, devnet: Devnet) -> tuple[bytes, str]:
    key, address = a_person()
    devnet.fund(ETHEREUM, "ETH", address, ETHER)
    devnet.mine(ETHEREUM)
    return key, address


def test_a_replacement_needs_the_least_rise_and_wins(
    chain: EvmChain, devnet: Devnet, person: tuple[bytes, str]
) -> None:
    (key, sender), (_, payee) = person, a_person()
    first = payment(chain, sender, payee, 5)
    old = (first.max_fee_wei, first.priority_fee_wei)
    assert BroadcastOutcome.ACCEPTED is chain.broadcast(signed_by(key, first).raw).outcome
    # anvil takes any rise; the tenth more that we always add is what go-ethereum asks for.
    refused = chain.broadcast(
        signed_by(key, payment(chain, sender, payee, 6, max_fee_wei=old[0])).raw
    )
    assert (BroadcastOutcome.REJECTED, "replacement_fee") == (refused.outcome, refused.reason)
    max_fee, priority = evm_fees(step=STEP, old=old, now=old, cap_wei=10**15)
    second = payment(chain, sender, payee, 5, max_fee_wei=max_fee, priority_fee_wei=priority)
    signed = signed_by(key, second)
    assert BroadcastOutcome.ACCEPTED is chain.broadcast(signed.raw).outcome
    devnet.mine(ETHEREUM)

    assert TxState.MINED is chain.sighting(signed.txid).state
    assert TxState.UNKNOWN is chain.sighting(signed_by(key, first).txid).state
    assert 5 == chain.balance_units(from_text(payee), "ETH", chain.tip())
    late = chain.broadcast(signed_by(key, first).raw)
    assert (BroadcastOutcome.REJECTED, "nonce_too_low") == (late.outcome, late.reason)


def test_a_drop_takes_the_nonce_and_pays_nobody(
    chain: EvmChain, devnet: Devnet, person: tuple[bytes, str]
) -> None:
    (key, sender), (_, payee) = person, a_person()
    first = payment(chain, sender, payee, 5)
    chain.broadcast(signed_by(key, first).raw)
    old = (first.max_fee_wei, first.priority_fee_wei)
    max_fee, priority = evm_fees(step=STEP, old=old, now=old, cap_wei=10**15)
    drop = payment(chain, sender, sender, 0, max_fee_wei=max_fee, priority_fee_wei=priority)
    assert BroadcastOutcome.ACCEPTED is chain.broadcast(signed_by(key, drop).raw).outcome
    devnet.mine(ETHEREUM)

    assert TxState.MINED is chain.sighting(signed_by(key, drop).txid).state
    assert 0 == chain.balance_units(from_text(payee), "ETH", chain.tip())


def test_a_hole_stops_what_is_behind_it_until_it_is_filled(
    chain: EvmChain, devnet: Devnet, person: tuple[bytes, str]
) -> None:
    (key, sender), (_, payee) = person, a_person()
    ahead = signed_by(key, payment(chain, sender, payee, 5, nonce=1))
    chain.broadcast(ahead.raw)
    devnet.mine(ETHEREUM)
    assert (0, 0) == (
        chain.nonce(from_text(sender)),
        chain.balance_units(from_text(payee), "ETH", chain.tip()),
    )
    chain.broadcast(signed_by(key, payment(chain, sender, sender, 0)).raw)
    devnet.mine(ETHEREUM, 2)

    assert TxState.MINED is chain.sighting(ahead.txid).state
    assert 5 == chain.balance_units(from_text(payee), "ETH", chain.tip())


def test_a_line_to_anvil_cut_in_the_middle_of_a_broadcast(
    chain: EvmChain, devnet: Devnet, person: tuple[bytes, str]
) -> None:
    (key, sender), (_, payee) = person, a_person()
    signed = signed_by(key, payment(chain, sender, payee, 5))
    with cut_line(devnet.url(ETHEREUM)) as line:
        behind = EvmChain(BUILTIN[ETHEREUM], EvmNode(line.url), tokens(devnet))
        behind.ready()
        line.is_cut = True
        with pytest.raises(BroadcastUnknown):
            behind.broadcast(signed.raw)
        assert line.swallowed >= 1
        line.is_cut = False
        assert BroadcastOutcome.ALREADY_KNOWN is behind.broadcast(signed.raw).outcome
        behind.close()
    devnet.mine(ETHEREUM)
    assert TxState.MINED is chain.sighting(signed.txid).state

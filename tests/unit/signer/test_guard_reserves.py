"""Proofs of reserves: the signer shows what is ours, and can never be made to pay by it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.accounts import address_of_key
from chains.evm.addresses import checksum
from chains.evm.reserves import AccountProof
from chains.evm.transactions import recover
from chains.types import OutPoint
from chains.utxo import bip322
from chains.utxo.bip322 import ClaimedCoin, to_sign, to_spend
from chains.utxo.descriptors import DescriptorVault, Template, with_checksum
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import Psbt
from chains.utxo.psbt_fields import PsbtIncomplete
from chains.utxo.transactions import TxOutput
from signer.engine import GUARDS, Review
from signer.errors import ProtocolError, Refused
from signer.guards.facts import GuardContext, ReservesFact
from signer.guards.reserves import check_reserves
from signer.home import Home
from signer.languages import Language
from signer.protocol import (
    Intent,
    Kind,
    Purpose,
    ReservesClaim,
    ReservesCoin,
    Result,
    SignRequest,
)
from tests.reserves_world import utxo_vault as vault_of
from tests.signer_world import (
    BTC,
    ETH,
    LTC,
    NOW_S,
    World,
    a_request,
    a_withdrawal,
    an_approval,
    an_intent,
    answer_of,
    engine,
    sealed,
    utxo_vault,
)

STATEMENT, BLOCK = b"s" * 32, b"b" * 32
TXID = "ab" * 32


@pytest.fixture
def hot(world: World) -> Iterator[Home]:
    home = world.open("hot")
    yield home
    home.close()


@pytest.fixture
def cold(world: World) -> Iterator[Home]:
    home = world.open("cold")
    yield home
    home.close()


def a_coin(vout: int = 0, **changes: Any) -> ReservesCoin:
    one = ReservesCoin(txid=TXID, vout=vout, sats=150_000_000, branch=0, index=3)
    return replace(one, **changes)


def a_claim(*coins: ReservesCoin, accounts: tuple[int, ...] = ()) -> ReservesClaim:
    return ReservesClaim(
        statement=STATEMENT, height=812_000, block_hash=BLOCK, coins=coins, accounts=accounts
    )


def proving(claim: ReservesClaim | bytes, source: str = "bitcoin-hot", **changes: Any) -> Intent:
    payload = claim if isinstance(claim, bytes) else claim.encode()
    network = ETH if source.startswith("ethereum") else BTC
    fields: dict[str, Any] = {
        "purpose": Purpose.RESERVES,
        "network": network,
        "asset": "ETH" if network == ETH else "BTC",
        "source": source,
        "payees": (),
        "fee_units_max": 0,
        "call": payload,
    }
    return an_intent(changes.pop("name", "proof"), **{**fields, **changes})


def asking(claim: ReservesClaim | bytes, *intents: Intent, **changes: Any) -> SignRequest:
    source = changes.pop("source", "bitcoin-hot")
    payload = claim if isinstance(claim, bytes) else claim.encode()
    fields: dict[str, Any] = {
        "kind": Kind.RESERVES,
        "source": source,
        "network": ETH if source.startswith("ethereum") else BTC,
    }
    chosen = intents or (proving(claim, source),)
    return a_request(payload, *chosen, **{**fields, **changes})


def context_of(home: Home) -> GuardContext:
    config = home.activated()
    return GuardContext(
        now_s=NOW_S, vaults=home.vaults, networks=config.networks, memory=home.state
    )


def code_of(home: Home, request: SignRequest, context: GuardContext | None = None) -> str:
    with pytest.raises(Refused) as caught:
        check_reserves(request, context or context_of(home))
    return caught.value.code


def signed(home: Home, request: SignRequest) -> dict[int, bytes]:
    answer = answer_of(engine(home).sign(sealed(request)), home)
    assert (Result.SIGNED, "") == (answer.result, answer.code)
    return {one.index: one.signature for one in answer.signatures}


def test_a_vault_shows_its_coins(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    claim = a_claim(a_coin(), a_coin(1, sats=7, branch=1, index=0))
    psbt = to_sign(
        vault.script_at(0, 0),
        claim.message(BTC).encode(),
        [
            ClaimedCoin(
                outpoint=OutPoint(one.txid, one.vout),
                sats=one.sats,
                script=vault.script_at(one.branch, one.index),
            )
            for one in claim.coins
        ],
    )
    answer = answer_of(engine(hot).sign(sealed(asking(claim))), hot)

    assert [0, 1, 2] == [one.index for one in answer.signatures]
    with pytest.raises(PsbtIncomplete):
        bip322.proof_of(psbt, answer.signatures)  # each of them verified; one key of two


def test_what_is_signed_is_built_here_and_no_chain_takes_it(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Psbt] = []
    real = bip322.to_sign

    def kept(*given: Any) -> Psbt:
        built.append(real(*given))
        return built[-1]

    monkeypatch.setattr(bip322, "to_sign", kept)
    claim = a_claim(a_coin())
    signed(hot, asking(claim))
    challenge = utxo_vault(hot, "bitcoin-hot").script_pubkey_at(0, 0)
    asked = to_spend(challenge, claim.message(BTC).encode())
    assert asked.txid == built[0].tx.inputs[0].txid
    assert (TxOutput(sats=0, script=b"\x6a"),) == built[0].tx.outputs


def test_a_transaction_that_could_be_a_payment_is_not_signed(
    hot: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bip322.to_sign

    def paying(*given: Any) -> Psbt:
        psbt = real(*given)
        tx = replace(psbt.tx, outputs=(TxOutput(sats=1, script=b"\x51"),))
        return replace(psbt, tx=tx)

    monkeypatch.setattr(bip322, "to_sign", paying)
    assert "reserves.payable" == code_of(hot, asking(a_claim(a_coin())))


def test_an_account_shows_itself(hot: Home) -> None:
    for source, accounts in (("ethereum-hot", ()), ("ethereum-deposit", (4, 9))):
        request = asking(a_claim(accounts=accounts), source=source, request_id=source)
        request = replace(
            request, intents=(proving(a_claim(accounts=accounts), source, name=source),)
        )
        found = signed(hot, request)
        for at, index in enumerate(accounts or (0,)):
            address = hot.vaults[source].vault.address_at(index)
            proof = AccountProof(
                chain_id=31337,
                account=address,
                statement=STATEMENT,
                height=812_000,
                block_hash=BLOCK,
            )
            assert address == recover(proof.digest, found[at])


def test_an_owner_signs_a_message_of_the_safe(cold: Home) -> None:
    found = signed(cold, asking(a_claim(), source="ethereum-cold"))
    safe = cold.vaults["ethereum-cold"]
    proof = AccountProof(
        chain_id=31337,
        account=safe.vault.address,
        statement=STATEMENT,
        height=812_000,
        block_hash=BLOCK,
    )
    assert safe.own is not None
    key = safe.vault.keys[0].key.child(0).child_key(0)
    assert address_of_key(key) == recover(proof.safe_digest, found[0])
    assert proof.safe_digest != proof.digest


def test_a_person_reads_what_is_shown(hot: Home) -> None:
    review = engine(hot).review(sealed(asking(a_claim(a_coin(), a_coin(1)))))
    assert "PROOF OF RESERVES of BTC on bitcoin-regtest from bitcoin-hot" == review.lines[0]
    told = "\n".join(review.lines)
    assert "PROVES that 2 coins of 300000000 base units are ours, pays nobody" in told
    assert f"Proof of reserves {STATEMENT.hex()} at {BTC} block 812000 {BLOCK.hex()}" in told
    assert not any(line.startswith("pays") for line in review.lines)
    account = engine(hot).review(sealed(asking(a_claim(), source="ethereum-hot")))
    address = checksum(hot.vaults["ethereum-hot"].vault.address)
    assert f"PROVES that {address} is ours, moves nothing" in account.lines


def test_a_person_reads_it_in_their_language(hot: Home) -> None:
    from signer.engine import Engine

    def no(review: Review) -> bool:
        return False

    reading = Engine(hot, lambda: NOW_S, no, lambda: None, Language.JAPANESE)  # type: ignore[arg-type, return-value]
    lines = reading.review(sealed(asking(a_claim(a_coin())))).lines
    assert any("コイン 1 個、計 150000000" in line for line in lines)


def test_a_proof_counts_as_no_spending_and_takes_no_coin(hot: Home) -> None:
    facts = check_reserves(asking(a_claim(a_coin())), context_of(hot))
    assert (0, 0, frozenset(), {}) == (
        facts.counted_units,
        facts.fee_units,
        facts.consumes,
        dict(facts.outpoints),
    )
    assert ReservesFact(statement=STATEMENT) == facts.act
    signed(hot, asking(a_claim(a_coin())))
    assert hot.state.outpoint_units(BTC, f"{TXID}:0") is None
    signed(hot, a_withdrawal(hot))


def test_the_policy_must_let_a_vault_be_shown(hot: Home) -> None:
    claim = a_claim(a_coin())
    intent = proving(claim, network=LTC, asset="LTC", source="litecoin-hot")
    request = asking(claim, intent, network=LTC, source="litecoin-hot")
    answer = answer_of(engine(hot).sign(sealed(request)), hot)
    assert (Result.REFUSED, "policy.denied") == (answer.result, answer.code)
    with pytest.raises(Refused) as caught:
        engine(hot).review(sealed(replace(request, request_id="other")))
    assert "policy.reserves.no_rule" == caught.value.code


def test_people_must_agree_where_the_policy_says_so(cold: Home) -> None:
    claim = a_claim(a_coin())
    intent = proving(claim, "bitcoin-cold")
    request = asking(claim, intent, source="bitcoin-cold")

    def code(*names: str, request_id: str) -> str:
        approvals = tuple(an_approval(name, intent) for name in names)
        asked = replace(request, approvals=approvals, request_id=request_id)
        with pytest.raises(Refused) as caught:
            engine(cold).review(sealed(asked))
        return caught.value.code

    assert "policy.reserves.quorum" == code(request_id="none")
    assert "policy.reserves.quorum" == code("alice", request_id="one")
    approvals = tuple(an_approval(name, intent) for name in ("alice", "bob"))
    assert 2 == len(signed(cold, replace(request, approvals=approvals)))


def test_an_intent_is_signed_once(hot: Home) -> None:
    signed(hot, asking(a_claim(a_coin())))
    again = asking(a_claim(a_coin()), request_id="again")
    with pytest.raises(Refused) as caught:
        engine(hot).review(sealed(again))
    assert "intent.already_signed" == caught.value.code


# What is refused


def test_only_the_approved_claim_is_shown(hot: Home) -> None:
    other = proving(a_claim(a_coin(5)))
    assert "intent.call" == code_of(hot, asking(a_claim(a_coin()), other))


def test_another_purpose_is_refused(hot: Home) -> None:
    claim = a_claim(a_coin())
    for changes in ({"purpose": Purpose.GATHER}, {"asset": "ETH"}):
        assert "reserves.purpose" == code_of(hot, asking(claim, proving(claim, **changes)))
    assert "intent.source" == code_of(hot, asking(claim, proving(claim, source="litecoin-hot")))


@pytest.mark.parametrize("kind", [Kind.PSBT, Kind.EVM_TX, Kind.SAFE_TX])
def test_reserves_are_no_reason_to_pay(hot: Home, kind: Kind) -> None:
    """A payment that says it is a proof: the guards of payments know no such purpose."""
    paying = a_withdrawal(hot)
    intent = replace(paying.intents[0], purpose=Purpose.RESERVES)
    source, network = ("bitcoin-hot", BTC) if kind is Kind.PSBT else ("ethereum-hot", ETH)
    request = replace(paying, kind=kind, intents=(intent,), source=source, network=network)
    with pytest.raises(Refused):
        GUARDS[kind](request, context_of(hot))


def test_a_malformed_claim_is_refused(hot: Home) -> None:
    assert "reserves.malformed" == code_of(hot, asking(b"\xa0"))
    short = replace(a_claim(a_coin()), block_hash=b"b")
    assert "reserves.malformed" == code_of(hot, asking(short.encode()))
    for coin in ([b"x", 0, 1, 0, 0], [bytes(32), 1 << 32, 1, 0, 0], [bytes(32), 0, 1, 0]):
        from signer.protocol import dump

        body = {"v": 1, "statement": STATEMENT, "height": 1, "block_hash": BLOCK}
        payload = dump({**body, "coins": [coin], "accounts": []})
        with pytest.raises(ProtocolError):
            ReservesClaim.decode(payload)
        assert "reserves.malformed" == code_of(hot, asking(payload))


def test_coins_are_bounded_and_distinct(hot: Home) -> None:
    assert "reserves.coins" == code_of(hot, asking(a_claim()))
    many = a_claim(*(a_coin(at) for at in range(21)))
    assert "reserves.coins" == code_of(hot, asking(many))
    assert "reserves.coin_twice" == code_of(hot, asking(a_claim(a_coin(), a_coin(sats=5))))
    assert "reserves.path" == code_of(hot, asking(a_claim(a_coin(branch=2))))
    assert "reserves.path" == code_of(hot, asking(a_claim(a_coin(index=2**31))))
    assert "amount.range" == code_of(hot, asking(a_claim(a_coin(sats=0))))
    too_much = a_coin(sats=BUILTIN[BTC].money_sats_max + 1)
    assert "amount.range" == code_of(hot, asking(a_claim(too_much)))
    assert "reserves.accounts" == code_of(hot, asking(a_claim(a_coin(), accounts=(1,))))


def test_an_amount_that_the_signer_saw_otherwise_is_refused(hot: Home) -> None:
    request = a_withdrawal(hot)
    signed(hot, request)
    outpoint, sats = next(
        (OutPoint(one.outpoint.txid, one.outpoint.vout), one.previous_output.sats)
        for one in Psbt.parse(request.payload).inputs
        if one.previous_output is not None
    )
    seen = a_coin(outpoint.vout, txid=outpoint.txid, sats=sats)
    check_reserves(asking(a_claim(seen)), context_of(hot))
    other = replace(seen, sats=sats + 1)
    assert "input.amount_conflict" == code_of(hot, asking(a_claim(other)))


def test_accounts_are_distinct_and_ours(hot: Home, cold: Home) -> None:
    deposit = "ethereum-deposit"

    def code(claim: ReservesClaim, source: str) -> str:
        return code_of(hot, asking(claim, source=source))

    assert "reserves.accounts" == code(a_claim(), deposit)
    assert "reserves.accounts" == code(a_claim(accounts=(1, 1)), deposit)
    assert "reserves.path" == code(a_claim(accounts=(2**31,)), deposit)
    assert "reserves.accounts" == code(a_claim(accounts=(0,)), "ethereum-hot")
    assert "reserves.coins" == code(a_claim(a_coin()), "ethereum-hot")


def test_old_signatures_cover_no_amounts_and_prove_nothing(hot: Home) -> None:
    modern = hot.vaults["bitcoin-hot"]
    keys = [replace(key) for key in modern.vault.keys]
    inner = ",".join(f"{key.text}/<0;1>/*" for key in keys)
    text = with_checksum(f"sh(sortedmulti(2,{inner}))")
    vault = DescriptorVault.parse("bitcoin-hot", BUILTIN[BTC], text)
    entry = replace(modern, vault=vault)
    context = replace(context_of(hot), vaults={"bitcoin-hot": entry})
    assert "reserves.legacy" == code_of(hot, asking(a_claim(a_coin())), context)


def test_a_vault_without_our_key_is_not_shown(hot: Home) -> None:
    entry = replace(hot.vaults["bitcoin-hot"], own=None)
    context = replace(context_of(hot), vaults={"bitcoin-hot": entry})
    assert "request.not_our_key" == code_of(hot, asking(a_claim(a_coin())), context)


def test_a_key_that_is_no_owner_signs_for_no_safe(hot: Home, cold: Home) -> None:
    mine = hot.vaults["ethereum-hot"]
    entry = replace(cold.vaults["ethereum-cold"], own=mine.own)
    context = replace(context_of(cold), vaults={"ethereum-cold": entry})
    request = asking(a_claim(), source="ethereum-cold")
    assert "safe.not_an_owner" == code_of(cold, request, context)


def test_a_taproot_vault_shows_its_coins_too() -> None:
    vault = vault_of(Template.TR, "v")
    assert vault.is_taproot
    script = vault.script_at(0, 0)
    psbt = to_sign(script, b"m", ())
    assert script.script_pubkey == psbt.spent_output(0).script


def test_a_claim_is_its_own_encoding(tmp_path: Path) -> None:
    claim = a_claim(a_coin(), a_coin(2, branch=1), accounts=())
    assert claim == ReservesClaim.decode(claim.encode())

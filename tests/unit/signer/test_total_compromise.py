"""With every online key in a thief's hands, cold signers sign what staff approved and no more."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from embit import psbt as second_psbt

from chains.evm.addresses import checksum
from chains.evm.safe import SafeTx
from signer.errors import Refused
from signer.home import Home
from signer.protocol import Intent, Result, SignAnswer, SignRequest
from tests import compromise, compromise_turns
from tests.compromise import (
    APPROVED_BTC,
    APPROVED_ETH,
    SIGNERS,
    Attacker,
    Dice,
    Prize,
    make_signers,
)
from tests.compromise_turns import TURNS, TURNS_BTC, TURNS_ETH
from tests.signer_world import CUSTOMER_SCRIPT, STAFF, answer_of, engine

SEED = 20_261_122
"""The attack that is played; printed when it succeeds, so that it can be played again."""


@dataclass(frozen=True, slots=True)
class Got:
    """A signature that left a cold signer, and the request that it answered."""

    signer: str
    request: SignRequest
    answer: SignAnswer


def attack(
    homes: dict[str, Home], attacker: Attacker, attempts: int
) -> tuple[list[Got], Counter[str]]:
    """Everything that was signed, and how often each refusal was given."""
    got, refusals = [], Counter[str]()
    for _ in range(attempts):
        request, data = attacker.attempt()
        for name in attacker.dice.one((SIGNERS, SIGNERS[:1], SIGNERS[1:])):
            try:
                answer = answer_of(engine(homes[name]).sign(data), homes[name])
            except Refused as refusal:
                refusals[refusal.code] += 1
                continue
            if answer.result is Result.SIGNED:
                got.append(Got(name, request, answer))
            else:
                assert answer.signatures == ()
                refusals[answer.code] += 1
    return got, refusals


def outputs_of(payload: bytes) -> list[tuple[bytes, int]]:
    """Scripts and amounts as another implementation reads them."""
    tx = second_psbt.PSBT.parse(payload).tx
    return [(bytes(output.script_pubkey.data), output.value) for output in tx.vout]


def check_bitcoin(prize: Prize, request: SignRequest) -> None:
    """The approved payee once, the rest back to the cold vault, and a fee as approved."""
    (intent,) = request.intents
    own = {prize.cold.script_pubkey_at(1, index) for index in range(201)}
    outputs = outputs_of(request.payload)
    spent = sum(one.witness_utxo.value for one in second_psbt.PSBT.parse(request.payload).inputs)

    assert [(CUSTOMER_SCRIPT, intent.total_units)] == [one for one in outputs if one[0] not in own]
    assert 0 <= spent - sum(sats for _, sats in outputs) <= intent.fee_units_max


def check_ethereum(prize: Prize, request: SignRequest) -> None:
    """A plain payment of the approved amount to the approved payee, by this Safe."""
    tx = SafeTx.decode(request.payload)
    ((payee,),) = (intent.payees for intent in request.intents)

    assert (prize.safe.address, 31337, 0, b"") == (tx.safe, tx.chain_id, tx.operation, tx.data)
    assert (payee.address, payee.units) == (checksum(tx.to), tx.value_wei)
    assert (0, 0, 0) == (tx.gas_price_wei, tx.base_gas, tx.safe_tx_gas)


CHECKS = {
    APPROVED_BTC.network: ((*TURNS, *TURNS_BTC), check_bitcoin),
    APPROVED_ETH.network: ((*TURNS, *TURNS_ETH), check_ethereum),
}


@pytest.mark.parametrize("approved", [APPROVED_BTC, APPROVED_ETH], ids=["bitcoin", "ethereum"])
@pytest.mark.parametrize(
    ("often", "attempts", "walls"),
    [(False, 60, 8), (True, 200, 20)],
    ids=["one payment approved", "a payment approved for each attempt"],
)
def test_an_attacker_with_every_online_key_gets_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    approved: Intent,
    often: bool,
    attempts: int,
    walls: int,
) -> None:
    """No signature but for an approved payment, exactly as approved, once from each signer."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # power cuts are another test's matter
    homes, prize = make_signers(tmp_path)
    turns, check = CHECKS[approved.network]
    attacker = Attacker(prize, Dice(SEED), approved, turns, often)

    got, refusals = attack(homes, attacker, attempts)

    told = f"seed {SEED}: {[(one.signer, one.request.request_id) for one in got]}"
    uses = Counter((one.signer, *(intent.digest for intent in one.request.intents)) for one in got)
    assert {1} == set(uses.values()), told
    for one in got:
        assert {intent.digest for intent in one.request.intents} <= set(attacker.genuine), told
        check(prize, one.request)
    if not often:
        assert set(SIGNERS) == {one.signer for one in got}
    # The attack was no monotony: it ran into many different walls.
    assert len(refusals) >= walls, refusals
    for home in homes.values():
        home.close()


def test_the_attacker_is_given_no_key_of_a_person() -> None:
    """Else the test above would prove nothing, or too little."""
    for module in (compromise, compromise_turns):
        assert "STAFF" not in vars(module)
    assert not set(STAFF.values()) & set(compromise_turns.ONLINE_KEYS)

"""The guard of PSBTs: what passes, and one test for every refusal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from chains.utxo import addresses
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.params import BUILTIN
from chains.utxo.psbt import MAGIC, Psbt
from chains.utxo.psbt_fields import write_map
from chains.utxo.psbt_roles import build
from chains.utxo.transactions import Transaction, TxOutput, serialize_output
from signer.errors import Refused
from signer.guards.facts import GuardContext, Owner, Role, SpendFacts
from signer.guards.psbt import check_psbt
from signer.home import Home
from signer.protocol import Intent, OwnOutput, Payee, Purpose, SignRequest
from tests.signer_world import (
    BTC,
    CUSTOMER,
    CUSTOMER_SCRIPT,
    LTC,
    NOW_S,
    a_psbt,
    a_request,
    an_intent,
    change_to,
    coin,
    utxo_vault,
)

PARAMS = BUILTIN[BTC]


@dataclass(frozen=True)
class KnownMemory:
    """A memory that is told what it saw."""

    outpoints: Mapping[str, int] = field(default_factory=dict)
    change: int | None = None

    def outpoint_units(self, network: str, outpoint: str) -> int | None:
        return self.outpoints.get(outpoint)

    def last_nonce(self, network: str, address: str) -> int | None:
        return None

    def signed_payment(self, network: str, address: str, nonce: int) -> None:
        return None

    def change_index_max(self, vault: str) -> int | None:
        return self.change


def context(home: Home, **changes: object) -> GuardContext:
    base = GuardContext(
        now_s=NOW_S, vaults=home.vaults, networks=home.networks, memory=KnownMemory()
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def checked(home: Home, request: SignRequest, **changes: object) -> SpendFacts:
    return check_psbt(request, context(home, **changes))


def code_of(home: Home, request: SignRequest, **changes: object) -> str:
    with pytest.raises(Refused) as caught:
        checked(home, request, **changes)
    return caught.value.code


def edited(
    raw: bytes,
    tx: Callable[[Transaction], Transaction] = lambda tx: tx,
    into: Mapping[bytes, bytes | None] | None = None,
    out: Mapping[bytes, bytes | None] | None = None,
    out_at: int = 1,
    drop_out: bytes = b"",
) -> bytes:
    """A PSBT with its transaction, its first input's or one output's fields changed."""
    psbt = Psbt.parse(raw)
    head = {**psbt.pairs, b"\x00": tx(psbt.tx).serialize(witness=False)}
    maps_in = [dict(one.pairs) for one in psbt.inputs]
    maps_out = [dict(one.pairs) for one in psbt.outputs]
    _change(maps_in[0], into or {})
    _change(maps_out[out_at], out or {})
    if drop_out:
        maps_out[out_at] = {k: v for k, v in maps_out[out_at].items() if k[:1] != drop_out}
    return MAGIC + b"".join(write_map(one) for one in (head, *maps_in, *maps_out))


def _change(pairs: dict[bytes, bytes], changes: Mapping[bytes, bytes | None]) -> None:
    for key, value in changes.items():
        if value is None:
            pairs.pop(key)
        else:
            pairs[key] = value


def with_output(at: int, **changes: object) -> Callable[[Transaction], Transaction]:
    def change(tx: Transaction) -> Transaction:
        outputs = list(tx.outputs)
        outputs[at] = replace(outputs[at], **changes)  # type: ignore[arg-type]
        return replace(tx, outputs=tuple(outputs))

    return change


def with_sequence(sequence: int) -> Callable[[Transaction], Transaction]:
    def change(tx: Transaction) -> Transaction:
        return replace(tx, inputs=tuple(replace(one, sequence=sequence) for one in tx.inputs))

    return change


def paying(home: Home, coins: Sequence[Coin], *outputs: Payout) -> bytes:
    vault = utxo_vault(home, "bitcoin-hot")
    return build(coins=coins, outputs=outputs, vaults={vault.name: vault})


def customer(sats: int = 100_000_000) -> Payout:
    return Payout(script=CUSTOMER_SCRIPT, sats=sats)


def request_of(payload: bytes, **changes: object) -> SignRequest:
    return a_request(payload, an_intent(**changes))  # type: ignore[arg-type]


@pytest.fixture
def plain(hot: Home) -> bytes:
    return a_psbt(hot)


def test_a_withdrawal_is_told_as_it_is(hot: Home, plain: bytes) -> None:
    facts = checked(hot, request_of(plain))

    assert (Purpose.WITHDRAWAL, "BTC", "bitcoin-hot") == (facts.purpose, facts.asset, facts.source)
    assert [(CUSTOMER, 100_000_000, Owner.NONE)] == [
        (payee.address, payee.units, payee.owner) for payee in facts.payees
    ]
    assert [(1, 1, 49_995_000)] == [(one.branch, one.index, one.units) for one in facts.change]
    assert 5_000 == facts.fee_units
    assert [150_000_000] == list(facts.outpoints.values())


def test_version_2_means_the_same(hot: Home, plain: bytes) -> None:
    newer = checked(hot, request_of(a_psbt(hot, psbt_version=2)))

    assert newer.jobs == checked(hot, request_of(plain)).jobs


def test_the_size_is_what_the_finished_transaction_has(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, 60_000_000, index) for index in range(3)]
    payload = paying(hot, coins, customer(), change_to(vault, 79_990_000))

    facts = checked(hot, request_of(payload))

    bare = 4 * len(Psbt.parse(payload).tx.serialize(witness=False))
    witness = 1 + 1 + 2 * 72 + 1 + 105
    assert -(-(bare + 2 + 3 * witness) // 4) == facts.size
    assert -(-10_000 * 1000 // facts.size) == facts.feerate


def test_jobs_are_of_our_key_alone(hot: Home, plain: bytes) -> None:
    facts = checked(hot, request_of(plain))

    own = hot.vaults["bitcoin-hot"].own
    assert own is not None
    assert [(*own.path, 0, 3)] == [job.path for job in facts.jobs]
    assert hot.unlocked().chain.node(facts.jobs[0].path).public_key == facts.jobs[0].public_key


def test_several_intents_of_one_payee_are_several_payments(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    intents = [an_intent("w1"), an_intent("w2")]
    payload = paying(
        hot, [coin(vault, 250_000_000)], customer(), customer(), change_to(vault, 49_990_000)
    )

    assert 200_000_000 == checked(hot, a_request(payload, *intents)).units
    once = paying(hot, [coin(vault, 250_000_000)], customer(), change_to(vault, 149_990_000))
    assert "payees.missing" == code_of(hot, a_request(once, *intents))


def test_a_sweep_pays_the_cold_vault_that_it_derives(hot: Home) -> None:
    request = a_sweep(hot)

    payee = checked(hot, request).payees[0]

    assert (Owner.COLD, "bitcoin-cold", "0/5") == (payee.owner, payee.source, payee.path)


def a_sweep(hot: Home, source: str = "bitcoin-cold", index: int = 5, claim: int = 5) -> SignRequest:
    hot_vault, cold = utxo_vault(hot, "bitcoin-hot"), utxo_vault(hot, source)
    script = cold.script_pubkey_at(0, index)
    address = addresses.encode(BUILTIN[cold.network], script)
    intent = an_intent(purpose=Purpose.SWEEP, payees=(Payee(address=address, units=100_000_000),))
    payload = paying(
        hot,
        [coin(hot_vault, 150_000_000)],
        Payout(script=script, sats=100_000_000),
        change_to(hot_vault, 49_990_000),
    )
    own = OwnOutput(address=address, source=source, branch=0, index=claim)
    return a_request(payload, intent, own=(own,))


def test_a_sweep_to_a_stranger_is_refused(hot: Home, plain: bytes) -> None:
    assert "purpose.wrong_payee" == code_of(hot, request_of(plain, purpose=Purpose.SWEEP))


def test_a_claimed_origin_that_derives_another_address_is_refused(hot: Home) -> None:
    assert "own.mismatch" == code_of(hot, a_sweep(hot, claim=6))


def test_an_origin_in_an_unknown_vault_is_refused(hot: Home) -> None:
    request = a_sweep(hot)
    own = replace(request.own[0], source="nowhere")

    assert "own.source_unknown" == code_of(hot, replace(request, own=(own,)))


def test_an_origin_in_a_vault_of_another_network_is_refused(hot: Home) -> None:
    request = a_sweep(hot)
    own = replace(request.own[0], source="litecoin-hot")

    assert "own.source_unknown" == code_of(hot, replace(request, own=(own,)))


def test_two_origins_of_one_address_are_refused(hot: Home) -> None:
    request = a_sweep(hot)

    assert "own.twice" == code_of(hot, replace(request, own=request.own * 2))


@pytest.mark.parametrize("change", [{"branch": 2}, {"index": 2**31}])
def test_an_exotic_origin_is_refused(hot: Home, change: dict[str, int]) -> None:
    request = a_sweep(hot)
    own = replace(request.own[0], **change)  # type: ignore[arg-type]

    assert "own.path" == code_of(hot, replace(request, own=(own,)))


def test_an_origin_that_nobody_pays_is_refused(hot: Home, plain: bytes) -> None:
    own = a_sweep(hot).own

    assert "own.unused" == code_of(hot, replace(request_of(plain), own=own))


def test_a_deposit_vault_pays_no_withdrawal(hot: Home, plain: bytes) -> None:
    vaults = {**hot.vaults, "bitcoin-hot": replace(hot.vaults["bitcoin-hot"], role=Role.DEPOSIT)}

    assert "purpose.wrong_source" == code_of(hot, request_of(plain), vaults=vaults)


def test_an_evm_vault_signs_no_psbt(hot: Home, plain: bytes) -> None:
    request = replace(request_of(plain), source="ethereum-hot", network="ethereum-31337")

    assert "request.kind" == code_of(hot, request)


def test_a_vault_without_our_key_signs_nothing(hot: Home, plain: bytes) -> None:
    assert "request.not_our_key" == code_of(hot, replace(request_of(plain), source="bitcoin-cold"))


@pytest.mark.parametrize("bad", [b"", b"psbt\xff", b"x" * 50])
def test_other_bytes_are_refused(hot: Home, bad: bytes) -> None:
    assert "psbt.malformed" == code_of(hot, request_of(bad))


def test_bytes_behind_the_psbt_are_refused(hot: Home, plain: bytes) -> None:
    assert "psbt.malformed" == code_of(hot, request_of(plain + b"\x00"))


def test_a_psbt_above_two_mebibytes_is_refused(hot: Home, plain: bytes) -> None:
    assert "psbt.too_large" == code_of(hot, request_of(plain + bytes(2 * 1024 * 1024)))


def test_a_key_twice_in_a_map_is_refused(hot: Home, plain: bytes) -> None:
    twice = plain[: len(MAGIC)] + b"\x01\x00" + b"\x00" + plain[len(MAGIC) :]
    doubled = twice.replace(b"\x01\x00\x00\x01\x00", b"\x01\x00\x00\x01\x00", 1)

    assert "psbt.duplicate_key" == code_of(hot, request_of(doubled))


def test_too_many_inputs_are_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, 10_000_000, index) for index in range(21)]
    payload = paying(hot, coins, customer(), change_to(vault, 109_990_000))

    assert "tx.inputs" == code_of(hot, request_of(payload))


def test_too_many_outputs_are_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    change = [change_to(vault, 1_000_000, index) for index in range(20)]
    payload = paying(hot, [coin(vault, 120_010_000)], customer(), *change)

    assert "tx.outputs" == code_of(hot, request_of(payload))


def test_another_transaction_version_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, tx=lambda tx: replace(tx, version=3))

    assert "tx.version" == code_of(hot, request_of(payload))


def test_a_lock_time_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, tx=lambda tx: replace(tx, locktime=900_000))

    assert "tx.locktime" == code_of(hot, request_of(payload))


def test_a_relative_lock_time_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, tx=with_sequence(144))

    assert "input.sequence" == code_of(hot, request_of(payload))


def test_a_coin_twice_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, 75_000_000)] * 2
    payload = paying(hot, coins, customer(), change_to(vault, 49_990_000))

    assert "input.twice" == code_of(hot, request_of(payload))


@pytest.mark.parametrize("kind", [0, 2, 3, 0x81])
def test_another_signature_type_is_refused(hot: Home, plain: bytes, kind: int) -> None:
    payload = edited(plain, into={b"\x03": kind.to_bytes(4, "little")})

    assert "input.sighash" == code_of(hot, request_of(payload))


def test_a_finished_input_is_refused(hot: Home, plain: bytes) -> None:
    assert "input.kind" == code_of(hot, request_of(edited(plain, into={b"\x07": b"\x51"})))


def test_a_taproot_key_in_another_vault_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, into={b"\x17": bytes(32)})

    assert "input.script" == code_of(hot, request_of(payload))


def test_an_amount_without_its_transaction_is_refused(hot: Home, plain: bytes) -> None:
    assert "input.unproven" == code_of(hot, request_of(edited(plain, into={b"\x00": None})))


def test_an_amount_that_its_transaction_contradicts_is_refused(hot: Home, plain: bytes) -> None:
    lie = TxOutput(sats=1, script=Psbt.parse(plain).spent_output(0).script)
    payload = edited(plain, into={b"\x01": serialize_output(lie)})

    assert "input.unproven" == code_of(hot, request_of(payload))


def test_another_previous_transaction_is_refused(hot: Home, plain: bytes) -> None:
    other = coin(utxo_vault(hot, "bitcoin-hot"), 900_000_000).raw_tx

    assert "psbt.unproven_amount" == code_of(hot, request_of(edited(plain, into={b"\x00": other})))


def test_an_amount_that_was_another_before_is_refused(hot: Home, plain: bytes) -> None:
    outpoint = str(Psbt.parse(plain).inputs[0].outpoint)
    memory = KnownMemory(outpoints={outpoint: 149_999_999})

    assert "input.amount_conflict" == code_of(hot, request_of(plain), memory=memory)
    same = KnownMemory(outpoints={outpoint: 150_000_000})
    assert 150_000_000 == checked(hot, request_of(plain), memory=same).outpoints[outpoint]


def test_an_input_without_origin_is_foreign(hot: Home, plain: bytes) -> None:
    origins = {key: None for key in Psbt.parse(plain).inputs[0].pairs if key[0] == 0x06}

    assert "input.foreign" == code_of(hot, request_of(edited(plain, into=origins)))


def test_an_input_at_another_index_is_foreign(hot: Home, plain: bytes) -> None:
    pairs = Psbt.parse(plain).inputs[0].pairs
    moved = {k: v[:-4] + (9).to_bytes(4, "little") for k, v in pairs.items() if k[0] == 0x06}

    assert "input.foreign" == code_of(hot, request_of(edited(plain, into=moved)))


def test_an_input_of_another_vault_is_foreign(hot: Home) -> None:
    """A cold coin offered to the hot vault's signer, with the cold vault's own origins."""
    hot_vault, cold = utxo_vault(hot, "bitcoin-hot"), utxo_vault(hot, "bitcoin-cold")
    payload = build(
        coins=[coin(cold, 150_000_000)],
        outputs=[customer(), change_to(hot_vault, 49_990_000)],
        vaults={hot_vault.name: hot_vault, cold.name: cold},
    )

    assert "input.foreign" == code_of(hot, request_of(payload))


def test_another_witness_script_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, into={b"\x05": b"\x51"})

    assert "input.script" == code_of(hot, request_of(payload))


def test_a_stray_redeem_script_is_refused(hot: Home, plain: bytes) -> None:
    assert "input.script" == code_of(hot, request_of(edited(plain, into={b"\x04": b"\x51"})))


def test_a_foreign_origin_beside_ours_is_refused(hot: Home, plain: bytes) -> None:
    pairs = Psbt.parse(plain).inputs[0].pairs
    stranger = hot.unlocked().chain.node((7,)).public_key
    value = next(v for k, v in pairs.items() if k[0] == 0x06)

    payload = edited(plain, into={b"\x06" + stranger: value})

    assert "input.origin" == code_of(hot, request_of(payload))


def test_an_unapproved_output_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    thief = Payout(script=b"\x00\x14" + bytes(20), sats=40_000_000)
    payload = paying(
        hot, [coin(vault, 150_000_000)], customer(), thief, change_to(vault, 9_990_000)
    )

    assert "output.not_approved" == code_of(hot, request_of(payload))


def test_another_amount_than_approved_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, tx=with_output(0, sats=100_000_001))

    assert "output.not_approved" == code_of(hot, request_of(payload))


def test_an_approved_payee_left_out_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    payload = paying(hot, [coin(vault, 150_000_000)], change_to(vault, 149_990_000))

    assert "payees.missing" == code_of(hot, request_of(payload))


def test_an_output_without_address_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    data = Payout(script=b"\x6a\x04abcd", sats=1)
    payload = paying(
        hot, [coin(vault, 150_000_000)], customer(), data, change_to(vault, 49_990_000)
    )

    assert "output.script" == code_of(hot, request_of(payload))


def test_an_output_of_nothing_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    payload = paying(hot, [coin(vault, 100_010_000)], customer(), change_to(vault, 0))

    assert "amount.range" == code_of(hot, request_of(payload))


def test_more_money_than_there_is_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, tx=with_output(1, sats=PARAMS.money_sats_max + 1))

    assert "amount.range" == code_of(hot, request_of(payload))


def test_an_input_of_more_than_there_is_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, PARAMS.money_sats_max + 1)]

    assert "amount.range" == code_of(
        hot, request_of(paying(hot, coins, customer(), change_to(vault, 1_000)))
    )


def test_an_input_of_nothing_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, 150_000_000), coin(vault, 0, 4)]
    payload = paying(hot, coins, customer(), change_to(vault, 49_990_000))

    assert "amount.range" == code_of(hot, request_of(payload))


def test_inputs_of_more_than_there_is_together_are_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, PARAMS.money_sats_max, index) for index in range(2)]

    assert "amount.range" == code_of(
        hot, request_of(paying(hot, coins, customer(), change_to(vault, 1_000)))
    )


def test_more_out_than_in_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    payload = paying(hot, [coin(vault, 150_000_000)], customer(), change_to(vault, 50_000_001))

    assert "amount.negative_fee" == code_of(hot, request_of(payload))


def test_tampered_change_is_refused(hot: Home, plain: bytes) -> None:
    """The same m-of-n with a foreign key, still claiming our origins."""
    payload = edited(plain, tx=with_output(1, script=b"\x00\x20" + bytes(32)))

    assert "change.foreign" == code_of(hot, request_of(payload))


def test_change_to_the_receive_branch_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    back = change_to(vault, 49_990_000, branch=0)
    payload = paying(hot, [coin(vault, 150_000_000)], customer(), back)

    assert "change.path" == code_of(hot, request_of(payload))


def test_change_beyond_the_gap_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")

    def to(index: int) -> SignRequest:
        back = change_to(vault, 49_995_000, index)
        return request_of(paying(hot, [coin(vault, 150_000_000)], customer(), back))

    assert 200 == checked(hot, to(200)).change[0].index
    assert "change.index" == code_of(hot, to(201))
    assert 300 == checked(hot, to(300), memory=KnownMemory(change=100)).change[0].index
    assert "change.index" == code_of(hot, to(301), memory=KnownMemory(change=100))


def test_change_with_another_script_is_refused(hot: Home, plain: bytes) -> None:
    payload = edited(plain, out={b"\x01": b"\x51"})

    assert "change.script" == code_of(hot, request_of(payload))


def test_change_with_a_foreign_origin_is_refused(hot: Home, plain: bytes) -> None:
    pairs = Psbt.parse(plain).outputs[1].pairs
    stranger = hot.unlocked().chain.node((7,)).public_key
    value = next(v for k, v in pairs.items() if k[0] == 0x02)

    assert "change.origin" == code_of(
        hot, request_of(edited(plain, out={b"\x02" + stranger: value}))
    )


def test_a_fee_above_the_absolute_cap_is_refused(hot: Home) -> None:
    vault = utxo_vault(hot, "bitcoin-hot")
    coins = [coin(vault, 60_000_000, index) for index in range(12)]

    def of(fee_sats: int) -> SignRequest:
        change = change_to(vault, 620_000_000 - fee_sats)
        return request_of(paying(hot, coins, customer(), change))

    assert 50_000 == checked(hot, of(50_000)).fee_units
    assert "fee.absolute" == code_of(hot, of(50_001))


def test_a_fee_rate_above_the_cap_is_refused(hot: Home) -> None:
    assert 9_450 == checked(hot, request_of(a_psbt(hot, fee_sats=9_450))).fee_units
    assert "fee.rate" == code_of(hot, request_of(a_psbt(hot, fee_sats=9_451)))


def test_a_fee_above_its_share_is_refused(hot: Home) -> None:
    def of(sats: int) -> SignRequest:
        intent = an_intent(payees=(Payee(address=CUSTOMER, units=sats),))
        return a_request(a_psbt(hot, intent, fee_sats=5_000), intent)

    assert 50_000 == checked(hot, of(50_000)).units
    assert "fee.share" == code_of(hot, of(49_999))


def test_a_litecoin_vault_reads_litecoin_addresses(hot: Home) -> None:
    vault = utxo_vault(hot, "litecoin-hot")
    address = addresses.encode(BUILTIN[LTC], CUSTOMER_SCRIPT)
    intent: Intent = an_intent(
        network=LTC,
        asset="LTC",
        source=vault.name,
        payees=(Payee(address=address, units=100_000_000),),
    )
    place = OwnPlace(source=vault.name, branch=1, index=0)
    change = Payout(script=vault.script_pubkey_at(1, 0), sats=49_990_000, place=place)
    payload = build(
        coins=[coin(vault, 150_000_000)], outputs=[customer(), change], vaults={vault.name: vault}
    )

    facts = checked(hot, a_request(payload, intent, network=LTC, source=vault.name))

    assert ("LTC", address) == (facts.asset, facts.payees[0].address)
    bitcoin = replace(intent, payees=(Payee(address=CUSTOMER, units=100_000_000),))
    assert "output.not_approved" == code_of(
        hot, a_request(payload, bitcoin, network=LTC, source=vault.name)
    )


def a_reshape(hot: Home, payee_of: str = "bitcoin-hot") -> SignRequest:
    """Two coins of the hot vault become one at a vault's next receive address."""
    own_vault, payee_vault = utxo_vault(hot, "bitcoin-hot"), utxo_vault(hot, payee_of)
    script = payee_vault.script_pubkey_at(0, 9)
    address = addresses.encode(PARAMS, script)
    payees = (Payee(address=address, units=100_000_000),)
    payload = paying(
        hot,
        [coin(own_vault, 60_000_000, 4), coin(own_vault, 40_010_000, 5)],
        Payout(script=script, sats=100_000_000),
    )
    own = OwnOutput(address=address, source=payee_of, branch=0, index=9)
    return a_request(payload, an_intent(purpose=Purpose.RESHAPE, payees=payees), own=(own,))


def test_a_reshape_pays_the_very_vault_that_it_spends(hot: Home) -> None:
    facts = checked(hot, a_reshape(hot))

    (payee,) = facts.payees
    assert (Owner.HOT, "bitcoin-hot", "0/9") == (payee.owner, payee.source, payee.path)
    assert (10_000, ()) == (facts.fee_units, facts.change)


def test_a_reshape_to_another_hot_vault_is_refused(hot: Home) -> None:
    vaults = {**hot.vaults, "bitcoin-cold": replace(hot.vaults["bitcoin-cold"], role=Role.HOT)}

    assert "reshape.other_vault" == code_of(hot, a_reshape(hot, "bitcoin-cold"), vaults=vaults)


def test_a_reshape_to_cold_is_refused(hot: Home) -> None:
    assert "purpose.wrong_payee" == code_of(hot, a_reshape(hot, "bitcoin-cold"))


def test_a_reshape_to_a_stranger_is_refused(hot: Home, plain: bytes) -> None:
    assert "purpose.wrong_payee" == code_of(hot, request_of(plain, purpose=Purpose.RESHAPE))


def test_a_reshape_without_its_payees_origin_is_refused(hot: Home) -> None:
    assert "purpose.wrong_payee" == code_of(hot, replace(a_reshape(hot), own=()))


@pytest.mark.parametrize("role", [Role.COLD, Role.DEPOSIT])
def test_only_a_hot_vault_reshapes(hot: Home, role: Role) -> None:
    vaults = {**hot.vaults, "bitcoin-hot": replace(hot.vaults["bitcoin-hot"], role=role)}

    assert "purpose.wrong_source" == code_of(hot, a_reshape(hot), vaults=vaults)

"""The second implementation agrees with what we build, and notices every difference."""

from dataclasses import dataclass, replace

import embit.script
import embit.transaction
import pytest

from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.second_parser import ParsersDisagree, SecondParser
from chains.utxo.second_taproot import signed_by_key
from chains.utxo.transactions import Transaction
from tests.utxo_world import TestKey, coin, sign_all, vault

PAYEE = b"\x51\x20" + b"\x09" * 32


@dataclass(frozen=True, slots=True)
class Spent:
    """An output as our own records have it."""

    txid: str
    vout: int
    units: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Paid:
    """An output as planned."""

    units: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Case:
    """A signed transaction and the plan behind it."""

    raw: bytes
    spent: list[Spent]
    paid: list[Paid]


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> SecondParser:
    return SecondParser(tmp_path_factory.mktemp("bitcoinlib"))


def _case(template: Template) -> Case:
    owner = vault(template)
    coins: list[Coin] = [coin(owner, index, 100_000 + index) for index in range(2)]
    outputs = [
        Payout(script=PAYEE, sats=60_000),
        Payout(
            script=owner.script_pubkey_at(1, 3),
            sats=40_000,
            place=OwnPlace(source="hot", branch=1, index=3),
        ),
    ]
    raw = build(coins=coins, outputs=outputs, vaults={"hot": owner})
    signers = (1,) if len(owner.keys) == 1 else (2, 3)
    return Case(
        raw=finalize(add_signatures(raw, sign_all(raw, signers))),
        spent=[
            Spent(
                one.outpoint.txid,
                one.outpoint.vout,
                one.sats,
                owner.script_pubkey_at(0, one.place.index),
            )
            for one in coins
        ],
        paid=[Paid(output.sats, output.script) for output in outputs],
    )


WSH = _case(Template.WSH_MULTI)


@pytest.mark.parametrize("template", list(Template))
def test_agrees_on_every_template(parser: SecondParser, template: Template) -> None:
    case = _case(template)

    parser("litecoin-regtest", case.raw, case.spent, case.paid)


TAPROOT = _case(Template.TR)


def _signed_as(kind: bytes) -> Case:
    """The taproot case with valid signatures of a type that we never make."""
    tx = Transaction.parse(TAPROOT.raw)
    seen = embit.transaction.Transaction.parse(TAPROOT.raw)
    key = TestKey.of(1)
    inputs = []
    for index, one in enumerate(tx.inputs):
        digest = seen.sighash_taproot(
            index,
            [embit.script.Script(spent.script) for spent in TAPROOT.spent],
            [spent.units for spent in TAPROOT.spent],
            sighash=kind[0],
        )
        secret = key.root.derive(f"m/48h/1h/0h/2h/0/{index}").key.taproot_tweak()
        inputs.append(replace(one, witness=(secret.schnorr_sign(digest).serialize() + kind,)))
    return replace(TAPROOT, raw=replace(tx, inputs=tuple(inputs)).serialize())


@pytest.mark.parametrize("kind", [b"\x01", b"\x02", b"\x03", b"\x81"])
def test_taproot_signatures_of_another_type_are_refused(parser: SecondParser, kind: bytes) -> None:
    case = _signed_as(kind)
    assert _disagrees(parser, case)
    coins = [(one.units, one.script) for one in case.spent]

    assert not signed_by_key(case.raw, 0, coins)
    assert signed_by_key(TAPROOT.raw, 0, coins)


def test_changed_taproot_witnesses_are_noticed(parser: SecondParser) -> None:
    tx = Transaction.parse(TAPROOT.raw)
    (good,), (other,) = tx.inputs[0].witness, tx.inputs[1].witness
    flipped = good[:40] + bytes([good[40] ^ 1]) + good[41:]
    for witness in (
        (other,),
        (flipped,),
        (good + b"\x00",),
        (good[:63],),
        (good, b"\x50annex"),
        (good, b"\x51", b"\xc0" + bytes(32)),
        (bytes(64),),
    ):
        inputs = (replace(tx.inputs[0], witness=witness), tx.inputs[1])
        changed = replace(TAPROOT, raw=replace(tx, inputs=inputs).serialize())
        assert _disagrees(parser, changed)


def test_taproot_signatures_bind_every_amount_and_script(parser: SecondParser) -> None:
    first, second = TAPROOT.spent
    other = vault(Template.TR, (7,)).script_pubkey_at(0, 0)
    for spent in (
        [replace(first, units=first.units + 1), second],
        [first, replace(second, units=second.units + 1)],
        [replace(first, script=other), second],
    ):
        assert "signatures" in _disagrees(parser, replace(TAPROOT, spent=spent))


def test_inputs_of_both_kinds_are_each_verified(parser: SecondParser) -> None:
    owners = {"hot": vault(Template.WPKH), "tap": vault(Template.TR, (2,), name="tap")}
    coins = [
        coin(owners["hot"], 0, 100_000),
        replace(coin(owners["tap"], 1, 100_000), place=OwnPlace(source="tap", branch=0, index=1)),
    ]
    raw = build(coins=coins, outputs=[Payout(script=PAYEE, sats=190_000)], vaults=owners)
    spent = [
        Spent(one.outpoint.txid, one.outpoint.vout, one.sats, owners[name].script_pubkey_at(0, at))
        for at, (one, name) in enumerate(zip(coins, owners, strict=True))
    ]
    case = Case(
        raw=finalize(add_signatures(raw, sign_all(raw, (1, 2)))),
        spent=spent,
        paid=[Paid(190_000, PAYEE)],
    )
    parser("bitcoin-regtest", case.raw, case.spent, case.paid)
    tx = Transaction.parse(case.raw)
    for at, witness in (
        (0, (tx.inputs[0].witness[0][:-5] + bytes(4) + b"\x01",)),
        (1, (bytes(64),)),
    ):
        changed = list(tx.inputs)
        changed[at] = replace(changed[at], witness=(*witness, *tx.inputs[at].witness[1:]))
        _disagrees(parser, replace(case, raw=replace(tx, inputs=tuple(changed)).serialize()))


def _disagrees(parser: SecondParser, case: Case) -> str:
    with pytest.raises(ParsersDisagree) as caught:
        parser("bitcoin-regtest", case.raw, case.spent, case.paid)
    return str(caught.value)


def test_other_plans_are_noticed(parser: SecondParser) -> None:
    first, second = WSH.spent
    for spent in ([first], [second, first], [replace(first, vout=0), second]):
        assert "spends other" in _disagrees(parser, replace(WSH, spent=spent))
    for paid in (
        WSH.paid[:1],
        WSH.paid[::-1],
        [replace(WSH.paid[0], units=60_001), WSH.paid[1]],
        [replace(WSH.paid[0], script=b"\x51"), WSH.paid[1]],
    ):
        assert "pays other" in _disagrees(parser, replace(WSH, paid=paid))


def test_another_input_amount_breaks_the_signatures(parser: SecondParser) -> None:
    spent = [replace(WSH.spent[0], units=100_001), WSH.spent[1]]

    assert "signatures" in _disagrees(parser, replace(WSH, spent=spent))


def test_another_input_script_is_noticed(parser: SecondParser) -> None:
    other = vault(Template.WSH_MULTI, (7, 8, 9)).script_pubkey_at(0, 0)

    assert "another script" in _disagrees(
        parser, replace(WSH, spent=[replace(WSH.spent[0], script=other), WSH.spent[1]])
    )


def test_changed_signature_is_noticed(parser: SecondParser) -> None:
    tx = Transaction.parse(WSH.raw)
    stack = list(tx.inputs[0].witness)
    for at, changed in ((1, tx.inputs[1].witness[1]), (2, tx.inputs[1].witness[2])):
        witness = (*stack[:at], changed, *stack[at + 1 :])
        inputs = (replace(tx.inputs[0], witness=witness), tx.inputs[1])
        raw = replace(tx, inputs=inputs).serialize()

        assert "signatures" in _disagrees(parser, replace(WSH, raw=raw))


def test_other_signature_types_are_noticed(parser: SecondParser) -> None:
    tx = Transaction.parse(WSH.raw)
    empty, first, *rest = tx.inputs[0].witness
    inputs = (
        replace(tx.inputs[0], witness=(empty, first[:-1] + b"\x03", *rest)),
        tx.inputs[1],
    )

    _disagrees(parser, replace(WSH, raw=replace(tx, inputs=inputs).serialize()))


@pytest.mark.parametrize("raw", [b"", b"\x00", WSH.raw[:50], WSH.raw[:-1], WSH.raw + b"\x00"])
def test_unreadable_bytes_are_a_disagreement(parser: SecondParser, raw: bytes) -> None:
    _disagrees(parser, replace(WSH, raw=raw))

"""The second implementation agrees with what we build, and notices every difference."""

from dataclasses import dataclass, replace

import pytest

from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.psbt_roles import add_signatures, build, finalize
from chains.utxo.second_parser import ParsersDisagree, SecondParser
from chains.utxo.transactions import Transaction
from tests.utxo_world import coin, sign_all, vault

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


@pytest.mark.parametrize("template", [one for one in Template if one is not Template.TR])
def test_agrees_on_every_template(parser: SecondParser, template: Template) -> None:
    case = _case(template)

    parser("litecoin-regtest", case.raw, case.spent, case.paid)


def test_what_it_cannot_verify_is_not_agreed_on(parser: SecondParser) -> None:
    """bitcoinlib has no BIP-340: a taproot spend needs another second opinion."""
    case = _case(Template.TR)

    with pytest.raises(ParsersDisagree):
        parser("bitcoin", case.raw, case.spent, case.paid)


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

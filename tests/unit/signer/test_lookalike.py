"""Address poisoning: an address that begins and ends like a known one is shouted about."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chains.utxo import addresses
from chains.utxo.params import BUILTIN
from signer.__main__ import build_app
from signer.home import Home
from signer.lookalike import outline
from signer.protocol import Payee, Result, SignRequest
from signer.registry import address_at
from tests.signer_world import (
    BTC,
    CONFIG,
    CUSTOMER,
    CUSTOMER_EVM,
    NOW_S,
    PASSPHRASE,
    POLICY,
    World,
    a_psbt,
    a_request,
    an_intent,
    answer_of,
    engine,
    sealed,
)

ATTENDED = POLICY.replace("unattended = true", "unattended = false")


def paying(home: Home, address: str, name: str) -> SignRequest:
    intent = an_intent(name, payees=(Payee(address=address, units=1_000_000),))
    return a_request(a_psbt(home, intent), intent)


@pytest.fixture
def attended(hot: Home) -> Home:
    hot.configure(CONFIG.encode(), ATTENDED.encode(), NOW_S)
    return hot


def alike(known: str) -> str:
    """Another valid address with the outline of a known P2WPKH one.

    The last characters are a checksum, so what stands before them is tried until it fits.
    """
    params = BUILTIN[BTC]
    program = bytearray(addresses.parse(params, known).target[2:])
    for tried in range(2**24):
        program[6:14] = hashlib.sha256(tried.to_bytes(4, "big")).digest()[:8]
        text = addresses.encode(params, b"\x00\x14" + bytes(program))
        if outline(text) == outline(known):
            return text
    raise AssertionError("none found")


@pytest.mark.parametrize(
    ("known", "other", "same"),
    [
        (CUSTOMER_EVM, "0xC0fF00000000000000000000000000000000" + CUSTOMER_EVM[-4:], True),
        (CUSTOMER_EVM, "0xC0fF000000000000000000000000000000000000", False),
        (CUSTOMER_EVM, "0xC0ff" + CUSTOMER_EVM[6:-1] + "0", False),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "1BoaTxxxxxxxxxxxxxxxxxxxxxxxxxtPYT", True),
        ("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "3BoatSLRHtKNngkdXEeobR76b53LETtpyT", True),
        ("bc1qrp33g0q5c5txsp9arysrx4xj0g", "bc1qrp33qqqqqqqqqqqqqqqqq4xj0g", True),
        ("bc1qrp33g0q5c5txsp9arysrx4xj0g", "bc1qrp3zqqqqqqqqqqqqqqqqq4xj0g", False),
        ("bc1qrp33g0q5c5txsp9arysrx4xj0g", "BC1QRP33QQQQQQQQQQQQQQQQQ4XJ0G", True),
    ],
)  # fmt: skip
def test_an_outline_is_what_a_hurried_eye_compares(known: str, other: str, same: bool) -> None:
    assert (outline(known) == outline(other)) == same


def test_what_all_addresses_share_is_not_compared() -> None:
    assert outline("bcrt1qacdeqqqqqqqqqqqqqqqqqqqqwxyz") == "acde..wxyz"
    assert outline("0x" + "ab" * 20) == "abab..abab"


@pytest.fixture
def short_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two characters at either end, so that a test finds a look-alike in a moment."""
    monkeypatch.setattr("signer.lookalike.SHOWN", 2)


@pytest.mark.usefixtures("short_sight")
def test_a_payee_like_one_paid_before_is_shouted_about(attended: Home) -> None:
    engine(attended).sign(sealed(paying(attended, CUSTOMER, "w1")))
    other = alike(CUSTOMER)

    review = engine(attended).review(sealed(paying(attended, other, "w2")))

    assert [(alarm.payee, alarm.known) for alarm in review.alarms] == [(other, CUSTOMER)]
    assert review.lines[0].startswith("!!! LOOK-ALIKE: bcrt 1q")
    assert "NOT the known address" in review.lines[1]
    assert not engine(attended).review(sealed(paying(attended, CUSTOMER, "w3"))).alarms


@pytest.mark.usefixtures("short_sight")
def test_memory_of_payees_outlives_the_process(world: World) -> None:
    home = world.open("hot")
    engine(home).sign(sealed(paying(home, CUSTOMER, "w1")))
    home.close()

    home = world.open("hot")
    assert home.state.payees_like(BTC, alike(CUSTOMER)) == {CUSTOMER}
    home.close()


@pytest.mark.usefixtures("short_sight")
def test_where_nobody_reads_a_warning_it_is_a_refusal(hot: Home) -> None:
    engine(hot).sign(sealed(paying(hot, CUSTOMER, "w1")))

    answer = answer_of(engine(hot).sign(sealed(paying(hot, alike(CUSTOMER), "w2"))), hot)

    assert (answer.result, answer.code) == (Result.REFUSED, "payee.look_alike")


@pytest.mark.usefixtures("short_sight")
def test_an_address_like_our_own_vaults_is_noticed(attended: Home) -> None:
    own = address_at(attended.vaults["ethereum-hot"].vault, attended.networks, 0, 0)
    known = own[:4] + "00" * 18 + own[-2:]
    reviewer = engine(attended)

    assert own in reviewer._own.like(outline(known), "ethereum-31337", attended)
    assert not reviewer._own.like(outline(known), BTC, attended)
    receiving = address_at(attended.vaults["bitcoin-hot"].vault, attended.networks, 0, 19)
    assert receiving in reviewer._own.like(outline(receiving), BTC, attended)


@pytest.mark.usefixtures("short_sight")
def test_the_policys_book_knows_addresses_too(hot: Home) -> None:
    book = f'[[book]]\nnetwork = "{BTC}"\naddress = "{CUSTOMER}"\nadded_s = 1\n'
    hot.configure(CONFIG.encode(), (ATTENDED + book).encode(), NOW_S)
    other = alike(CUSTOMER)

    assert engine(hot).review(sealed(paying(hot, other, "w1"))).alarms[0].known == CUSTOMER
    assert not engine(hot).review(sealed(paying(hot, CUSTOMER, "w2"))).alarms
    listed = book + book.replace(CUSTOMER, other)
    hot.configure(CONFIG.encode(), (ATTENDED + listed).encode(), NOW_S)
    assert not engine(hot).review(sealed(paying(hot, other, "w3"))).alarms


@pytest.mark.usefixtures("short_sight")
@pytest.mark.parametrize(
    ("typed", "signed"), [("y\n", False), ("y\n\n", False), ("y\ny\n", True), ("\n", False)]
)
def test_a_person_is_asked_once_more(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, signed: bool
) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)
    home = world.open("hot")
    home.configure(CONFIG.encode(), ATTENDED.encode(), NOW_S)
    engine(home).sign(sealed(paying(home, CUSTOMER, "w1")))
    (tmp_path / "r").write_bytes(sealed(paying(home, alike(CUSTOMER), "w2")))
    home.close()
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    options = {"--home": world.root / "hot", "--request": tmp_path / "r", "--out": tmp_path / "a",
               "--passphrase-file": tmp_path / "passphrase"}  # fmt: skip
    arguments = [str(part) for pair in options.items() for part in pair]

    result = CliRunner().invoke(build_app(), ["sign", *arguments, "--json"], input=typed)

    assert (result.exit_code == 0) == signed, result.output
    told = json.loads(result.stdout.splitlines()[-1])
    assert told.get("result") == "signed" if signed else told["code"] == "person.declined"

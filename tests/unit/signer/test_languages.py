"""The confirmation in four languages: all of it, with every value, and a yes that means yes."""

import io
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from policies.decision import Decision, Outcome, allow
from signer.__main__ import build_app
from signer.config import ConfigError, load_config
from signer.display import grouped, review_lines
from signer.guards.facts import NetworkRules, Owner, PayeeFact, SpendFacts
from signer.home import Home
from signer.languages import CATALOGUE, Language, Message, accepted, say
from signer.lookalike import LookAlike
from signer.prompting import confirmed
from signer.protocol import Payee, Purpose, check_words
from tests.signer_world import (
    CONFIG,
    CUSTOMER,
    NOW_S,
    PASSPHRASE,
    POLICY,
    World,
    a_withdrawal,
    an_intent,
    engine,
    sealed,
)

OTHERS = [language for language in Language if language is not Language.ENGLISH]
CHINESE = {Language.SIMPLIFIED_CHINESE, Language.TRADITIONAL_CHINESE}


def values_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", Language)
def test_every_language_says_everything_with_the_same_values(language: Language) -> None:
    messages = CATALOGUE[language]

    assert set(messages) == set(Message)
    for message, text in messages.items():
        assert values_in(text) == values_in(CATALOGUE[Language.ENGLISH][message]), message
        assert text.strip() == text
        assert text


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_is_not_english_with_another_name(language: Language) -> None:
    same = [m for m in Message if CATALOGUE[language][m] == CATALOGUE[Language.ENGLISH][m]]

    assert same == []


def test_every_purpose_owner_and_passed_rule_has_words() -> None:
    names = set(Message)
    assert {f"purpose.{purpose}" for purpose in Purpose} <= names
    assert {f"owner.{owner}" for owner in Owner} <= names
    rules = ("caps", "destinations", "approvals", "fees")
    assert {f"policy.{rule}.passed" for rule in rules} <= names


@pytest.mark.parametrize("language", Language)
def test_a_review_has_the_same_facts_in_every_language(hot: Home, language: Language) -> None:
    request = sealed(a_withdrawal(hot))
    english = engine(hot).review(request).lines
    hot.configure(f'language = "{language}"\n{CONFIG}'.encode(), POLICY.encode(), NOW_S)

    lines = engine(hot).review(request).lines

    assert len(lines) == len(english)
    text = "\n".join(lines)
    facts = (
        grouped(CUSTOMER), "1 BTC (100000000)", "0.49995 BTC (49995000)", "26.456 sat/vB",
        "0.005 %", "[1/1]", "bitcoin-hot", "w1", "caps.passed",
        check_words(an_intent("w1").digest),
    )  # fmt: skip
    assert [fact for fact in facts if fact not in text] == []
    assert all(line.isprintable() for line in lines)
    assert (lines == english) == (language is Language.ENGLISH)


@pytest.mark.parametrize("language", Language)
def test_the_notes_of_guards_are_said_too(language: Language) -> None:
    address, token = "0x" + "ab" * 20, "0x" + "cd" * 20
    notes = (
        f"Safe {address} version 1.4.1, nonce 7",
        f"executes Safe ethereum-cold, {address}",
        f"token DUSD, 6 decimals, contract {token}",
        "REPLACES what this signer signed before with nonce 7",
        "safeTxHash 0x" + "11" * 32,
        "something new",
    )
    lines = shown(language, notes=notes)

    assert say(language, Message.REPLACES, nonce=7) in lines
    assert say(language, Message.CONTRACT, symbol="DUSD", decimals="6", address=token) in lines
    assert say(language, Message.SAFE, address=address, version="1.4.1", nonce="7") in lines
    assert say(language, Message.EXECUTES, name="ethereum-cold", address=address) in lines
    assert {"safeTxHash 0x" + "11" * 32, "something new"} <= set(lines)


@pytest.mark.parametrize("language", Language)
def test_a_look_alike_comes_first_in_every_language(language: Language) -> None:
    lines = shown(language, alarms=(LookAlike("payee", "known"),))

    assert lines[0] == say(language, Message.LOOK_ALIKE, address=grouped("payee"))
    assert lines[0].startswith("!!! ")
    assert "know n" in lines[1]


@pytest.mark.parametrize("language", Language)
@given(text=st.text(max_size=30))
@settings(max_examples=40)
def test_nothing_a_request_says_reaches_the_terminal_raw(language: Language, text: str) -> None:
    """Bidirectional marks, escapes and line breaks, in every field that a stranger fills."""
    lines = shown(language, stranger=text)

    assert all(line.isprintable() for line in lines)
    assert not any(mark in line for line in lines for mark in "\u202e\u2066\u200b\ufeff")


def shown(
    language: Language,
    notes: tuple[str, ...] = (),
    alarms: tuple[LookAlike, ...] = (),
    stranger: str = "w1",
) -> list[str]:
    rules = NetworkRules(
        id="n", asset="A", decimals=8, fee_units_max=1, fee_ppm_max=1, feerate_max=1
    )
    payee = PayeeFact(intent_id=stranger, address=stranger, units=1, owner=Owner.NONE)
    facts = SpendFacts(
        purpose=Purpose.WITHDRAWAL, network="n", asset="A", source="s", payees=(payee,),
        change=(), fee_units=1, size=1, feerate=1, snapshot=b"", jobs=(), notes=(*notes, stranger),
        nonce=(stranger, 1),
    )  # fmt: skip
    intent = an_intent(stranger, requester=stranger, payees=(Payee(address=stranger, units=1),))
    decision = Decision(
        outcome=Outcome.ALLOW, reasons=(allow("caps", stranger),), approvals_required=0,
        policy_hash="",
    )  # fmt: skip
    approvers = {intent.digest: frozenset({stranger})}
    return review_lines(facts, rules, [intent], approvers, decision, alarms, language)


@pytest.mark.parametrize(
    ("language", "answer", "agreed"),
    [
        *((language, "y", True) for language in Language),
        *((language, "YES ", True) for language in Language),
        *((language, "", False) for language in Language),
        *((language, "n", False) for language in Language),
        *((language, "是", language in CHINESE) for language in Language),
        *((language, "はい", language is Language.JAPANESE) for language in Language),
        *(
            (language, bad, False)
            for language in Language
            for bad in ("いいえ", "否", "yy", "是是")
        ),
    ],
)
def test_only_a_clear_yes_is_yes(
    language: Language, answer: str, agreed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer + "\n"))

    assert confirmed(["line"], "question", accepted(language)) == agreed


def test_the_end_of_input_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    assert not confirmed([], "question")


@pytest.mark.parametrize(
    ("language", "answer", "question"),
    [
        ("zh-Hans", "是", "确认按以上内容签名吗"),
        ("zh-Hant", "是", "確認依以上內容簽名嗎"),
        ("ja", "はい", "この内容のとおりに署名しますか"),
        ("en", "y", "Sign exactly this"),
    ],
)
def test_signing_speaks_the_language_that_is_asked_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    language: str, answer: str, question: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)
    home = world.open("hot")
    (tmp_path / "r").write_bytes(sealed(a_withdrawal(home)))
    home.close()
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    place = ["--home", str(world.root / "hot"), "--request", str(tmp_path / "r")]
    unlocking = ["--out", str(tmp_path / "a"), "--passphrase-file", str(tmp_path / "passphrase")]

    looked = CliRunner().invoke(build_app(), ["inspect", *place, "--language", language])
    done = CliRunner().invoke(
        build_app(), ["sign", *place, *unlocking, "--language", language], input=answer + "\n"
    )

    assert looked.stdout.splitlines()[0] in done.stderr
    assert question in done.stderr
    assert done.exit_code == 0, done.output


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="zh-Hant"):
        load_config(f'language = "fr"\n{CONFIG}'.encode(), POLICY.encode())

"""Ceremonies: nothing is skipped, nobody is left out, and no word of the transcript can change."""

import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from chains.utxo import addresses, transactions
from chains.utxo.params import BUILTIN
from chains.utxo.transactions import Transaction, TxInput, TxOutput
from signer import selfcheck
from signer.__main__ import build_app
from signer.backup.card import check_words
from signer.ceremony.deposits import evidence_of_deposit
from signer.ceremony.plan import (
    OPTIONAL,
    Participant,
    Plan,
    PlanInvalid,
    Role,
    Step,
    StepKind,
    plan_text,
)
from signer.ceremony.rules import ROLES
from signer.ceremony.transcript import Record, Transcript, TranscriptDamaged
from signer.cli import ceremony as ceremony_cli
from signer.errors import SignerError
from signer.keystore import PassphraseKek, decode_key
from signer.protocol import IdentityKey, digest, dump, public_key_of
from signer.storage import write_atomic
from tests.signer_world import BTC, NOW_S, PASSPHRASE

RUNNER = CliRunner()
PEOPLE = {
    "Ann": Role.COORDINATOR,
    "Ben": Role.CODE_VERIFIER,
    "Cleo": Role.CUSTODIAN,
    "Dan": Role.CUSTODIAN,
    "Eve": Role.SCRIBE,
    "Finn": Role.WITNESS,
}
SEEDS = {name: hashlib.sha256(name.encode()).digest() for name in PEOPLE}
SIGN = {name: IdentityKey(seed).sign for name, seed in SEEDS.items()}
SIGNERS = ("kh1", "kh2")
CHECKS = {"kh1": ("0a0b0c0d", "12345678"), "kh2": ("1a1b1c1d", "87654321")}
ALWAYS = [kind for kind in StepKind if kind not in OPTIONAL]
SHARES = {"share.1-1": "Cleo", "share.1-2": "Dan", "share.1-3": "Dan"}


class PowerCut(BaseException):
    """The process ends here."""


def participants(**changes: Any) -> list[Participant]:
    return [
        Participant(name, changes.get(name, role), public_key_of(SEEDS[name]))
        for name, role in PEOPLE.items()
    ]


def a_plan() -> Plan:
    return Plan.parse(plan_text("cold", participants(), SIGNERS, ["bitcoin-cold"]).encode())


def evidence_of(step: Step) -> dict[str, str]:
    """What a good ceremony shows at a step."""
    fingerprint, check = CHECKS.get(step.subject, ("", "00000000"))
    match step.kind:
        case StepKind.MEDIA:
            return {"sha256.first": "ab" * 32, "sha256.second": "ab" * 32}
        case StepKind.SOFTWARE:
            return {"selfcheck": "passed 10 checks"}
        case StepKind.ENTROPY:
            return {"sources": "system generator,dice"}
        case StepKind.CHECK_VALUES:
            words = " ".join(check_words(check))
            return {"fingerprint": fingerprint, "check_value": check, "words": words}
        case StepKind.REGISTRATION:
            return {f"proof.{signer}": signer[2] * 64 for signer in SIGNERS}
        case StepKind.FIRST_ADDRESS:
            return {f"address.{signer}": "bcrt1q" + "x" * 50 for signer in SIGNERS}
        case StepKind.SHARES:
            return {"backup_id": "ab" * 8, "scheme": "1 of 3of3", **SHARES}
        case StepKind.DRILL:
            return {"destroyed": "yes", "fingerprint": fingerprint, "check_value": check}
        case StepKind.SEALS:
            return {share: f"{step.subject}/{share}" for share in SHARES}
        case StepKind.CLOSE | StepKind.TEST_DEPOSIT:
            return {}


def begun(plan: Plan | None = None) -> Transcript:
    return Transcript(plan or a_plan()).extended({}, SIGN, NOW_S)


@cache
def closed() -> Transcript:
    """A good ceremony; made once, because every step verifies all before it."""
    transcript = begun()
    while (due := transcript.progress().due) is not None:
        transcript = transcript.extended(evidence_of(due), SIGN, NOW_S)
    return transcript


def advanced(to: StepKind) -> Transcript:
    """That ceremony as it stood right before the first step of a kind."""
    plan = closed().plan
    count = next(place for place, step in enumerate(plan.steps) if step.kind is to)
    return Transcript(plan, closed().records[: count + 1])


@pytest.fixture
def whole() -> Transcript:
    return closed()


def code_of(act: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(SignerError) as refused:
        act(*arguments)
    return refused.value.code


def without(*names: str) -> dict[str, Callable[[bytes], bytes]]:
    return {name: sign for name, sign in SIGN.items() if name not in names}


def test_a_whole_ceremony_verifies_from_its_file(whole: Transcript) -> None:
    again = Transcript.decode(whole.encode())

    progress = again.complete()

    assert whole == again
    assert ("begin", *(step.id for step in a_plan().steps)) == progress.done
    assert "ceremony.finished" == code_of(lambda: again.extended({}, SIGN, NOW_S))


def test_the_plan_has_every_step_for_every_signer_and_vault() -> None:
    ids = [step.id for step in a_plan().steps]

    assert ["media-usb-1", "software", "entropy-kh1", "entropy-kh2"] == ids[:4]
    assert "drill-kh2" in ids
    assert "first-address-bitcoin-cold" in ids
    assert "close" == ids[-1]


def test_everybody_signs_the_plan_first() -> None:
    for name, role in PEOPLE.items():
        expected = "ceremony.signature_missing"
        if role is Role.WITNESS:
            expected = "ceremony.no_witness"
        empty = Transcript(a_plan())
        assert expected == code_of(empty.extended, {}, without(name), NOW_S)


@pytest.mark.parametrize("kind", ALWAYS)
def test_without_a_witness_every_step_stops(kind: StepKind) -> None:
    before = advanced(kind)
    due = before.progress().due
    assert due is not None

    code = code_of(lambda: before.extended(evidence_of(due), without("Finn"), NOW_S))

    assert "ceremony.no_witness" == code


@pytest.mark.parametrize("kind", ALWAYS)
def test_a_step_needs_everybody_it_names(kind: StepKind) -> None:
    before = advanced(kind)
    due = before.progress().due
    assert due is not None
    for role in ROLES[kind] - {Role.WITNESS}:
        names = [name for name, has in PEOPLE.items() if has is role]
        people = without(*names)
        code = code_of(before.extended, evidence_of(due), people, NOW_S)
        assert "ceremony.signature_missing" == code


def test_each_custodian_signs_for_own_shares() -> None:
    before = advanced(StepKind.SHARES)
    due = before.progress().due
    assert due is not None

    for name in ("Cleo", "Dan"):
        code = code_of(before.extended, evidence_of(due), without(name), NOW_S)
        assert "ceremony.signature_missing" == code


def test_at_the_close_both_custodians_sign() -> None:
    before = advanced(StepKind.CLOSE)

    assert "ceremony.signature_missing" == code_of(
        lambda: before.extended({}, without("Dan"), NOW_S)
    )


WRONG: Sequence[tuple[StepKind, str, Mapping[str, str | None]]] = (
    (StepKind.MEDIA, "ceremony.not_equal", {"sha256.second": "cd" * 32}),
    (StepKind.MEDIA, "ceremony.evidence_wrong", {"sha256.second": None}),
    (StepKind.MEDIA, "ceremony.evidence_wrong", {"sha256.second": "AB" * 32}),
    (StepKind.MEDIA, "ceremony.evidence_wrong", {"more": "x"}),
    (StepKind.SOFTWARE, "ceremony.evidence_wrong", {"selfcheck": "failed"}),
    (StepKind.ENTROPY, "ceremony.evidence_wrong", {"sources": "system generator"}),
    (StepKind.ENTROPY, "ceremony.evidence_wrong", {"sources": "dice,dice"}),
    (StepKind.CHECK_VALUES, "ceremony.not_equal", {"words": "zoo zoo zoo"}),
    (StepKind.CHECK_VALUES, "ceremony.evidence_wrong", {"fingerprint": "xyz"}),
    (StepKind.REGISTRATION, "ceremony.evidence_wrong", {"proof.kh2": None}),
    (StepKind.REGISTRATION, "ceremony.evidence_wrong", {"proof.kh3": "33" * 32}),
    (StepKind.FIRST_ADDRESS, "ceremony.not_equal", {"address.kh2": "bcrt1q" + "y" * 50}),
    (StepKind.FIRST_ADDRESS, "ceremony.evidence_wrong", {"address.kh2": None}),
    (StepKind.SHARES, "ceremony.evidence_wrong", {"share.1-3": None}),
    (StepKind.SHARES, "ceremony.evidence_wrong", {"share.1-4": "Dan"}),
    (StepKind.SHARES, "ceremony.evidence_wrong", {"share.1-3": "Eve"}),
    (StepKind.SHARES, "ceremony.evidence_wrong", {"scheme": "all of them"}),
    (StepKind.SHARES, "ceremony.quorum_in_one_hand", {"scheme": "1 of 2of3"}),
    (StepKind.SHARES, "backup.scheme_invalid", {"scheme": "2 of 3of3"}),
    (StepKind.DRILL, "ceremony.not_equal", {"check_value": "12345679"}),
    (StepKind.DRILL, "ceremony.not_equal", {"fingerprint": "0a0b0c0e"}),
    (StepKind.DRILL, "ceremony.evidence_wrong", {"destroyed": "no"}),
    (StepKind.SEALS, "ceremony.evidence_wrong", {"share.1-1": None}),
    (StepKind.SEALS, "ceremony.evidence_wrong", {"share.1-1": "kh1/share.1-2"}),
    (StepKind.SEALS, "ceremony.evidence_wrong", {"share.1-1": "\x1b[2Jxx"}),
    (StepKind.CLOSE, "ceremony.evidence_wrong", {"note": "all well"}),
)


@pytest.mark.parametrize(("kind", "code", "change"), WRONG)
def test_a_step_that_shows_something_else_stops(
    kind: StepKind, code: str, change: Mapping[str, str | None]
) -> None:
    before = advanced(kind)
    due = before.progress().due
    assert due is not None
    changed = {**evidence_of(due), **change}
    evidence = {name: value for name, value in changed.items() if value is not None}

    assert code == code_of(lambda: before.extended(evidence, SIGN, NOW_S))


def test_seals_of_two_signers_differ() -> None:
    before = advanced(StepKind.SEALS)
    first = before.progress().due
    assert first is not None
    after = before.extended(evidence_of(first), SIGN, NOW_S)

    assert "ceremony.evidence_wrong" == code_of(
        lambda: after.extended(evidence_of(first), SIGN, NOW_S)
    )


def test_a_step_cannot_be_skipped_or_done_twice(whole: Transcript) -> None:
    records = whole.records
    chains = {
        "skipped": (*records[:3], *records[4:]),
        "twice": (*records[:4], *records[3:]),
        "swapped": (*records[:3], records[4], records[3], *records[5:]),
        "without begin": records[1:],
        "one more": (*records, records[-1]),
    }
    for changed in chains.values():
        forged = Transcript(whole.plan, changed)
        assert "ceremony.transcript_damaged" == code_of(forged.progress)


def test_a_skipped_step_stops_even_if_everybody_signs_it() -> None:
    """All of them together, with a chain made anew, still cannot leave out a step."""
    transcript = begun()
    later = transcript.plan.steps[1]
    body = dump(
        {
            "v": 1,
            "seq": 1,
            "time_s": NOW_S,
            "previous": transcript.records[0].head,
            "step": later.id,
            "evidence": evidence_of(later),
        }
    )
    sigs = tuple((name, sign(digest("ceremony", body))) for name, sign in SIGN.items())
    forged = Transcript(transcript.plan, (*transcript.records, Record(body=body, sigs=sigs)))

    assert "ceremony.out_of_order" == code_of(forged.progress)


def test_a_transcript_cut_at_its_end_is_incomplete(whole: Transcript) -> None:
    for count in range(len(whole.records)):
        cut = Transcript(whole.plan, whole.records[:count])
        assert "ceremony.incomplete" == code_of(cut.complete)


def test_any_changed_byte_is_noticed(whole: Transcript) -> None:
    data = whole.encode()
    for place in range(0, len(data), 997):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(SignerError):
            Transcript.decode(changed).complete()


def test_signatures_of_strangers_and_copies_are_refused(whole: Transcript) -> None:
    last = whole.records[-1]
    for sigs in (
        (("Zoe", last.sigs[0][1]), *last.sigs[1:]),
        (*last.sigs, last.sigs[-1]),
        ((last.sigs[0][0], last.sigs[1][1]), *last.sigs[1:]),
        last.sigs[::-1],
    ):
        forged = Transcript(whole.plan, (*whole.records[:-1], Record(body=last.body, sigs=sigs)))
        assert "ceremony.transcript_damaged" == code_of(forged.progress)


def test_time_never_goes_back_in_a_transcript() -> None:
    before = begun()
    due = before.progress().due
    assert due is not None

    after = before.extended(evidence_of(due), SIGN, NOW_S - 1000)

    assert NOW_S == after.progress().last_time_s


PLAN_BREAKS: Sequence[tuple[str, Callable[[str], str]]] = (
    ("no witness", lambda text: text.replace('role = "witness"', 'role = "scribe"')),
    ("one custodian", lambda text: text.replace('role = "custodian"', 'role = "scribe"', 1)),
    ("same name", lambda text: text.replace('name = "Dan"', 'name = "Cleo"')),
    (
        "same key",
        lambda text: text.replace(
            public_key_of(SEEDS["Dan"]).hex(), public_key_of(SEEDS["Eve"]).hex()
        ),
    ),
    ("short key", lambda text: text.replace(public_key_of(SEEDS["Dan"]).hex(), "abcd")),
    ("no drill for kh2", lambda text: text.replace('subject = "kh2"', 'subject = "kh3"', 1)),
    ("other version", lambda text: text.replace("version = 1", "version = 2")),
    ("more keys", lambda text: "more = 1\n" + text),
    ("same id", lambda text: text.replace('id = "drill-kh2"', 'id = "drill-kh1"')),
    ("same subject", lambda text: text.replace('subject = "kh2"', 'subject = "kh1"')),
    ("unknown kind", lambda text: text.replace('kind = "media"', 'kind = "party"')),
    ("no such role", lambda text: text.replace('role = "scribe"', 'role = "boss"')),
    ("media last", lambda text: text.replace('kind = "media"', 'kind = "close"')),
    ("no subject", lambda text: text.replace('subject = "usb-1"\n', "")),
    ("subject no text", lambda text: text.replace('id = "close"', 'id = "close"\nsubject = {}')),
    ("words no text", lambda text: text.replace("say = ", "say = 1 # ")),
    ("deep", lambda _text: "name = " + "[" * 100_000),
    ("no toml", lambda _text: "= ="),
    ("no steps", lambda text: text.split("[[steps]]")[0] + "steps = []\n"),
    ("too long", lambda text: text + "#" * 300_000),
)


@pytest.mark.parametrize(("name", "change"), PLAN_BREAKS)
def test_a_plan_that_leaves_something_out_is_refused(
    name: str, change: Callable[[str], str]
) -> None:
    text = a_plan().text.decode()
    assert change(text) != text

    with pytest.raises(PlanInvalid):
        Plan.parse(change(text).encode())


def steps_of(text: str) -> tuple[str, list[str]]:
    """A plan's text before its steps, and each step's."""
    head, *steps = text.split("\n[[steps]]\n")
    return head, [step.rstrip("\n") for step in steps]


def test_steps_in_another_order_are_refused() -> None:
    head, steps = steps_of(a_plan().text.decode())
    drill = next(place for place, step in enumerate(steps) if 'kind = "drill"' in step)
    seals = next(place for place, step in enumerate(steps) if 'kind = "seals"' in step)
    steps[drill], steps[seals] = steps[seals], steps[drill]

    with pytest.raises(PlanInvalid, match="another order"):
        Plan.parse("\n[[steps]]\n".join([head, *steps]).encode())


def test_every_vault_is_registered_and_shows_its_first_address() -> None:
    text = plan_text("cold", participants(), SIGNERS, ["bitcoin-cold", "litecoin-cold"])
    head, steps = steps_of(text)
    kept = [step for step in steps if 'id = "first-address-litecoin-cold"' not in step]
    assert len(kept) == len(steps) - 1

    with pytest.raises(PlanInvalid, match="every vault"):
        Plan.parse("\n[[steps]]\n".join([head, *kept]).encode())


@pytest.mark.parametrize("kind", ALWAYS)
def test_no_kind_of_step_can_be_left_out_of_a_plan(kind: StepKind) -> None:
    head, *steps = a_plan().text.decode().split("\n[[steps]]\n")
    kept = [step for step in steps if f'kind = "{kind}"' not in step]
    assert len(kept) < len(steps)

    with pytest.raises(PlanInvalid):
        Plan.parse("\n[[steps]]\n".join([head, *kept]).encode())


def test_a_transcript_of_another_format_is_refused() -> None:
    other = dump({"format": "CT2", "plan": a_plan().text, "records": []})

    assert "ceremony.transcript_damaged" == code_of(Transcript.decode, other)


def test_the_begin_shows_nothing() -> None:
    assert "ceremony.transcript_damaged" == code_of(
        lambda: Transcript(a_plan()).extended({"note": "x"}, SIGN, NOW_S)
    )


# ---- the test deposit, which a plan may name ----

SCRIPT = bytes.fromhex("0014") + b"\x07" * 20
FIRST = addresses.encode(BUILTIN[BTC], SCRIPT)


def deposit_plan() -> Plan:
    return Plan.parse(
        plan_text("cold", participants(), ("kh1",), ["bitcoin-cold"], ["bitcoin-cold"]).encode()
    )


def deposit_evidence(step: Step) -> dict[str, str]:
    """What a good ceremony of one signer shows."""
    if step.kind is StepKind.REGISTRATION:
        return {"proof.kh1": "1" * 64}
    if step.kind is StepKind.FIRST_ADDRESS:
        return {"address.kh1": FIRST}
    return evidence_of(step)


@cache
def before_the_deposit() -> Transcript:
    """That ceremony as it stands right before the test deposit."""
    transcript = begun(deposit_plan())
    while (due := transcript.progress().due) and due.kind is not StepKind.TEST_DEPOSIT:
        transcript = transcript.extended(deposit_evidence(due), SIGN, NOW_S)
    return transcript


def deposit_file(confirmations: object = 3, scripts: Sequence[bytes] = (SCRIPT, SCRIPT)) -> bytes:
    """What a node answers: two outputs to the vault, 4,000 sats together, unless changed."""
    spent = TxInput(txid="ab" * 32, vout=0)
    outputs = tuple(TxOutput(sats=2_000, script=script) for script in scripts)
    tx = Transaction(version=2, inputs=(spent,), outputs=outputs, locktime=0)
    told = {"txid": "00" * 32, "hex": tx.serialize().hex(), "confirmations": confirmations}
    return json.dumps(told).encode()


def test_a_test_deposit_is_read_from_the_transaction_itself() -> None:
    evidence = evidence_of_deposit(deposit_file(), FIRST)

    after = before_the_deposit().extended(evidence, SIGN, NOW_S)

    raw = bytes.fromhex(json.loads(deposit_file())["hex"])
    assert transactions.parse(raw).txid == evidence["txid"] != "00" * 32
    assert ("4000", "3") == (evidence["units"], evidence["confirmations"])
    due = after.progress().due
    assert due is not None
    assert StepKind.CLOSE is due.kind
    assert after.extended({}, SIGN, NOW_S).complete().due is None


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("ceremony.not_equal", {"address": "bcrt1q" + "y" * 38}),
        ("ceremony.evidence_wrong", {"units": "0"}),
        ("ceremony.evidence_wrong", {"confirmations": "0"}),
        ("ceremony.evidence_wrong", {"txid": "ab" * 31}),
    ],
)
def test_a_test_deposit_that_shows_something_else_stops(code: str, change: dict[str, str]) -> None:
    evidence = {**evidence_of_deposit(deposit_file(), FIRST), **change}

    assert code == code_of(before_the_deposit().extended, evidence, SIGN, NOW_S)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"hex": "00", "confirmations": 1}',
        b"[" * 100_000,
        deposit_file(confirmations=0),
        deposit_file(confirmations="3"),
        deposit_file(confirmations=True),
        deposit_file(scripts=[b"\x00\x14" + bytes(20)]),
    ],
)
def test_files_that_show_no_deposit_are_refused(data: bytes) -> None:
    assert "ceremony.deposit_wrong" == code_of(evidence_of_deposit, data, FIRST)


def test_a_test_deposit_is_for_a_vault_of_the_plan() -> None:
    text = plan_text("cold", participants(), ("kh1",), ["bitcoin-cold"], ["litecoin-cold"])

    with pytest.raises(PlanInvalid, match="vaults of the plan"):
        Plan.parse(text.encode())


# ---- the command line ----


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)


def run(*arguments: object, typed: str = "") -> Result:
    app = build_app("ceremony")
    return RUNNER.invoke(app, ["ceremony", *(str(each) for each in arguments)], input=typed)


def told(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*arguments: object) -> str:
    result = run(*arguments, "--json")
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key files of six people, and a stranger's, and the plan for them."""
    folder = tmp_path_factory.mktemp("people")
    folder.joinpath("passphrase").write_bytes(PASSPHRASE)
    listed = []
    for name, role in {**PEOPLE, "Zoe": Role.WITNESS}.items():
        made = told(
            "key", "--name", name, "--role", role, "--out", folder / f"{name}.key",
            "--passphrase-file", folder / "passphrase",
        )  # fmt: skip
        listed.append(made["participant"])
    options = [part for each in listed[:-1] for part in ("--participant", each)]
    options += [part for each in SIGNERS for part in ("--signer", each)]
    out = folder / "plan.toml"
    made = told("plan", "--out", out, "--vault", "bitcoin-cold", *options)
    assert hashlib.sha256(out.read_bytes()).hexdigest() == made["sha256"]
    return folder


def keys(people: Path, *names: str) -> list[object]:
    """Options by which these people sign."""
    parts: list[object] = []
    for name in names or PEOPLE:
        parts += ["--key", people / f"{name}.key", "--passphrase-file", people / "passphrase"]
    return parts


def sets(evidence: Mapping[str, str]) -> list[str]:
    return [part for name, value in evidence.items() for part in ("--set", f"{name}={value}")]


def test_a_ceremony_is_begun_killed_resumed_and_verified(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "transcript"
    on = ["--transcript", file]
    plan = Plan.parse((people / "plan.toml").read_bytes())
    media, software = plan.steps[:2]

    def cut(_path: Path, _data: bytes) -> None:
        raise PowerCut

    begin = ["begin", "--plan", people / "plan.toml", *on]
    assert media.id == told(*begin, *keys(people))["next"]
    assert "ceremony.file_exists" == refused(*begin, *keys(people))
    first = [
        "next",
        *on,
        "--step",
        media.id,
        *sets(evidence_of(media)),
        *keys(people, "Ann", "Ben", "Finn"),
    ]
    monkeypatch.setattr(ceremony_cli, "write_atomic", cut)
    with pytest.raises(PowerCut):
        run(*first)
    monkeypatch.setattr(ceremony_cli, "write_atomic", write_atomic)
    assert media.id == told("status", *on)["next"]
    assert software.id == told(*first)["next"]
    assert "ceremony.out_of_order" == refused(*first)
    second = ["next", *on, "--step", software.id]
    assert "ceremony.no_witness" == refused(*second, *keys(people, "Ben"))
    assert "ceremony.not_a_participant" == refused(*second, *keys(people, "Zoe"))
    assert "ceremony.incomplete" == refused("verify", *on)
    after = told(*second, *keys(people, "Ben", "Finn"))
    assert ["begin", media.id, software.id] == after["done"]
    assert f"passed {len(selfcheck.run())} checks".encode() in file.read_bytes()
    assert [["sources"], ["custodian", "witness"]] == [after["fields"], after["signed_by"]]


def test_a_test_deposit_is_brought_over_in_a_file(people: Path, tmp_path: Path) -> None:
    text = people.joinpath("plan.toml").read_text()
    # The people of the plan have keys of their own here; only its steps are of interest.
    made = Plan.parse(text.encode())
    plan = plan_text("cold", made.participants, ("kh1",), ["bitcoin-cold"], ["bitcoin-cold"])
    signs = {
        name: IdentityKey(
            decode_key(
                people.joinpath(f"{name}.key").read_bytes(), PassphraseKek(PASSPHRASE)
            ).secret
        ).sign
        for name in PEOPLE
    }
    opened = Transcript(Plan.parse(plan.encode())).extended({}, signs, NOW_S)
    file, deposit = tmp_path / "transcript", tmp_path / "answer.json"
    deposit.write_bytes(deposit_file())
    command = ["next", "--transcript", file, "--deposit", deposit]
    file.write_bytes(opened.encode())
    assert "ceremony.evidence_wrong" == refused(*command, *keys(people, "Ann"))
    while (due := opened.progress().due) and due.kind is not StepKind.TEST_DEPOSIT:
        opened = opened.extended(deposit_evidence(due), signs, NOW_S)
    file.write_bytes(opened.encode())

    told_after = told(*command, *keys(people, "Ann", "Eve", "Finn"))

    assert "close" == told_after["next"]
    last = Transcript.decode(file.read_bytes()).records[-1]
    assert b"4000" in last.body
    assert FIRST.encode() in last.body


def test_two_processes_never_do_a_step_at_once_and_a_killed_one_leaves_no_lock(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "transcript"
    told("begin", "--plan", people / "plan.toml", "--transcript", file, *keys(people))
    media = a_plan().steps[0]
    command = ["next", "--transcript", file, *sets(evidence_of(media))]
    command += keys(people, "Ann", "Ben", "Finn")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:

        def stand_still(_path: Path, _data: bytes) -> None:
            os.write(writer, b"!")
            signal.pause()

        monkeypatch.setattr(ceremony_cli, "write_atomic", stand_still)
        run(*command)
        os._exit(1)
    assert os.read(reader, 1) == b"!"

    assert "storage.busy" == refused(*command)
    assert media.id == told("status", "--transcript", file)["next"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

    assert "software" == told(*command)["next"]


def test_a_closed_ceremony_is_verified_without_any_key(whole: Transcript, tmp_path: Path) -> None:
    file, plan = tmp_path / "transcript", tmp_path / "plan"
    file.write_bytes(whole.encode())
    plan.write_bytes(whole.plan.text)

    found = told("verify", "--transcript", file, "--plan", plan)

    assert found["complete"]
    assert whole.plan.sha256.hex() == found["plan_sha256"]
    plan.write_bytes(whole.plan.text + b"\n")
    assert "ceremony.plan_invalid" == refused("verify", "--transcript", file, "--plan", plan)
    file.write_bytes(whole.encode()[:-1])
    assert "ceremony.transcript_damaged" == refused("verify", "--transcript", file)
    shown = run("status", "--transcript", tmp_path / "none").output
    assert "storage.unusable" in shown


def test_a_failed_self_check_stops_the_software_step(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "transcript"
    file.write_bytes(advanced(StepKind.SOFTWARE).encode())
    monkeypatch.setattr(selfcheck, "run", lambda: (selfcheck.Check("sha256", False),))

    code = refused("next", "--transcript", file, *keys(people, "Ben", "Finn"))

    assert "selfcheck.failed" == code


def test_missing_evidence_is_asked_for(people: Path, tmp_path: Path) -> None:
    file = tmp_path / "transcript"
    told("begin", "--plan", people / "plan.toml", "--transcript", file, *keys(people))
    command = ["next", "--transcript", file, "--set", f"sha256.first={'ab' * 32}"]

    done = run(*command, *keys(people, "Ann", "Ben", "Finn"), typed=f"{'ab' * 32}\n")

    assert 0 == done.exit_code, done.output
    assert "next: software" in done.stdout
    assert "hash the medium" in done.stderr


@pytest.mark.parametrize("evidence", [["no sign"], ["a=1", "a=2"]])
def test_evidence_that_is_unclear_is_refused(
    people: Path, tmp_path: Path, evidence: list[str]
) -> None:
    file = tmp_path / "transcript"
    file.write_bytes(begun().encode())
    options = [part for each in evidence for part in ("--set", each)]

    code = refused("next", "--transcript", file, *options, *keys(people, "Ann"))

    assert "ceremony.evidence_wrong" == code


def test_keys_and_passphrases_come_in_pairs(people: Path, tmp_path: Path) -> None:
    file = tmp_path / "transcript"
    file.write_bytes(begun().encode())
    options = [*keys(people, "Ann"), "--key", people / "Ben.key"]

    assert "ceremony.evidence_wrong" == refused("next", "--transcript", file, *options)


@pytest.mark.parametrize("text", ["Ann", "Ann:boss:00", "Ann:witness:zz", "A n:witness:00"])
def test_participants_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    command = ["plan", "--out", tmp_path / "p", "--participant", text, "--signer", "a"]

    assert refused(*command, "--vault", "b") in ("ceremony.plan_invalid", "config.invalid")
    assert not (tmp_path / "p").exists()


def test_a_key_file_is_never_overwritten_and_tells_nothing(people: Path) -> None:
    file = people / "Ann.key"
    before = file.read_bytes()

    code = refused("key", "--name", "Ann", "--role", "witness", "--out", file)

    assert "ceremony.file_exists" == code
    assert before == file.read_bytes()
    assert b"HK1" in before


def test_the_commands_teach_themselves() -> None:
    listed = run("--help").output

    for command in ("plan", "key", "begin", "next", "status", "verify"):
        assert command in listed
        assert 0 == run(command, "--help").exit_code


def test_bytes_that_are_no_transcript_are_refused() -> None:
    for data in (b"", b"\x00", dump({"format": "CT2"}), dump({"format": "CT1", "plan": b""})):
        with pytest.raises((TranscriptDamaged, PlanInvalid)):
            Transcript.decode(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_with_a_code(data: bytes) -> None:
    for act in (
        lambda: Plan.parse(data),
        lambda: Transcript.decode(data),
        lambda: Transcript.decode(dump({"format": "CT1", "plan": data, "records": []})),
        lambda: Transcript(
            closed().plan, (Record(body=data, sigs=(("Ann", bytes(64)),)),)
        ).progress(),
    ):
        assert code_of(act).startswith("ceremony.")

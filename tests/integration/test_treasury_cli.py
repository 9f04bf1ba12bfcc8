"""`glaytos-wallet treasury` as staff type it, over a real database and fake nodes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from signer.protocol import APPROVAL, Approval, Proposal, ProtocolError, Sealed, check_words
from tests.integration.test_treasury_journeys import STAFF, Treasury
from wallet.cli import treasury as command
from wallet.pauses import BadReason, NotPaused
from wallet.reconciliation.breaks import open_break
from wallet.reconciliation.explaining import Finding
from wallet.reconciliation.states import BreakCode, ForbiddenBreakArrow
from wallet.settings import StaffSettings
from wallet.store.database import Database
from wallet.treasury.errors import (
    FileProblem,
    NotExported,
    QuorumMissing,
    RequesterApproves,
    StaffKeyError,
    UnknownAnswer,
    UnknownApprover,
    UnknownSubject,
)
from wallet.treasury.planning import BadAmount
from wallet.treasury.staff_desk import StaffDesk
from wallet.treasury.staff_keys import load_staff_key
from wallet.treasury.states import RequestStatus
from wallet.treasury.thresholds import BadThreshold

PASSPHRASE = "a long passphrase"


class Desk:
    """A terminal with two staff keys and the wallet behind it."""

    def __init__(self, treasury: Treasury, folder: Path) -> None:
        self.treasury = treasury
        self.folder = folder
        self.secret = folder / "passphrase"
        self.secret.write_text(PASSPHRASE + "\n")

    def run(self, *arguments: object, typed: str = "") -> Result:
        return CliRunner().invoke(command.app, [str(a) for a in arguments], input=typed)

    def good(self, *arguments: object, typed: str = "") -> str:
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, result.output
        return result.output

    def parsed(self, *arguments: object) -> Any:
        return json.loads(self.good(*arguments, "--json"))

    def key(self, name: str) -> tuple[object, ...]:
        return ("--key", self.folder / f"{name}.json", "--passphrase-file", self.secret)


@pytest.fixture
def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    treasury = Treasury.make(database)
    made = Desk(treasury, tmp_path)
    roster: list[StaffSettings] = []
    for name in ("anna", "ben"):
        out = made.good(
            "staff-key", name, "--out", tmp_path / f"{name}.json", "--passphrase-file", made.secret
        )
        said, public_key = out.split()
        assert said == name
        roster.append(StaffSettings(id=name, name=name, public_key=public_key))
    monkeypatch.setattr("tests.integration.test_treasury_journeys.STAFF", [*roster, STAFF[2]])
    made.treasury = Treasury.make(database, treasury.world.keep)

    def opened(config: Path) -> StaffDesk:
        return made.treasury.staff

    for module in ("desk", "pauses", "breaks"):
        monkeypatch.setattr(f"wallet.cli.treasury.{module}.open_staff_desk", opened)
    return made


def test_staff_pause_withdrawals_and_let_them_go_on(desk: Desk) -> None:
    said = desk.good("pause", "BTC", "--reason", "node looks odd", *desk.key("anna"))
    assert "asset BTC paused by anna: node looks odd" in said
    desk.good("pause", "ethereum-31337", "--reason", "upgrade", *desk.key("ben"))
    shown = desk.parsed("pauses")
    assert {(one["subject"], one["paused_by"]) for one in shown} == {
        ("BTC", "anna"),
        ("ethereum-31337", "ben"),
    }
    assert "node looks odd" in desk.good("pauses")
    assert "goes on" in desk.good("resume", "BTC", *desk.key("ben"))
    assert [one["subject"] for one in desk.parsed("pauses")] == ["ethereum-31337"]
    (lifted,) = [one for one in desk.parsed("pauses", "--all") if one["subject"] == "BTC"]
    assert lifted["lifted_by"] == "ben"

    again = desk.run("resume", "BTC", *desk.key("ben"))
    assert isinstance(again.exception, NotPaused)
    unknown = desk.run("pause", "DOGE", "--reason", "why", *desk.key("ben"))
    assert isinstance(unknown.exception, UnknownSubject)
    assert isinstance(desk.run("resume", "DOGE", *desk.key("ben")).exception, UnknownSubject)
    empty = desk.run("pause", "BTC", "--reason", " ", *desk.key("ben"))
    assert isinstance(empty.exception, BadReason)


def test_staff_explain_a_break(desk: Desk) -> None:
    finding = Finding(
        code=BreakCode.FOREIGN_SPEND,
        asset="BTC",
        wallet="bitcoin-hot",
        txid="ab" * 32,
        position="",
        units=-70_000,
    )
    with desk.treasury.world.database.write() as tx:
        one = open_break(tx, "bitcoin-regtest", 7, "cd" * 32, finding, 1_000)
    (shown,) = desk.parsed("breaks")
    assert (shown["id"], shown["code"], shown["units"]) == (one.id, "foreign_spend", "-70000")
    assert "-70000" in desk.good("breaks")
    said = desk.good("explain", one.id, "--reason", "moved by hand", *desk.key("anna"))
    assert "foreign_spend of -70000 BTC explained by anna" in said
    assert desk.parsed("breaks") == []
    (done,) = desk.parsed("breaks", "--all")
    assert (done["status"], done["reason"], done["decided_by"]) == (
        "explained",
        "moved by hand",
        "anna",
    )
    assert [one["subject"] for one in desk.parsed("pauses")] == ["BTC"], "that is lifted by itself"
    again = desk.run("explain", one.id, "--reason", "twice", *desk.key("ben"))
    assert isinstance(again.exception, ForbiddenBreakArrow)


def test_a_key_off_the_roster_explains_nothing(desk: Desk) -> None:
    out = desk.folder / "carl.json"
    desk.good("staff-key", "carl", "--out", out, "--passphrase-file", desk.secret)
    refused = desk.run("explain", "x", "--reason", "why", *desk.key("carl"))
    assert isinstance(refused.exception, UnknownApprover)


def test_a_key_off_the_roster_neither_pauses_nor_resumes(desk: Desk) -> None:
    out = desk.folder / "eve.json"
    desk.good("staff-key", "eve", "--out", out, "--passphrase-file", desk.secret)
    for words in (("pause", "BTC", "--reason", "why"), ("resume", "BTC")):
        assert isinstance(desk.run(*words, *desk.key("eve")).exception, UnknownApprover)


def test_a_refill_from_request_to_answers(desk: Desk) -> None:
    treasury = desk.treasury
    treasury.fund_cold("BTC", 500_000_000)
    asked = desk.parsed("request", "refill", "BTC", "1.5", *desk.key("anna"))
    assert (asked["status"], asked["approvals"]) == ("requested", 2)
    refused = desk.run("approve", asked["id"], *desk.key("anna"), "--yes")
    assert isinstance(refused.exception, RequesterApproves)
    shown = desk.good("show", asked["id"])
    assert "1.5 BTC" in shown
    assert "Refill the hot wallet from cold storage" in shown
    (waiting,) = desk.parsed("list")["waiting"]
    assert (waiting["id"], waiting["amount"], waiting["approvals"]) == (asked["id"], "1.5", [])
    assert asked["id"] in desk.good("list", "--all")

    no = desk.run("approve", asked["id"], *desk.key("ben"), typed="\n")
    assert no.exit_code == 1
    assert desk.parsed("show", asked["id"])["approvals"] == []
    yes = desk.good("approve", asked["id"], *desk.key("ben"), typed="y\n")
    assert "1 of 2 (ben)" in yes
    early = desk.run("export", asked["id"], "--out", desk.folder / "early")
    assert isinstance(early.exception, QuorumMissing)
    treasury.approve(asked["id"], "cora")
    unbuilt = desk.run("export", asked["id"], "--out", desk.folder / "early")
    assert isinstance(unbuilt.exception, NotExported)
    assert not (desk.folder / "early").exists()

    treasury.go(1)
    file = desk.folder / "refill.sr1"
    exported = desk.parsed("export", asked["id"], "--out", file)
    data = file.read_bytes()
    assert Sealed.decode(data, "SR1").digest.hex() == exported["digest"]
    assert exported["signers"] == ["keyholder-1", "keyholder-2", "keyholder-3"]
    again = desk.run("export", asked["id"], "--out", file)
    assert isinstance(again.exception, FileProblem)
    assert file.read_bytes() == data
    answers = []
    for name in ("keyholder-1", "keyholder-2"):
        answers.append(desk.folder / f"{name}.sa1")
        answers[-1].write_bytes(treasury.world.keep.signers[name].answer(data))
    taken = desk.parsed("import", *answers, answers[0])
    assert [row["said"] for row in taken] == ["signed"] * 3
    treasury.go()
    assert treasury.only().status is RequestStatus.COMPLETED
    assert "completed" in desk.good("show", asked["id"])


def test_bounds_are_shown_and_changed(desk: Desk) -> None:
    set_btc = ("set-threshold", "BTC", "--min", "1", "--target", "2", "--max", "3")
    assert "BTC: absolute 1 / 2 / 3" in desk.good(*set_btc, *desk.key("ben"))
    looks = {look["asset"]: look for look in desk.parsed("thresholds")}
    assert (looks["BTC"]["max_units"], looks["BTC"]["changed_by"]) == ("300000000", "ben")
    share = ("--min", "1000", "--target", "2000", "--max", "50000", "--mode", "share")
    desk.good("set-threshold", "ETH", *share, *desk.key("ben"))
    looks = {look["asset"]: look for look in desk.parsed("thresholds")}
    assert looks["ETH"]["mode"] == "share"
    assert "settings" in desk.good("thresholds")


def test_a_request_is_called_off(desk: Desk) -> None:
    asked = desk.parsed("request", "refill", "BTC", "1.5", *desk.key("anna"))
    assert desk.run("cancel", asked["id"], *desk.key("ben"), typed="n\n").exit_code == 1
    assert "cancelled" in desk.good("cancel", asked["id"], *desk.key("ben"), "--yes")


def test_mistakes_are_told_and_change_nothing(desk: Desk) -> None:
    wrong = desk.folder / "wrong"
    wrong.write_text("another passphrase\n")
    bad_key = ("--key", desk.folder / "anna.json", "--passphrase-file", wrong)
    empty = desk.folder / "empty"
    empty.write_text("")
    blank_key = ("--key", desk.folder / "anna.json", "--passphrase-file", empty)
    bounds = ("--min", "3", "--target", "2", "--max", "1")
    attempts: list[tuple[type[Exception], tuple[object, ...]]] = [
        (StaffKeyError, ("request", "refill", "BTC", "1", *bad_key)),
        (StaffKeyError, ("request", "refill", "BTC", "1", *blank_key)),
        (StaffKeyError, ("request", "refill", "BTC", "1", "--key", empty)),
        (BadAmount, ("request", "refill", "BTC", "0", *desk.key("anna"))),
        (BadThreshold, ("set-threshold", "BTC", *bounds, *desk.key("anna"))),
        (UnknownAnswer, ("import", empty)),
        (FileProblem, ("import", desk.folder / "nowhere")),
    ]
    for error, arguments in attempts:
        result = desk.run(*arguments)
        assert isinstance(result.exception, error), (arguments, result.output)
    assert desk.treasury.all() == []


def test_no_secret_is_ever_printed(desk: Desk) -> None:
    out = desk.good("request", "refill", "BTC", "1.5", *desk.key("anna"))
    assert PASSPHRASE not in out


def a_proposal(desk: Desk) -> tuple[Proposal, Path]:
    config = b"governance_quorum = 2\nclock_skew_s = 300\n"
    policy = b'version = 1\nname = "p"\n'
    proposal = Proposal(
        signer_id="keyholder-1",
        number=3,
        previous_config=config,
        previous_policy=policy,
        config=config.replace(b"300", b"900"),
        policy=policy + b"unattended = true\n",
    )
    file = desk.folder / "proposal.gp1"
    file.write_bytes(proposal.encode())
    return proposal, file


def test_staff_read_a_signers_proposal_and_sign_it_into_a_file(desk: Desk) -> None:
    proposal, file = a_proposal(desk)
    out = desk.folder / "anna.approval"

    no = desk.run("approve-policy", file, *desk.key("anna"), "--out", out, typed="\n")
    assert no.exit_code == 1
    assert not out.exists()
    said = desk.good("approve-policy", file, *desk.key("anna"), "--out", out, typed="y\n")

    assert "LOOSER  policy: unattended: False -> True" in said
    assert "LOOSER  signer.toml: clock_skew_s: 300 -> 900" in said
    assert f"check words: {check_words(proposal.digest)}" in said
    sealed = Sealed.decode(out.read_bytes(), APPROVAL)
    approval = Approval(body=sealed.body, sig=sealed.sig)
    approval.check()
    assert (approval.approver, approval.intent_digest) == ("anna", proposal.digest)
    key = load_staff_key(desk.folder / "anna.json", PASSPHRASE)
    sealed.verify(key.public_key)
    told = desk.parsed(
        "approve-policy", file, *desk.key("ben"), "--yes", "--out", desk.folder / "ben.approval"
    )
    assert (told["approver"], told["digest"]) == ("ben", proposal.digest.hex())


def test_a_file_that_is_no_proposal_is_not_approved(desk: Desk) -> None:
    _, file = a_proposal(desk)
    file.write_bytes(file.read_bytes()[:-1])

    result = desk.run(
        "approve-policy", file, *desk.key("anna"), "--out", desk.folder / "x", "--yes"
    )

    assert isinstance(result.exception, ProtocolError)
    assert not (desk.folder / "x").exists()


def test_both_sides_of_the_gap_show_the_same_check_words(desk: Desk) -> None:
    desk.treasury.fund_cold("BTC", 500_000_000)
    asked = desk.parsed("request", "refill", "BTC", "1.5", *desk.key("anna"))
    digest = bytes.fromhex(desk.parsed("show", asked["id"])["intent_digest"])

    shown = desk.good("show", asked["id"])

    assert all(word in shown for word in check_words(digest).split())

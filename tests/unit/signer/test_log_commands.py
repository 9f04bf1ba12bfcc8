"""`log verify | show | export` and `replay`: the memory read from outside, changing nothing."""

import csv
import hashlib
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from policies.loader import load_policy
from signer.__main__ import GROUPS, build_app
from signer.audit import audit, records
from signer.config import parse_toml
from signer.exporting import csv_lines, json_lines
from signer.home import Home
from signer.log import LogKind, LogTampered, LogTorn, Record
from signer.replay import replay
from signer.storage import StorageError
from tests.signer_world import (
    BTC,
    CONFIG,
    NOW_S,
    PASSPHRASE,
    POLICY,
    World,
    a_psbt,
    a_request,
    a_withdrawal,
    an_approval,
    an_evm_withdrawal,
    an_intent,
    engine,
    sealed,
)

RUNNER = CliRunner()


def run(*arguments: object) -> Result:
    return RUNNER.invoke(build_app(), [str(argument) for argument in arguments])


def listing(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def used(world: World) -> Path:
    """A hot home that signed a payment in coin and one in ether, and refused one."""
    home = world.open("hot")
    engine(home).sign(sealed(a_withdrawal(home, "w1")))
    engine(home).sign(sealed(an_evm_withdrawal(home, "e1")))
    engine(home, confirm=lambda _: False).sign(sealed(a_withdrawal(home, "=w2")))
    home.close()
    return home.path


def test_verify_says_what_is_there_and_changes_nothing(used: Path) -> None:
    before = listing(used)

    told = json.loads(run("log", "verify", "--home", used, "--json").stdout)

    assert told["signer_id"] == "hot"
    assert told["kinds"]["signed"] == 2
    assert told["macs_checked"] is False
    assert sum(told["kinds"].values()) == told["counter"]
    assert listing(used) == before


def test_verify_works_beside_a_running_signer(world: World) -> None:
    home = world.open("hot")
    engine(home).sign(sealed(a_withdrawal(home)))

    found = audit(home.path)

    assert (found.counter, found.head) == (home.log.counter, home.log.head)
    home.close()


def test_with_the_key_a_forged_chain_is_noticed(used: Path, tmp_path: Path) -> None:
    """Somebody without the key rewrites the newest record and its chain; the MAC betrays it."""
    (tmp_path / "passphrase").write_bytes(PASSPHRASE)
    options = ["--home", used, "--passphrase-file", tmp_path / "passphrase", "--json"]
    assert json.loads(run("log", "verify", *options).stdout)["macs_checked"] is True
    *_, last = records(used)
    with (used / "log").open("r+b") as file:
        file.seek(-1, io.SEEK_END)
        file.write(bytes([last.mac[-1] ^ 1]))

    assert run("log", "verify", "--home", used).exit_code == 0
    assert json.loads(run("log", "verify", *options).stdout)["code"] == "state.log_tampered"


def test_a_torn_end_is_told_and_left_alone(used: Path) -> None:
    with (used / "log").open("ab") as file:
        file.write(b"\x00\x00")
    before = listing(used)

    with pytest.raises(LogTorn, match="got 2 bytes"):
        audit(used)

    assert listing(used) == before


def test_a_missing_log_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        audit(tmp_path)

    assert not list(tmp_path.iterdir())


def test_json_holds_everything_and_no_number_that_readers_round(used: Path) -> None:
    rows = [json.loads(line) for line in run("log", "export", "--home", used).stdout.splitlines()]

    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    signed = [row for row in rows if row["kind"] == "signed"]
    assert signed[0]["data"]["units"] == 100_000_000
    assert signed[1]["data"]["units"] == str(10**18)
    assert bytes.fromhex(signed[0]["data"]["answer"])
    assert rows[-1]["head"] == audit(used).head.hex()


def test_csv_is_a_table_in_which_nothing_is_a_formula(used: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.csv"

    assert run("log", "export", "--home", used, "--csv", "--out", out).exit_code == 0
    rows = list(csv.DictReader(out.open(encoding="utf-8")))

    assert [row["units"] for row in rows if row["kind"] == "signed"] == ["100000000", str(10**18)]
    assert rows[-1]["code"] == "person.declined"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert run("log", "export", "--home", used, "--out", out).exit_code == 1
    assert run("log", "export", "--home", used, "--csv", "--json").exit_code != 0


def test_what_a_stranger_wrote_is_no_formula_and_no_command() -> None:
    bad = Record(
        seq=1, time_s=NOW_S, kind=LogKind.REFUSED, head=b"", mac=b"", offset=0,
        data={"request_id": "=cmd()\x1b[2J", "code": "@x", "source": "-1"},
    )  # fmt: skip

    _, line = csv_lines([bad])

    assert "'=cmd()?[2J,'@x" in line
    assert "\x1b" not in "".join(json_lines([bad]))


def test_a_damaged_log_is_not_exported_in_part(used: Path, tmp_path: Path) -> None:
    with (used / "log").open("r+b") as file:
        file.seek(2000)
        file.write(b"\xff\xff\xff")

    result = run("log", "export", "--home", used, "--out", tmp_path / "x")

    assert result.exit_code == 1
    assert "state.log_tampered" in result.stderr
    assert not (tmp_path / "x").exists()


def test_show_is_for_reading(used: Path) -> None:
    lines = run("log", "show", "--home", used, "--last", "3").stdout.splitlines()

    assert len(lines) == 3
    assert "2023-11-14 22:13:20 UTC signed r-w1 bitcoin-regtest BTC bitcoin-hot" in lines[0]
    assert lines[2].endswith("refused r-=w2 person.declined")


def test_groups_are_loaded_under_their_own_name() -> None:
    assert "log" in GROUPS
    assert "verify" in RUNNER.invoke(build_app("log"), ["log", "--help"]).output
    assert RUNNER.invoke(build_app("log"), ["inspect", "--help"]).exit_code != 0
    assert RUNNER.invoke(build_app("inspect"), ["log", "--help"]).exit_code != 0
    whole = RUNNER.invoke(build_app(), ["--help"]).output
    assert all(name in whole for name in ("inspect", "propose", "replay", "log"))


# --- replay ---------------------------------------------------------------------------------------


def verdicts(home: Path, text: str) -> list[tuple[str, str]]:
    proposed = load_policy(parse_toml(text.encode(), "policy"))
    return [(verdict.request_id, verdict.code) for verdict in replay(records(home), proposed)]


@pytest.fixture
def busy(hot: Home) -> Path:
    """Four payments: three of 1 BTC, an hour apart in pairs, and one of 2 with two approvals."""
    for name, after_s in (("w1", 0), ("w2", 60), ("w3", 7200)):
        intent = an_intent(name, created_s=NOW_S + after_s, expires_s=NOW_S + after_s + 600)
        request = a_request(
            a_psbt(hot, intent), intent, created_s=NOW_S + after_s,
            expires_s=NOW_S + after_s + 600,
        )  # fmt: skip
        engine(hot, NOW_S + after_s).sign(sealed(request))
    intent = an_intent("w4", expires_s=NOW_S + 9000, payees=an_intent().payees * 2)
    given = (an_approval("alice", intent), an_approval("bob", intent))
    request = a_request(
        a_psbt(hot, intent), intent, approvals=given, expires_s=NOW_S + 7800, created_s=NOW_S,
    )  # fmt: skip
    engine(hot, NOW_S + 7300).sign(sealed(request))
    return hot.path


ALL = ["r-w1", "r-w2", "r-w3", "r-w4"]


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (("", ""), {}),
        (
            ("order_units_max = 500000000", "order_units_max = 99999999"),
            dict.fromkeys(ALL, "order"),
        ),
        (
            ("units_max = 600000000 }]", "units_max = 100000000 }]"),
            {"r-w2": "window", "r-w4": "window"},
        ),
        (("seconds = 3600", "seconds = 10"), {}),
        (
            (
                "windows = [{ seconds = 3600, units_max = 600000000 }]",
                "per_signatures = [{ signatures = 3, units_max = 300000000 }]",
            ),
            {"r-w4": "count"},
        ),
    ],
)
def test_replay_says_what_another_policy_would_have_refused(
    busy: Path, change: tuple[str, str], refused: dict[str, str]
) -> None:
    expected = [(name, f"caps.{refused[name]}" if name in refused else "") for name in ALL]

    assert verdicts(busy, POLICY.replace(*change, 1)) == expected


def test_replay_counts_the_approvals_that_were_verified_then(busy: Path) -> None:
    three = POLICY.replace("from_units = 200000000, approvals = 2", "from_units = 2, approvals = 2")

    assert verdicts(busy, three)[0] == ("r-w1", "approvals.quorum")
    assert verdicts(busy, three)[3] == ("r-w4", "")


def test_replay_judges_fees_and_addresses(busy: Path) -> None:
    dear = POLICY.replace("units_max = 50000\n", "units_max = 4999\n")
    assert {code for _, code in verdicts(busy, dear)} == {"fees.absolute"}
    known = POLICY.replace(
        "tx_units_max = 600000000\n", 'tx_units_max = 600000000\ndestinations = "book"\n', 1
    )
    assert {code for _, code in verdicts(busy, known)} == {"destinations.not_in_book"}


def test_a_payment_that_would_have_been_refused_counts_in_no_window(busy: Path) -> None:
    """The second is refused, so the fourth finds the window as the third left it."""
    tight = POLICY.replace("units_max = 600000000 }]", "units_max = 199999999 }]")

    assert verdicts(busy, tight)[1] == ("r-w2", "caps.window")
    assert verdicts(busy, tight)[3] == ("r-w4", "caps.window")


def test_replay_at_the_keyboard_activates_nothing(used: Path, tmp_path: Path) -> None:
    proposed = tmp_path / "p.toml"
    proposed.write_text(POLICY.replace("order_units_max = 500000000", "order_units_max = 1", 1))
    before = listing(used)

    told = json.loads(run("replay", "--home", used, "--policy", proposed, "--json").stdout)
    spoken = run("replay", "--home", used, "--policy", proposed).stdout

    assert (told["signed"], told["refused"], told["not_known"]) == (2, 1, 0)
    assert told["verdicts"][0]["code"] == "caps.order"
    assert "r-w1: policy.caps.order: order w1: got 100000000 units" in spoken
    assert listing(used) == before


def test_records_from_before_payments_were_kept_are_said_to_be_unknown(used: Path) -> None:
    old = [
        Record(
            seq=one.seq, time_s=one.time_s, kind=one.kind, head=one.head, mac=one.mac, offset=0,
            data={name: value for name, value in one.data.items() if name != "payment"},
        )
        for one in records(used)
    ]  # fmt: skip

    found = list(replay(old, load_policy(parse_toml(POLICY.encode(), "policy"))))

    assert [verdict.known for verdict in found] == [False, False]


def test_a_payment_of_another_shape_is_noticed(used: Path) -> None:
    *_, one = (record for record in records(used) if record.kind is LogKind.SIGNED)
    bad = Record(
        seq=one.seq, time_s=one.time_s, kind=one.kind, head=one.head, mac=one.mac, offset=0,
        data={**one.data, "payment": {"orders": 7}},
    )  # fmt: skip

    with pytest.raises(LogTampered):
        list(replay([bad], load_policy(parse_toml(POLICY.encode(), "policy"))))


def test_counts_in_a_row_outlive_the_process_and_the_month(world: World) -> None:
    """A machine without a clock to trust: three payments may together be 2.5 BTC."""
    rule = "per_signatures = [{ signatures = 3, units_max = 250000000 }]"
    policy = POLICY.replace("windows = [{ seconds = 3600, units_max = 600000000 }]", rule)
    home = world.open("hot")
    home.configure(CONFIG.encode(), policy.encode(), NOW_S)
    for name in ("w1", "w2"):
        engine(home).sign(sealed(a_withdrawal(home, name)))
    home.close()

    home = world.open("hot")
    year_s = NOW_S + 365 * 86_400
    intent = an_intent("w3", created_s=year_s, expires_s=year_s + 600)
    late = a_request(a_psbt(home, intent), intent, created_s=year_s, expires_s=year_s + 600)
    engine(home, year_s).sign(sealed(late))
    digest = hashlib.sha256(policy.encode()).digest()
    assert home.activated().policy_sha256 == digest
    flow = (BTC, "BTC", "bitcoin-hot", "withdrawal")
    assert home.state.spent_in_row(flow, 3) == 200_000_000
    *_, last = records(home.path)
    assert last.data["code"] == "policy.caps.count"
    home.close()

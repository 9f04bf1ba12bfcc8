"""The command line: what a keyholder types, and that nothing secret is ever printed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from signer import selfcheck
from signer.__main__ import build_app
from signer.guards.facts import Role
from signer.home import Home
from signer.protocol import ANSWER, Sealed, SignAnswer
from signer.registry import address_at
from tests.signer_world import (
    BTC,
    CONFIG,
    CUSTOMER,
    CUSTOMER_EVM,
    LTC,
    NOW_S,
    PASSPHRASE,
    POLICY,
    World,
    a_withdrawal,
    in_another_account,
    sealed,
)

ROOT = Path(__file__).parents[3]
RUNNER = CliRunner()
CHEAP = ("--kdf-memory-mib", 64, "--only-system-entropy")


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_bytes(PASSPHRASE + b"\n")
    return file


def run(*arguments: object, typed: str = "") -> Result:
    return RUNNER.invoke(build_app(), [str(argument) for argument in arguments], input=typed)


def told(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*arguments: object, typed: str = "") -> str:
    result = run(*arguments, "--json", typed=typed)
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


def asked(world: World, tmp_path: Path, name: str = "w1") -> Path:
    """A request file for the hot home."""
    home = world.open("hot", unlock=False)
    file = tmp_path / f"{name}.request"
    file.write_bytes(sealed(a_withdrawal(home, name)))
    home.close()
    return file


def attended(world: World) -> None:
    """Give the hot home a policy that wants a person."""
    home = world.open("hot")
    policy = POLICY.replace("unattended = true", "unattended = false")
    home.configure(CONFIG.encode(), policy.encode(), NOW_S)
    home.close()


def test_a_home_is_made_configured_and_asked_for_keys(tmp_path: Path, passphrase: Path) -> None:
    home = tmp_path / "new"
    opened = ["--home", home, "--passphrase-file", passphrase]
    made = told("init", *opened, "--id", "new", *CHEAP)
    (tmp_path / "signer.toml").write_text(CONFIG)
    (tmp_path / "policy.toml").write_text(POLICY)
    files = ["--config", tmp_path / "signer.toml", "--policy", tmp_path / "policy.toml"]

    assert 64 == len(told("configure", *opened, *files, "--yes")["policy_hash"])
    first = told("xpub", *opened, "--network", BTC)
    again = told("xpub", *opened, "--network", BTC)

    assert first == again
    assert first["key"].startswith(f"[{made['fingerprint']}/48h/1h/0h/2h]tpub")
    assert "registry.key_bound_elsewhere" == refused("xpub", *opened, "--network", LTC)
    assert told("xpub", *opened, "--network", LTC, "--account", "1")["key"]
    evm = told("xpub", *opened, "--network", "ethereum-31337", "--use", "evm")
    assert evm["key"].startswith(f"[{made['fingerprint']}/44h/60h/0h]xpub")


def test_a_home_is_never_made_over_another(world: World, passphrase: Path) -> None:
    code = refused(
        "init", "--home", world.root / "hot", "--id", "x", "--passphrase-file", passphrase,
        *CHEAP,
    )  # fmt: skip

    assert "home.unusable" == code


def test_a_weak_passphrase_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weak"
    file.write_text("short")

    code = refused("init", "--home", tmp_path / "x", "--id", "x", "--passphrase-file", file, *CHEAP)

    assert "passphrase.unusable" == code
    assert not (tmp_path / "x").exists()


def test_a_cheap_kdf_is_refused(tmp_path: Path, passphrase: Path) -> None:
    code = refused(
        "init", "--home", tmp_path / "x", "--id", "x", "--passphrase-file", passphrase,
        "--kdf-memory-mib", "8", "--only-system-entropy",
    )  # fmt: skip

    assert "keystore.kdf_out_of_range" == code


def test_a_person_who_types_nothing_has_said_no(
    world: World, tmp_path: Path, passphrase: Path
) -> None:
    attended(world)
    request, out = asked(world, tmp_path), tmp_path / "answer"
    command = ["sign", "--home", world.root / "hot", "--request", request, "--out", out]

    for typed in ("\n", "", "n\n", "yo\n"):
        assert "person.declined" == refused(*command, typed=typed)
    assert not out.exists()


def test_a_person_who_says_yes_signs(world: World, tmp_path: Path, passphrase: Path) -> None:
    attended(world)
    request, out = asked(world, tmp_path), tmp_path / "answer"

    result = run(
        "sign", "--home", world.root / "hot", "--request", request, "--out", out,
        "--passphrase-file", passphrase, typed="y\n",
    )  # fmt: skip

    assert 0 == result.exit_code, result.output
    assert "pays 1 BTC (100000000)" in result.output
    assert "check words" in result.output
    answer = SignAnswer.decode(Sealed.decode(out.read_bytes(), ANSWER).body)
    assert 1 == len(answer.signatures)


def test_yes_needs_a_policy_without_a_person(
    world: World, tmp_path: Path, passphrase: Path
) -> None:
    request, out = asked(world, tmp_path), tmp_path / "answer"
    command = ["sign", "--home", world.root / "hot", "--request", request, "--out", out]
    opened = ["--passphrase-file", passphrase, "--yes"]

    assert "signed" == told(*command, *opened)["result"]
    attended(world)
    assert "person.required" == refused(*command, *opened)


def test_a_wrong_passphrase_signs_nothing(world: World, tmp_path: Path) -> None:
    request, out = asked(world, tmp_path), tmp_path / "answer"
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong passphrase")

    code = refused(
        "sign", "--home", world.root / "hot", "--request", request, "--out", out,
        "--passphrase-file", wrong, "--yes",
    )  # fmt: skip

    assert "keystore.wrong_passphrase" == code
    assert not out.exists()


def test_inspect_explains_without_a_key(world: World, tmp_path: Path) -> None:
    request = asked(world, tmp_path)

    lines = told("inspect", "--home", world.root / "hot", "--request", request)["lines"]

    assert "WITHDRAWAL of BTC on bitcoin-regtest from bitcoin-hot" == lines[0]
    assert any(line.startswith("fee at most 0.00005 BTC (5000), 0.005 %") for line in lines)


def test_recall_writes_the_recorded_answer(world: World, tmp_path: Path, passphrase: Path) -> None:
    request = asked(world, tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    base = ["--home", world.root / "hot", "--request", request]
    told("sign", *base, "--out", first, "--passphrase-file", passphrase, "--yes")

    told("recall", *base, "--out", second)

    assert first.read_bytes() == second.read_bytes()


def test_an_address_is_derived_here(world: World, hot: Home) -> None:
    vault = hot.vaults["bitcoin-cold"].vault
    hot.close()

    shown = told("address", "--home", world.root / "hot", "--vault", "bitcoin-cold", "--index", 7)

    assert hot.networks[BTC].utxo is not None
    assert vault.address_at(hot.networks[BTC].utxo, 0, 7) == shown["address"]


@pytest.mark.parametrize(
    ("vault", "branch", "index"),
    [
        ("bitcoin-hot", 0, 0),
        ("bitcoin-hot", 1, 19),
        ("bitcoin-cold", 0, 7),
        ("litecoin-hot", 1, 3),
        ("ethereum-deposit", 0, 12),
        ("ethereum-hot", 0, 0),
        ("ethereum-cold", 0, 0),
    ],
)
def test_an_address_is_found_where_it_was_derived(
    world: World, vault: str, branch: int, index: int
) -> None:
    home = ["--home", world.root / "hot"]
    shown = told("address", *home, "--vault", vault, "--branch", branch, "--index", index)

    found = told("address", *home, "--find", shown["address"], "--search", 20)

    assert shown == found
    assert (vault, f"{branch}/{index}") == (found["vault"], found["path"])


def test_an_address_is_shown_with_the_path_of_our_key(world: World) -> None:
    home = ["--home", world.root / "hot"]

    assert "m/48h/1h/0h/2h/0/7" == told(
        "address", *home, "--vault", "bitcoin-hot", "--index", 7
    )["key_path"]  # fmt: skip
    assert "" == told("address", *home, "--vault", "bitcoin-cold")["key_path"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CUSTOMER, "address.not_ours"),
        (CUSTOMER_EVM, "address.not_ours"),
        ("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "address.unreadable"),
        ("x", "address.unreadable"),
    ],
)
def test_a_stranger_is_not_found(world: World, text: str, code: str) -> None:
    assert code == refused("address", "--home", world.root / "hot", "--find", text, "--search", 3)


def test_an_address_beyond_the_search_is_not_found(world: World) -> None:
    home = ["--home", world.root / "hot"]
    shown = told("address", *home, "--vault", "bitcoin-hot", "--index", 5)["address"]

    assert "address.not_ours" == refused("address", *home, "--find", shown, "--search", 5)
    assert "0/5" == told("address", *home, "--find", shown, "--search", 6)["path"]
    assert "address.search_too_long" == refused(
        "address", *home, "--find", shown, "--search", 100_001
    )
    assert "address.search_too_long" == refused("address", *home, "--find", shown, "--search", 0)


def test_an_address_is_either_derived_or_found(world: World) -> None:
    home = ["--home", world.root / "hot"]

    assert "config.invalid" == refused("address", *home)
    assert "config.invalid" == refused(
        "address", *home, "--vault", "bitcoin-hot", "--find", CUSTOMER
    )


def test_a_vault_is_shown_in_every_form(world: World, hot: Home) -> None:
    proof = hot.state.vaults["bitcoin-hot"].proof.hex()
    text = hot.vaults["bitcoin-hot"].vault.text
    hot.close()
    home = ["--home", world.root / "hot"]

    shown = told("vault", *home, "--vault", "bitcoin-hot")

    assert (proof, text) == (shown["proof"], shown["descriptor"])
    assert "wsh(sortedmulti(2,@0/**,@1/**,@2/**))" == shown["policy"]
    assert 3 == len(shown["keys"])
    assert "descriptor" not in told("vault", *home, "--vault", "ethereum-cold")
    assert "home.unusable" == refused("vault", *home, "--vault", "nowhere")


def test_a_policy_file_registers_with_custodians_and_the_same_first_address(
    world: World, tmp_path: Path, passphrase: Path
) -> None:
    opened = world.open("hot")
    text = in_another_account(opened, opened.state.vaults["bitcoin-hot"].text)
    expected = address_at(opened.parse_vault(text, Role.HOT).vault, opened.networks, 0, 0)
    opened.close()
    descriptor = text.decode().split('descriptor = "')[1].split('"')[0]
    keys = re.findall(r"(\[[^]]*\][0-9A-Za-z]+)/<0;1>", descriptor)
    home = ["--home", world.root / "hot"]
    template = told("vault", *home, "--vault", "bitcoin-hot")["policy"]
    head = f'name = "again"\nnetwork = "{BTC}"\nkind = "policy"\n'
    body = f"template = {json.dumps(template)}\nkeys = {json.dumps(keys)}\n"
    file = tmp_path / "vault.toml"
    file.write_text(head + body + 'custodians = ["Alice", "Bob", "Carol"]\n')
    base = ["--file", file, "--role", "hot"]

    declined = run("register", *home, *base, typed="n\n")
    assert "kept by Alice, Bob, Carol" in declined.output
    done = told("register", *home, *base, "--passphrase-file", passphrase, "--yes")

    assert expected == done["first_address"]
    again = told("vault", *home, "--vault", "again")
    assert (["Alice", "Bob", "Carol"], descriptor) == (again["custodians"], again["descriptor"])
    file.write_text(head + body + 'custodians = ["Alice", "Bob", "alice"]\n')
    assert "vault.duplicate_custodian" == refused("register", *home, *base, "--yes")


def test_registration_shows_every_key(world: World, tmp_path: Path, passphrase: Path) -> None:
    home = world.open("hot")
    text = home.state.vaults["bitcoin-hot"].text.replace(b"bitcoin-hot", b"again")
    (tmp_path / "vault.toml").write_bytes(in_another_account(home, text))
    home.close()
    base = ["--home", world.root / "hot", "--file", tmp_path / "vault.toml", "--role", "hot"]

    declined = run("register", *base, typed="n\n")

    assert 1 == declined.exit_code
    assert "2 of 3 keys must sign" in declined.output
    assert 1 == declined.output.count("<- OURS")
    assert "m/48h/1h/7h/2h" == told(
        "register", *base, "--passphrase-file", passphrase, "--yes"
    )["own_path"]  # fmt: skip
    assert "again" in told("status", "--home", world.root / "hot")["vaults"]


def test_a_registration_that_is_declined_registers_nothing(
    world: World, tmp_path: Path, passphrase: Path
) -> None:
    home = world.open("hot", unlock=False)
    text = home.state.vaults["bitcoin-hot"].text.replace(b"bitcoin-hot", b"again")
    home.close()
    (tmp_path / "vault.toml").write_bytes(text)
    base = ["--home", world.root / "hot", "--file", tmp_path / "vault.toml"]
    opened = ["--passphrase-file", passphrase]

    assert "person.declined" == refused("register", *base, *opened, "--role", "hot", typed="n\n")
    assert "config.invalid" == refused(
        "register", *base, *opened, "--role", "hot", "--role", "cold"
    )
    assert "again" not in told("status", "--home", world.root / "hot")["vaults"]


def test_an_unknown_vault_is_said(world: World) -> None:
    code = refused("address", "--home", world.root / "hot", "--vault", "none")

    assert "home.unusable" == code


@pytest.mark.parametrize("typed", [b"", b"\n", b"x" * 1025])
def test_an_unusable_passphrase_is_said(world: World, tmp_path: Path, typed: bytes) -> None:
    file = tmp_path / "bad"
    file.write_bytes(typed)
    command = ["xpub", "--home", world.root / "hot", "--network", BTC, "--account", 9]

    code = refused(*command, "--passphrase-file", file)

    assert code == ("storage.unusable" if len(typed) > 1 else "passphrase.unusable")


def test_a_passphrase_comes_by_descriptor(world: World, tmp_path: Path) -> None:
    command = ["xpub", "--home", world.root / "hot", "--network", BTC]
    inlet, outlet = os.pipe()
    os.write(outlet, PASSPHRASE + b"\n")
    os.close(outlet)
    assert told(*command, "--account", 9, "--passphrase-fd", inlet)["key"]

    inlet, outlet = os.pipe()
    os.write(outlet, b"x" * 1025)
    os.close(outlet)
    long = refused(*command, "--account", 8, "--passphrase-fd", inlet)
    missing = refused(*command, "--account", 8, "--passphrase-fd", 9999)
    both = refused(*command, "--account", 8, "--passphrase-fd", 0, "--passphrase-file", tmp_path)
    assert ["passphrase.unusable"] * 3 == [long, missing, both]


def test_a_new_passphrase_is_typed_twice(tmp_path: Path) -> None:
    command = ["init", "--home", tmp_path / "x", "--id", "x", *CHEAP]

    assert "passphrase.unusable" == refused(*command, typed="long enough\nsomething else\n")
    again = run(*command, "--json", typed="long enough\nlong enough\n")
    assert 0 == again.exit_code


def test_two_processes_cannot_share_a_home(world: World) -> None:
    home = world.open("hot")

    assert "home.unusable" == refused("status", "--home", world.root / "hot")
    home.close()


def test_a_missing_home_is_said(tmp_path: Path) -> None:
    assert "home.unusable" == refused("status", "--home", tmp_path / "none")


def test_nothing_secret_is_printed(world: World, tmp_path: Path, passphrase: Path) -> None:
    home = world.open("hot")
    secrets = [home.unlocked().state_key.hex(), home.unlocked().chain.secret((0,)).hex()]
    home.close()
    request = asked(world, tmp_path)

    result = run(
        "sign", "--home", world.root / "hot", "--request", request, "--out", tmp_path / "a",
        "--passphrase-file", passphrase, "--yes",
    )  # fmt: skip

    assert PASSPHRASE.decode() not in result.output
    assert not any(secret in result.output for secret in secrets)


def child(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=ROOT, check=False, timeout=120)


FORBIDDEN = (
    "ssl", "http.client", "urllib3", "requests", "httpx", "aiohttp", "asyncio", "sqlalchemy",
    "web3", "bitcoinlib", "sqlite3", "urllib.request",
)  # fmt: skip


def test_a_fresh_selfcheck_loads_nothing_that_could_talk() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['glaytos-signer', 'selfcheck']\n"
        "try:\n    runpy.run_module('signer', run_name='__main__')\n"
        "except SystemExit as end:\n    print('exit', end.code, file=sys.stderr)\n"
        f"print('loaded', [m for m in {FORBIDDEN!r} if m in sys.modules], file=sys.stderr)\n"
    )

    done = child("-c", code)

    assert b"exit 0" in done.stderr, done.stderr
    assert b"loaded []" in done.stderr
    assert len(selfcheck.run()) == done.stdout.count(b"ok  ")


def without_network() -> Sequence[str] | None:
    """How to run a command in a network namespace without interfaces, if this machine may."""
    for prefix in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        try:
            tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        except FileNotFoundError:
            return None
        if tried.returncode == 0:
            return prefix
    return None


def test_selfcheck_works_where_there_is_no_network() -> None:
    prefix = without_network()
    if prefix is None:
        if os.environ.get("CI") == "true":
            pytest.fail("this machine may not make network namespaces")
        pytest.skip("this machine may not make network namespaces")
    command = [*prefix, sys.executable, "-m", "signer", "selfcheck"]

    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False, timeout=120)

    assert 0 == done.returncode, done.stderr


def test_a_home_can_be_made_and_used_where_there_is_no_network(
    world: World, tmp_path: Path
) -> None:
    prefix = without_network()
    if prefix is None:
        pytest.skip("this machine may not make network namespaces")
    command = [*prefix, sys.executable, "-m", "signer", "status", "--home", world.root / "hot"]

    done = subprocess.run(
        [str(part) for part in command], capture_output=True, cwd=ROOT, check=False, timeout=120
    )

    assert b"signer_id: hot" in done.stdout, done.stderr


def test_the_commands_teach_themselves() -> None:
    listed = run("--help").output

    for command in ("selfcheck", "init", "xpub", "register", "address", "inspect", "sign"):
        assert command in listed
        assert 0 == run(command, "--help").exit_code
    assert "--passphrase " not in run("sign", "--help").output


def test_each_vault_file_needs_its_role(world: World, tmp_path: Path, passphrase: Path) -> None:
    file = tmp_path / "vault.toml"
    file.write_text("")
    arguments = ["--home", world.root / "hot", "--file", file, "--file", file, "--role", "hot"]
    code = refused("register", *arguments, "--passphrase-file", passphrase, "--yes")

    assert "config.invalid" == code

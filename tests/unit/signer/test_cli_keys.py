"""The key files at the command line: unlock files, rewrapping, importing, listing."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from typer.testing import CliRunner, Result

from signer.__main__ import GROUPS, build_app
from signer.keystore import (
    PassphraseKek,
    SecretUse,
    encode_hk0,
    key_file,
    open_key,
)
from signer.keystore import kek as kek_module
from signer.prompting import secret_from
from signer.unlocking import UnlockFileError, kek_of
from tests.signer_world import NOW_S, PASSPHRASE, drip

RUNNER = CliRunner()
NOISE = hashlib.sha512(b"noise").digest()
MATERIAL = hashlib.sha256(b"vault").digest()
WRAPPED = "vault:v1:" + base64.b64encode(bytes(60)).decode()
SECRET = bytes(range(1, 33))
CHEAP = ("--kdf-memory-mib", "64")
SYSTEM = ("--only-system-entropy",)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)
    monkeypatch.setattr("signer.cli.terminal.now_s", lambda: NOW_S)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with what people bring: passphrases, a key file, answers of a transit engine."""
    for name in ("alice", "bob", "carol"):
        tmp_path.joinpath(name).write_text(f"passphrase of {name}\n")
    tmp_path.joinpath("passphrase").write_bytes(PASSPHRASE + b"\n")
    tmp_path.joinpath("new").write_text("another passphrase")
    tmp_path.joinpath("noise").write_bytes(NOISE)
    tmp_path.joinpath("wrapped.json").write_text(json.dumps({"data": {"ciphertext": WRAPPED}}))
    answer = {"data": {"plaintext": base64.b64encode(MATERIAL).decode()}}
    tmp_path.joinpath("answer.json").write_text(json.dumps(answer))
    return tmp_path


def run(*arguments: object, typed: str = "") -> Result:
    return RUNNER.invoke(build_app(), [str(argument) for argument in arguments], input=typed)


def told(*arguments: object, typed: str = "") -> dict[str, Any]:
    result = run(*arguments, "--json", typed=typed)
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return answer


def refused(*arguments: object, typed: str = "") -> str:
    result = run(*arguments, "--json", typed=typed)
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


def unlock_file(desk: Path, text: str, name: str = "unlock.toml") -> Path:
    file = desk / name
    file.write_text(text)
    return file


def made(desk: Path, *how: object, typed: str = "") -> Path:
    home = desk / "home"
    how = how or ("--passphrase-file", desk / "passphrase")
    told("init", *SYSTEM, "--home", home, "--id", "kh1", *how, *CHEAP, typed=typed)
    return home


def opens(home: Path, *how: object, typed: str = "") -> dict[str, Any]:
    """Opening is proved by drawing new data keys."""
    return told("keys", "rewrap", "--home", home, *how, "--keep", typed=typed)


def does_not_open(home: Path, *how: object, typed: str = "") -> str:
    return refused("keys", "rewrap", "--home", home, *how, "--keep", typed=typed)


FACTORS = """
[passphrase]
file = "passphrase"
[key-file]
file = "noise"
[transit]
answer = "answer.json"
wrapped = "wrapped.json"
key = "signer-1"
context = "Y29udGV4dA=="
"""


def test_a_home_is_made_and_opened_by_several_factors(desk: Path) -> None:
    unlock = unlock_file(desk, FACTORS)
    home = made(desk, "--unlock", unlock)

    assert "key-file, passphrase, transit" == opens(home, "--unlock", unlock)["opened_by"]
    assert "keystore.unreadable" == does_not_open(home, "--passphrase-file", desk / "passphrase")


@pytest.mark.parametrize("missing", ["passphrase", "key-file", "transit"])
def test_a_home_does_not_open_without_each_factor(desk: Path, missing: str) -> None:
    home = made(desk, "--unlock", unlock_file(desk, FACTORS))
    parts = [part for part in FACTORS.split("[") if part.strip()]
    fewer = "".join(f"[{part}" for part in parts if not part.startswith(f"{missing}]"))

    code = does_not_open(home, "--unlock", unlock_file(desk, fewer))

    assert "keystore.factor_missing" == code


def test_two_people_each_hold_a_passphrase(desk: Path) -> None:
    people = [f'{{ name = "{name}", file = "{name}" }}' for name in ("alice", "bob", "carol")]

    def shared(*some: str, threshold: str = "") -> Path:
        return unlock_file(desk, f"[shared]\n{threshold}\npeople = [{', '.join(some)}]\n")

    home = made(desk, "--unlock", shared(*people, threshold="threshold = 2"))

    opens(home, "--unlock", shared(people[0], people[2]))
    assert "keystore.quorum_missing" == does_not_open(home, "--unlock", shared(people[1]))
    swapped = people[1].replace('file = "bob"', 'file = "carol"')
    code = does_not_open(home, "--unlock", shared(people[0], swapped))
    assert "keystore.wrong_passphrase" == code


def test_people_type_their_passphrases(desk: Path) -> None:
    text = '[shared]\nthreshold = 2\npeople = [{ name = "alice" }, { name = "bob" }]\n'
    unlock = unlock_file(desk, text)

    home = made(desk, "--unlock", unlock, typed="first word\nfirst word\nsecond one\nsecond one\n")

    opens(home, "--unlock", unlock, typed="first word\nsecond one\n")
    typed = "second one\nfirst word\n"
    assert "keystore.wrong_passphrase" == does_not_open(home, "--unlock", unlock, typed=typed)
    assert "passphrase.unusable" == refused(
        "init",
        *SYSTEM,
        "--home",
        desk / "x",
        "--id",
        "x",
        "--unlock",
        unlock,
        *CHEAP,
        typed="a\na\n",
    )


def test_shares_open_a_home(desk: Path) -> None:
    new = unlock_file(desk, '[slip39]\nthreshold = 2\ncount = 3\nout = "shares"\n')
    home = made(desk, "--unlock", new)
    shares = sorted(desk.joinpath("shares").iterdir())
    assert 3 == len(shares)
    assert all(0o600 == share.stat().st_mode & 0o777 for share in shares)

    some = unlock_file(desk, '[slip39]\nfiles = ["shares/share-1", "shares/share-3"]\n')
    opens(home, "--unlock", some)
    one = unlock_file(desk, '[slip39]\nfiles = ["shares/share-1"]\n')
    assert "keystore.quorum_missing" == does_not_open(home, "--unlock", one)
    typed = shares[1].read_text() + shares[2].read_text()
    opens(home, "--unlock", unlock_file(desk, "[slip39]\ntyped = 2\n"), typed=typed)


def test_shares_never_go_over_older_ones(desk: Path) -> None:
    new = unlock_file(desk, '[slip39]\nthreshold = 2\ncount = 3\nout = "shares"\n')
    desk.joinpath("shares").mkdir()

    code = refused("init", *SYSTEM, "--home", desk / "x", "--id", "x", "--unlock", new, *CHEAP)

    assert "unlock.file_invalid" == code
    assert not desk.joinpath("x").exists()


def test_no_share_or_passphrase_is_printed(desk: Path) -> None:
    new = unlock_file(desk, '[slip39]\nthreshold = 2\ncount = 3\nout = "shares"\n')
    home = desk / "home"
    result = run("init", *SYSTEM, "--home", home, "--id", "kh1", "--unlock", new, *CHEAP)

    words = desk.joinpath("shares", "share-1").read_text().split()
    assert 0 == result.exit_code
    assert not set(words) & set(result.output.split())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[passphrase",
        "\x00",
        "[magic]\n",
        "passphrase = 1\n",
        '[passphrase]\nsecret = "x"\n',
        "[passphrase]\nfd = true\n",
        "[passphrase]\nfile = 5\n",
        '[passphrase]\nfile = "alice"\nfd = 3\n',
        "[key-file]\n",
        "[slip39]\ntyped = 17\n",
        "[slip39]\nfiles = [1]\n",
        '[pkcs11]\nmodule = "x"\n',
        "[shared]\npeople = [1]\n",
        '[shared]\npeople = [{ file = "alice" }]\n',
        "[transit]\n",
    ],
)
def test_an_unlock_file_that_says_something_else_is_refused(desk: Path, text: str) -> None:
    with pytest.raises(UnlockFileError) as caught:
        kek_of(unlock_file(desk, text), secret_from)
    assert "unlock.file_invalid" == caught.value.code


def test_an_unlock_file_and_a_passphrase_are_not_both_taken(desk: Path) -> None:
    unlock = unlock_file(desk, '[key-file]\nfile = "noise"\n')
    both = ("--unlock", unlock, "--passphrase-file", desk / "passphrase")
    home = made(desk)

    assert "passphrase.unusable" == does_not_open(home, *both)
    assert "passphrase.unusable" == refused(
        "init", *SYSTEM, "--home", desk / "x", "--id", "x", *both
    )


def test_a_token_is_named_and_its_pin_read_from_a_file(desk: Path) -> None:
    desk.joinpath("pin").write_text("1234")
    text = '[pkcs11]\nmodule = "/nonexistent.so"\ntoken = "t"\nkey = "k"\npin_file = "pin"\n'

    code = refused(
        "init", *SYSTEM, "--home", desk / "x", "--id", "x", "--unlock", unlock_file(desk, text)
    )

    assert "keystore.token_unusable" == code
    assert not desk.joinpath("x").exists()


def test_a_home_gets_another_passphrase(desk: Path) -> None:
    home = made(desk)
    old = ("--passphrase-file", desk / "passphrase")

    done = told(
        "keys", "rewrap", "--home", home, *old, "--new-passphrase-file", desk / "new", *CHEAP
    )

    assert {"rewrapped": 3, "hk0_before": 0, "hk0_remaining": 0, "opened_by": "argon2id"} == done
    opens(home, "--passphrase-file", desk / "new")
    assert "keystore.wrong_passphrase" == does_not_open(home, *old)


def test_a_home_moves_from_a_passphrase_to_factors(desk: Path) -> None:
    home = made(desk)
    unlock = unlock_file(desk, FACTORS)

    told(
        "keys", "rewrap", "--home", home, "--passphrase-file", desk / "passphrase",
        "--new-unlock", unlock, *CHEAP,
    )  # fmt: skip

    opens(home, "--unlock", unlock)
    listed = told("keys", "list", "--home", home)["keys"]
    assert [["key-file", "passphrase", "transit"]] * 3 == [key["opened_by"] for key in listed]


def test_a_mistyped_or_weak_new_passphrase_changes_nothing(desk: Path) -> None:
    home = made(desk)
    old = ("--passphrase-file", desk / "passphrase")

    for typed in ("one passphrase\nanother one\n", "short\nshort\n"):
        code = refused("keys", "rewrap", "--home", home, *old, *CHEAP, typed=typed)
        assert "passphrase.unusable" == code
    opens(home, *old)


def test_keeping_and_changing_exclude_each_other(desk: Path) -> None:
    home = made(desk)

    code = does_not_open(home, "--new-passphrase-file", desk / "new")

    assert "config.invalid" == code


def test_a_3des_file_is_shown_counted_and_gone_after_rewrapping(desk: Path) -> None:
    home = made(desk)
    kek = PassphraseKek(PASSPHRASE)
    opened = open_key(key_file(home / "keys", "seed").data, kek)
    legacy = encode_hk0(opened.header, opened.secret, kek, drip("x"), allow_hk0=True)
    home.joinpath("keys", "seed.hk0").write_bytes(legacy)
    home.joinpath("keys", "seed.hk1").unlink()

    assert 1 == told("status", "--home", home)["hk0_remaining"]
    assert "seed  HK0" in "".join(run("keys", "list", "--home", home).stdout.splitlines(True))
    assert "still under 3DES (HK0): 1" in run("keys", "list", "--home", home).stdout
    done = told(
        "keys", "rewrap", "--home", home, "--passphrase-file", desk / "passphrase",
        "--new-passphrase-file", desk / "new", *CHEAP,
    )  # fmt: skip

    assert (1, 0) == (done["hk0_before"], done["hk0_remaining"])
    assert 0 == told("status", "--home", home)["hk0_remaining"]
    assert not list(home.joinpath("keys").glob("*.hk0"))


def test_a_web3_keystore_is_imported_under_the_homes_protection(desk: Path) -> None:
    home = made(desk)
    file = desk / "geth.json"
    file.write_text(json.dumps(Account.encrypt(SECRET, "geth pass", "pbkdf2", 10)))
    desk.joinpath("geth").write_text("geth pass\n")
    command = (
        "keys", "import-web3", "--home", home, "--file", file,
        "--web3-password-file", desk / "geth", "--passphrase-file", desk / "passphrase",
    )  # fmt: skip

    done = told(*command)

    assert Account.from_key(SECRET).address == done["address"]
    assert done["signs"].startswith("nothing")
    kept = open_key(home.joinpath("keys", done["file"]).read_bytes(), PassphraseKek(PASSPHRASE))
    assert (SECRET, SecretUse.SINGLE) == (kept.secret, kept.header.use)
    assert 4 == opens(home, "--passphrase-file", desk / "passphrase")["rewrapped"]
    assert "home.key_exists" == refused(*command)
    assert 4 == len(told("keys", "list", "--home", home)["keys"])


def test_a_web3_keystore_with_another_password_imports_nothing(desk: Path) -> None:
    home = made(desk)
    file = desk / "geth.json"
    file.write_text(json.dumps(Account.encrypt(SECRET, "geth pass", "pbkdf2", 10)))

    code = refused(
        "keys", "import-web3", "--home", home, "--file", file,
        "--web3-password-file", desk / "new", "--passphrase-file", desk / "passphrase",
    )  # fmt: skip

    assert "keystore.wrong_passphrase" == code
    assert 3 == len(told("keys", "list", "--home", home)["keys"])


def test_the_request_for_the_engine_is_written_before_and_after(desk: Path) -> None:
    first, later = desk / "first.json", desk / "later.json"
    told(
        "keys", "transit-request", "--wrapped", desk / "wrapped.json", "--key", "signer-1",
        "--context", "Y29udGV4dA==", "--out", first,
    )  # fmt: skip
    home = made(desk, "--unlock", unlock_file(desk, FACTORS))

    told("keys", "transit-request", "--home", home, "--out", later)

    request = json.loads(first.read_text())
    assert request == json.loads(later.read_text())
    assert ("POST", "/v1/transit/decrypt/signer-1") == (request["method"], request["path"])
    assert {"ciphertext": WRAPPED, "context": "Y29udGV4dA=="} == request["body"]


def test_no_request_is_written_for_nothing(desk: Path) -> None:
    out = ("--out", desk / "out.json")
    home = made(desk)

    assert "keystore.factor_missing" == refused("keys", "transit-request", "--home", home, *out)
    assert "config.invalid" == refused("keys", "transit-request", *out)
    both = ("--home", home, "--wrapped", desk / "wrapped.json")
    assert "config.invalid" == refused("keys", "transit-request", *both, *out)
    assert not desk.joinpath("out.json").exists()


def test_a_secret_comes_from_a_descriptor_too(desk: Path) -> None:
    home = made(desk)
    reading, writing = os.pipe()
    os.write(writing, PASSPHRASE)
    os.close(writing)

    opens(home, "--passphrase-fd", reading)


def test_groups_stand_under_their_name() -> None:
    for group in GROUPS:
        alone = build_app(group)
        assert [group] == [each.name for each in alone.registered_groups]
        assert group in {each.name for each in build_app().registered_groups}
    assert "rewrap" in run("keys", "--help").stdout

"""A release: its signature, every file on the stick, and every file that is installed."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from embit.wordlists.bip39 import WORDLIST
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from config.release import bundle
from signer import ed25519, release, selfcheck
from signer.__main__ import build_app
from signer.errors import SignerError
from signer.protocol import check_words, identity_sign, public_key_of

SEED = b"\x07" * 32
KEY = public_key_of(SEED)
INSTALLED = {
    "signer/__init__.py": b"# signer\n",
    "lib/native.so": b"\x7fELF",
    "lib-1.dist-info/METADATA": b"Name: lib\n",
}


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A signed release folder of a few files."""
    folder = tmp_path / "stick"
    write(folder / "wheels" / "lib.whl", b"wheel")
    write(tmp_path / "packages", b"", INSTALLED)
    names = {name: hashlib.sha256(data).hexdigest() for name, data in INSTALLED.items()}
    write(folder / release.FILES, bundle.listing(names).encode())
    bundle.sign(folder, SEED)
    return folder


@pytest.fixture
def packages(stick: Path) -> Path:
    """The folder that this release is installed in."""
    return stick.with_name("packages")


def write(path: Path, data: bytes, below: dict[str, bytes] | None = None) -> None:
    for name, content in (below or {}).items():
        write(path / name, content)
    if below is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(SignerError) as caught:
        act()
    return caught.value.code


def test_a_whole_release_passes(stick: Path, packages: Path) -> None:
    opened = release.open_release(stick, KEY)

    assert 2 == release.check_media(opened)
    assert 3 == release.check_installed(opened, packages)
    assert opened == release.open_release(stick / release.SUMS, KEY)


def test_what_pip_writes_beside_a_package_is_expected(stick: Path, packages: Path) -> None:
    write(packages / "lib-1.dist-info" / "RECORD", b"")

    release.check_installed(release.open_release(stick, KEY), packages)


def test_another_key_did_not_sign_it(stick: Path) -> None:
    other = public_key_of(b"\x08" * 32)

    assert "release.bad_signature" == code_of(lambda: release.open_release(stick, other))


@pytest.mark.parametrize("name", [release.SUMS, release.SIGNATURE])
def test_a_flipped_bit_in_list_or_signature_is_noticed(stick: Path, name: str) -> None:
    data = bytearray((stick / name).read_bytes())
    data[5] ^= 1
    (stick / name).write_bytes(data)

    assert "release.bad_signature" == code_of(lambda: release.open_release(stick, KEY))


def test_an_unsigned_folder_is_no_release(stick: Path) -> None:
    (stick / release.SIGNATURE).unlink()

    assert "release.unsigned" == code_of(lambda: release.open_release(stick, KEY))


def test_a_folder_without_a_list_is_no_release(tmp_path: Path) -> None:
    assert "release.malformed" == code_of(lambda: release.open_release(tmp_path, KEY))


@pytest.mark.parametrize("text", ["", "0" * 63, "G" * 64, "A" * 64])
def test_a_key_is_64_hex_digits(text: str) -> None:
    assert "release.bad_key" == code_of(lambda: release.parse_key(text))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "0" * 64 + "  /etc/passwd",
        "0" * 64 + "  ../x",
        "0" * 64 + "  a/../../x",
        "0" * 64 + "  a//x",
        "0" * 63 + "  x",
        "0" * 64 + " x",
        "0" * 64 + "  x\n" + "1" * 64 + "  x",
        "0" * 64 + "  \u00e9",
    ],
)
def test_a_list_of_another_shape_is_refused_though_signed(stick: Path, line: str) -> None:
    text = line.encode()
    (stick / release.SUMS).write_bytes(text)
    (stick / release.SIGNATURE).write_bytes(identity_sign(SEED, text))

    assert "release.malformed" == code_of(lambda: release.open_release(stick, KEY))


def test_a_list_too_large_is_refused_before_parsing(
    stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "LIST_BYTES_MAX", 10)

    assert "release.malformed" == code_of(lambda: release.open_release(stick, KEY))


@pytest.mark.parametrize("place", ["stick", "packages"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("flip", "release.file_changed"),
        ("link", "release.file_changed"),
        ("remove", "release.file_missing"),
        ("add", "release.file_unknown"),
        ("compile", "release.file_unknown"),
        ("folder", "release.file_unknown"),
    ],
)
def test_every_change_of_a_file_is_named(
    stick: Path, packages: Path, tmp_path: Path, place: str, change: str, code: str
) -> None:
    folder, name = (stick, "wheels/lib.whl") if place == "stick" else (packages, "lib/native.so")
    path = folder / name
    match change:
        case "flip":
            path.write_bytes(b"other")
        case "link":
            write(tmp_path / "elsewhere", path.read_bytes())
            path.unlink()
            path.symlink_to(tmp_path / "elsewhere")
        case "remove":
            path.unlink()
        case "add":
            write(folder / "sitecustomize.py", b"")
        case "compile":
            write(folder / "signer" / "__pycache__" / "__init__.cpython-311.pyc", b"")
        case _:
            (folder / "linked").symlink_to(tmp_path)
    opened = release.open_release(stick, KEY)

    def check() -> int:
        if place == "stick":
            return release.check_media(opened)
        return release.check_installed(opened, packages)

    assert code == code_of(check)


def test_another_list_of_installed_files_is_refused(stick: Path, packages: Path) -> None:
    opened = release.open_release(stick, KEY)
    (stick / release.FILES).write_bytes(b"0" * 64 + b"  x\n")

    assert "release.file_changed" == code_of(lambda: release.check_installed(opened, packages))


def test_a_command_that_starts_something_else_is_noticed(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "glaytos-signer"
    write(command, release.launcher(tmp_path / "bin" / "python").encode())
    release.check_launcher(tmp_path)

    write(command, command.read_bytes().replace(b"-IB", b""))

    assert "release.file_changed" == code_of(lambda: release.check_launcher(tmp_path))


def test_a_release_keys_words_are_those_of_its_hash() -> None:
    digest = hashlib.sha256(KEY).digest()

    assert check_words(digest) == release.fingerprint(KEY, WORDLIST)


def told(*arguments: object) -> tuple[int, dict[str, object]]:
    result = CliRunner().invoke(build_app(), ["selfcheck", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout.splitlines()[-1])


def test_a_development_checkout_says_so() -> None:
    code, answer = told()

    assert 0 == code
    assert "development checkout" in str(answer["release"])
    assert "release.unsigned" == told("--release-key", KEY.hex())[1]["code"]


def test_selfcheck_names_the_changed_file(
    stick: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfcheck, "__file__", str(packages / "signer" / "selfcheck.py"))
    asked = ["--release", stick, "--release-key", KEY.hex()]
    assert "3 installed files" in str(told(*asked)[1]["release"])
    (packages / "lib" / "native.so").write_bytes(b"other")

    code, answer = told(*asked)

    assert (1, "release.file_changed") == (code, answer["code"])
    assert "lib/native.so" in str(answer["detail"])


def test_a_release_is_never_compared_without_a_key(stick: Path) -> None:
    assert "release.bad_key" == told("--release", stick)[1]["code"]


def test_an_installation_keeps_its_release(
    stick: Path, packages: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(selfcheck, "__file__", str(packages / "signer" / "selfcheck.py"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for name in release.MANIFEST:
        write(tmp_path / release.INSTALLED / name, (stick / name).read_bytes())

    assert "--release-key" in str(told()[1]["release"])
    assert "release.malformed" == told("--release-key", KEY.hex())[1]["code"]
    write(
        tmp_path / "bin" / "glaytos-signer",
        release.launcher(tmp_path / "bin" / "python").encode(),
    )
    assert "3 installed files" in str(told("--release-key", KEY.hex())[1]["release"])


def test_published_signatures_are_judged_right(vectors: Path) -> None:
    groups = json.loads((vectors / "wycheproof_ed25519_test.json").read_text())["testGroups"]
    judged = [
        (case["result"] == "valid", *(bytes.fromhex(case[name]) for name in ("msg", "sig")), key)
        for group in groups
        for key in [bytes.fromhex(group["publicKey"]["pk"])]
        for case in group["tests"]
    ]

    assert len(judged) > 100
    assert [] == [
        message for good, message, sig, key in judged if good != ed25519.verifies(key, message, sig)
    ]


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=100), at=st.integers(0))
def test_the_two_implementations_agree(seed: bytes, message: bytes, at: int) -> None:
    key, signature = public_key_of(seed), identity_sign(seed, message)
    wrong = bytearray(signature)
    wrong[at % 64] ^= 1 << at % 8

    assert ed25519.verifies(key, message, signature)
    assert not ed25519.verifies(key, message, bytes(wrong))
    assert not ed25519.verifies(key, message + b"x", signature)


@pytest.mark.parametrize(
    "key",
    [b"", bytes(31), b"\xff" * 32, (2**255 - 19 + 1).to_bytes(32, "little"), b"\x02" + bytes(31)],
)
def test_a_key_that_is_no_point_verifies_nothing(key: bytes) -> None:
    assert not ed25519.verifies(key, b"", identity_sign(SEED, b""))


def test_a_point_of_order_one_with_a_sign_is_not_canonical() -> None:
    negative_zero = (1 | 1 << 255).to_bytes(32, "little")

    assert not ed25519.verifies(negative_zero, b"", bytes(64))


def test_a_release_key_is_for_its_owners_eyes(tmp_path: Path) -> None:
    file = tmp_path / "release.key"
    file.write_text(SEED.hex())
    file.chmod(0o644)

    with pytest.raises(SystemExit, match="0600"):
        bundle.release_seed(file)


def test_a_release_is_made_of_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "release.key"
    file.write_text(SEED.hex() + "\n")
    file.chmod(0o600)
    answers = {"status": " M signer/engine.py"}
    monkeypatch.setattr(bundle, "git", lambda *arguments: answers.get(arguments[0], ""))
    with pytest.raises(SystemExit, match="changes"):
        bundle.release_seed(file)

    answers["status"] = ""

    assert SEED == bundle.release_seed(file)

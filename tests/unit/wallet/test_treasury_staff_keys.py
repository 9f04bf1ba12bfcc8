"""Staff key files: they open with their passphrase only, unchanged only, and tell no secret."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.protocol import APPROVAL, digest, verify
from wallet.treasury.errors import StaffKeyError
from wallet.treasury.staff_keys import create_staff_key, load_staff_key, read_header

WORDS = "correct horse"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "anna.json"
    create_staff_key(file, "anna", WORDS, os.urandom)
    return file


def test_a_key_file_opens_and_approves(path: Path) -> None:
    key = load_staff_key(path, WORDS)
    approval = key.approve(b"\x07" * 32, 1234)
    approval.check()
    verify(key.public_key, digest(APPROVAL, approval.body), approval.sig)
    assert (approval.approver, approval.intent_digest) == ("anna", b"\x07" * 32)


def test_neither_file_nor_repr_holds_the_seed(path: Path) -> None:
    key = load_staff_key(path, WORDS)
    assert key.seed.hex() not in path.read_text()
    assert repr(key.seed) not in repr(key)
    assert key.seed.hex() not in repr(key)


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_wrong_passphrase_does_not_open_it(path: Path) -> None:
    with pytest.raises(StaffKeyError, match="wrong passphrase"):
        load_staff_key(path, WORDS + "!")


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(StaffKeyError):
        create_staff_key(path, "anna", WORDS, os.urandom)
    assert path.read_bytes() == before


@pytest.mark.parametrize("staff_id", ["", "a" * 129, "an\nna"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, staff_id: str) -> None:
    with pytest.raises(StaffKeyError):
        create_staff_key(tmp_path / "x", staff_id, WORDS, os.urandom)


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StaffKeyError):
        create_staff_key(tmp_path / "x", "anna", "1234567", os.urandom)
    assert not (tmp_path / "x").exists()


CHANGES: dict[str, Callable[[dict[str, str]], object]] = {
    "id": lambda d: d.update(id="ben"),
    "public_key": lambda d: d.update(public_key="00" * 32),
    "salt": lambda d: d.update(salt="00" * 16),
    "nonce": lambda d: d.update(nonce="00" * 12),
    "box": lambda d: d.update(box="00" * 48),
    "short box": lambda d: d.update(box="00" * 47),
    "not hex": lambda d: d.update(box="zz"),
    "format": lambda d: d.update(format="glaytos-staff-key/2"),
    "missing": lambda d: d.pop("salt"),
    "unknown": lambda d: d.update(hint="horse"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_does_not_open(path: Path, change: str) -> None:
    document = json.loads(path.read_text())
    CHANGES[change](document)
    path.write_text(json.dumps(document))
    with pytest.raises(StaffKeyError):
        load_staff_key(path, WORDS)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 3000, "x" * 5000, '{"format": 1}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(StaffKeyError):
        read_header(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StaffKeyError):
        load_staff_key(tmp_path / "nowhere", WORDS)

"""Secrets at rest open only under their own key, for their own row."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.webhooks.secrets import (
    SecretBoxBroken,
    ServiceKeyFileBad,
    close_box,
    create_service_key,
    load_service_key,
    open_box,
)

KEY = b"\x01" * 32
NONCE = b"\x02" * 12


@given(st.binary(max_size=80))
def test_a_box_gives_back_what_was_put_in(secret: bytes) -> None:
    assert open_box(KEY, "row", close_box(KEY, "row", secret, NONCE)) == secret


@given(st.integers(min_value=0, max_value=59))
def test_a_changed_box_does_not_open(place: int) -> None:
    box = bytearray(close_box(KEY, "row", b"\x03" * 32, NONCE))
    box[place] ^= 1
    with pytest.raises(SecretBoxBroken):
        open_box(KEY, "row", bytes(box))


@pytest.mark.parametrize(
    ("key", "owner", "cut"), [(b"\x05" * 32, "row", 60), (KEY, "other", 60), (KEY, "row", 20)]
)
def test_another_key_row_or_length_does_not_open(key: bytes, owner: str, cut: int) -> None:
    box = close_box(KEY, "row", b"\x03" * 32, NONCE)
    with pytest.raises(SecretBoxBroken):
        open_box(key, owner, box[:cut])


def test_a_service_key_file_is_for_its_owner_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "service.key"
    create_service_key(path, os.urandom)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(load_service_key(path)) == 32
    with pytest.raises(FileExistsError):
        create_service_key(path, os.urandom)
    path.chmod(0o604)
    with pytest.raises(ServiceKeyFileBad):
        load_service_key(path)


@pytest.mark.parametrize("content", ["", "zz", "00" * 31, "00" * 33])
def test_another_file_is_no_service_key(tmp_path: Path, content: str) -> None:
    path = tmp_path / "service.key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(ServiceKeyFileBad):
        load_service_key(path)
    with pytest.raises(ServiceKeyFileBad):
        load_service_key(tmp_path / "none")

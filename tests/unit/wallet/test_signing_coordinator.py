"""The coordinator's identity key: made once, kept private, and what it seals."""

from pathlib import Path

import pytest

from signer.protocol import Kind, ProtocolError, SignRequest
from wallet.signing.coordinator import Coordinator, create_coordinator, load_coordinator
from wallet.signing.errors import KeyFileError


def fixed(count: int) -> bytes:
    return b"\x07" * count


def test_a_made_key_is_loaded_again(tmp_path: Path) -> None:
    made = create_coordinator(tmp_path / "coordinator.key", fixed)
    loaded = load_coordinator(tmp_path / "coordinator.key")
    assert loaded.public_key == made.public_key
    assert (b"\x07" * 32).hex() not in repr(loaded)


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    create_coordinator(tmp_path / "coordinator.key", fixed)
    with pytest.raises(KeyFileError, match="existing file"):
        create_coordinator(tmp_path / "coordinator.key", fixed)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "coordinator.key"
    create_coordinator(path, fixed)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="expected 600"):
        load_coordinator(path)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="no readable"):
        load_coordinator(tmp_path / "none")


@pytest.mark.parametrize("text", ["", "zz", "07" * 31, "07" * 33])
def test_a_malformed_key_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "coordinator.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_coordinator(path)


def test_a_sealed_request_verifies_with_its_key_alone() -> None:
    request = SignRequest(
        request_id="r",
        created_s=1,
        expires_s=2,
        network="n",
        source="s",
        kind=Kind.PSBT,
        payload=b"p",
        intents=(),
    )
    coordinator = Coordinator(b"\x01" * 32)
    sealed = coordinator.seal(request)
    sealed.verify(coordinator.public_key)
    with pytest.raises(ProtocolError):
        sealed.verify(Coordinator(b"\x02" * 32).public_key)

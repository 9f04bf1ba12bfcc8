"""A hosted key's blob: bound to its key, network and version, and to nothing else's."""

import dataclasses
import json
from pathlib import Path

import coincurve
import pytest

from signer import secp
from signer.hosted import (
    BLOB_BYTES_MAX,
    HK0,
    BlobForeign,
    BlobFormatUnknown,
    BlobRolledBack,
    DeviceMemory,
    HostedKey,
    KdfCost,
    KeystoreError,
    MemoryDamaged,
    NetworkUnknown,
    OpenedHostedKey,
    Token,
    TokenChanged,
    WrongPassphrase,
    header_of_blob,
    hosted_network,
    new_secret_key,
    open_key,
    prove,
    seal_key,
)
from signer.keystore import KeyMismatch
from signer.protocol import Ownership, dump, load
from tests import signer_world
from tests.hosted_world import BTC, DUSD, ETH, KID, LTC, OTHER_SECRET, PASSWORD, SECRET, a_key

COST = KdfCost(lanes=1)


def sealed(key: HostedKey, password: bytes = PASSWORD) -> bytes:
    return seal_key(
        key,
        SECRET,
        password,
        signer_world.drip("blob"),
        network=hosted_network(key.network),
        created_s=1_800_000_000,
        cost=COST,
    )


@pytest.fixture(scope="module")
def blob() -> bytes:
    return sealed(a_key())


def test_a_blob_opens_with_its_password_alone(blob: bytes) -> None:
    assert open_key(blob, PASSWORD, a_key()).secret == SECRET
    with pytest.raises(WrongPassphrase):
        open_key(blob, b"another password", a_key())


def test_the_papers_format_is_written_only_by_name_and_read_freely() -> None:
    old = seal_key(
        a_key(),
        SECRET,
        PASSWORD,
        signer_world.drip("old"),
        network=hosted_network(BTC),
        created_s=0,
        cost=COST,
        blob_format=HK0,
    )
    assert open_key(old, PASSWORD, a_key()).secret == SECRET
    assert SECRET not in old
    with pytest.raises(WrongPassphrase):
        open_key(old, b"another password", a_key())


def test_a_blob_shows_neither_secret_nor_password(blob: bytes) -> None:
    opened = open_key(blob, PASSWORD, a_key())
    for shown in (blob, repr(opened).encode()):
        assert not [each for each in (SECRET, SECRET.hex().encode(), PASSWORD) if each in shown]


def test_a_blob_says_which_key_network_and_version_it_is(blob: bytes) -> None:
    header = header_of_blob(blob)
    assert (header.kid, header.network, header.version) == (KID, BTC, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": "00000000-0000-4000-8000-000000000000"},
        {"network": LTC},
        {"version": 2},
        {"public_key": secp.public_key(OTHER_SECRET)},
    ],
)
def test_a_blob_is_not_taken_for_another(blob: bytes, changes: dict[str, object]) -> None:
    with pytest.raises(BlobForeign):
        open_key(blob, PASSWORD, dataclasses.replace(a_key(), **changes))  # type: ignore[arg-type]


def test_a_blob_cannot_be_relabelled_as_a_newer_version(blob: bytes) -> None:
    fields = dict(load(blob, "blob"))
    header = dict(load(fields["header"], "header"))
    header["policy_id"] = "hosted/2"
    forged = dump({**fields, "header": dump(header)})
    assert header_of_blob(forged).version == 2
    with pytest.raises(WrongPassphrase):
        open_key(forged, PASSWORD, a_key(version=2))


def test_any_changed_byte_is_noticed(blob: bytes) -> None:
    for at in range(0, len(blob), 37):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises((KeystoreError, BlobForeign, BlobFormatUnknown)):
            open_key(changed, PASSWORD, a_key())


def test_a_blob_that_is_too_large_is_not_parsed() -> None:
    with pytest.raises(KeystoreError, match="at most"):
        header_of_blob(bytes(BLOB_BYTES_MAX + 1))


def test_a_format_that_nobody_implements_is_refused(blob: bytes) -> None:
    renamed = dump({**dict(load(blob, "blob")), "format": "HK9"})
    with pytest.raises(BlobFormatUnknown):
        header_of_blob(renamed)


def test_a_key_file_for_another_use_is_no_hosted_key(blob: bytes) -> None:
    fields = dict(load(blob, "blob"))
    header = {**dict(load(fields["header"], "header")), "use": "identity"}
    with pytest.raises(BlobForeign):
        header_of_blob(dump({**fields, "header": dump(header)}))


def test_a_secret_of_another_key_is_not_sealed() -> None:
    with pytest.raises(KeyMismatch):
        seal_key(
            a_key(),
            OTHER_SECRET,
            PASSWORD,
            signer_world.drip("blob"),
            network=hosted_network(BTC),
            created_s=0,
            cost=COST,
        )


def test_the_key_itself_signs_for_its_blob(blob: bytes) -> None:
    key = a_key()
    proof = prove(OpenedHostedKey(key, SECRET), key, blob)
    claim = Ownership(kid=key.kid, network=BTC, public_key=key.public_key, version=1, blob=blob)
    public = coincurve.PublicKey(key.public_key)
    assert public.verify(proof, claim.digest, hasher=None)
    for changed in ({"version": 2}, {"blob": blob + b"x"}, {"network": LTC}, {"kid": "another"}):
        other = dataclasses.replace(claim, **changed)
        assert not public.verify(proof, other.digest, hasher=None)


def test_a_new_key_depends_on_both_sources() -> None:
    random = signer_world.drip("new key")
    alone = new_secret_key(signer_world.drip("new key"))
    assert alone != new_secret_key(random, b"0123456789abcdef")
    assert alone != new_secret_key(signer_world.drip("another"))


def test_a_network_without_parameters_is_refused() -> None:
    with pytest.raises(NetworkUnknown):
        hosted_network("dogecoin")


def test_a_device_refuses_a_version_below_the_highest_it_saw(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "memory.json")
    memory.see_key(a_key(version=3))
    with pytest.raises(BlobRolledBack):
        DeviceMemory(tmp_path / "memory.json").see_key(a_key(version=2))
    assert memory.key(KID) == a_key(version=3)


def test_a_device_refuses_another_key_under_a_known_id(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "memory.json")
    memory.see_key(a_key())
    with pytest.raises(BlobForeign):
        memory.see_key(dataclasses.replace(a_key(), public_key=secp.public_key(OTHER_SECRET)))


def test_a_device_killed_while_writing_still_knows_the_last_version(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "memory.json")
    memory.see_key(a_key(version=2))
    (tmp_path / "memory.json.part").write_bytes(b'{"keys": {')
    assert DeviceMemory(tmp_path / "memory.json").key(KID) == a_key(version=2)


def test_a_deleted_key_is_forgotten(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "memory.json")
    memory.see_key(a_key())
    memory.forget_key(KID)
    memory.forget_key(KID)
    assert memory.all_keys() == ()


def test_a_token_stays_what_it_was_when_first_seen(tmp_path: Path) -> None:
    memory = DeviceMemory(tmp_path / "memory.json")
    assert memory.pinned(ETH, {"DUSD": DUSD}) == {"DUSD": DUSD}
    moved = Token(code="DUSD", contract="0x" + "35" * 20, decimals=6)
    for changed in (moved, dataclasses.replace(DUSD, decimals=18)):
        with pytest.raises(TokenChanged):
            memory.pinned(ETH, {"DUSD": changed})
    assert memory.pinned(ETH, {}) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": {"a": {}}, "tokens": {}}',
        b'{"keys": [], "tokens": {}}',
        json.dumps(
            {"keys": {KID: {"network": BTC, "public_key": "02" * 33, "version": 0}}, "tokens": {}}
        ).encode(),
    ],
)
def test_a_damaged_memory_is_not_taken_for_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "memory.json").write_bytes(content)
    with pytest.raises(MemoryDamaged):
        DeviceMemory(tmp_path / "memory.json").see_key(a_key())

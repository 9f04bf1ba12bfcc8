"""`HK0`: 3DES files, read freely, written only when configured, noticed when changed."""

import hashlib
import hmac

import pytest
from Crypto.Cipher import DES3

from signer.keystore import (
    FactorKek,
    KeyMismatch,
    KeystoreError,
    LegacyNotAllowed,
    PassphraseFactor,
    PassphraseKek,
    SecretUse,
    WeakTripleKey,
    WrongPassphrase,
    decode_hk0,
    encode_hk0,
    header_of,
    hk0,
    new_header,
    open_key,
)
from signer.keystore import kek as kek_module
from signer.protocol import dump, load
from tests.signer_world import NOW_S, PASSPHRASE, drip

SEED = bytes(range(32))
HEADER = new_header("hot-a/seed", SecretUse.SEED, SEED, NOW_S)


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)


@pytest.fixture
def kek() -> PassphraseKek:
    return PassphraseKek(PASSPHRASE)


def a_file(kek: PassphraseKek, secret: bytes = SEED) -> bytes:
    return encode_hk0(HEADER, secret, kek, drip("hk0"), allow_hk0=True)


def again_authentic(kek: PassphraseKek, **changes: object) -> bytes:
    """A file changed by somebody who knows the passphrase, so that only later checks are left."""
    plain = {name: value for name, value in load(a_file(kek), "file").items() if name != "mac"}
    plain.update(changes)
    stretched = kek.stretched.fresh(drip("x"))[1]
    key = hk0._keys(stretched, plain["header"])[1]
    return dump({**plain, "mac": hmac.digest(key, dump(plain), "sha256")})


def test_a_secret_comes_back(kek: PassphraseKek) -> None:
    data = a_file(kek)

    for opened in (decode_hk0(data, kek), open_key(data, PassphraseKek(PASSPHRASE))):
        assert (SEED, HEADER) == (opened.secret, opened.header)
    assert HEADER == header_of(data)
    assert SEED not in data


def test_it_is_not_written_unless_configured(kek: PassphraseKek) -> None:
    with pytest.raises(LegacyNotAllowed) as caught:
        encode_hk0(HEADER, SEED, kek, drip("x"), allow_hk0=False)
    assert "keystore.hk0_not_allowed" == caught.value.code


def test_every_flipped_byte_is_noticed(kek: PassphraseKek) -> None:
    data = a_file(kek)

    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises(KeystoreError):
            open_key(bytes(flipped), PassphraseKek(PASSPHRASE))


def test_another_passphrase_does_not_open_it(kek: PassphraseKek) -> None:
    with pytest.raises(WrongPassphrase):
        decode_hk0(a_file(kek), PassphraseKek(b"another"))


def test_the_mac_comes_before_the_padding(
    kek: PassphraseKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed ciphertext must never reach the cipher: what it says of padding would be told."""
    changed = dump({**load(a_file(kek), "file"), "ciphertext": bytes(40)})

    def never(*_: object, **__: object) -> object:
        raise AssertionError("bytes were decrypted before they were authentic")

    monkeypatch.setattr(DES3, "new", never)
    with pytest.raises(WrongPassphrase):
        decode_hk0(changed, kek)


def test_wrong_padding_under_a_right_mac_is_refused(kek: PassphraseKek) -> None:
    with pytest.raises(KeystoreError, match="padding"):
        decode_hk0(again_authentic(kek, ciphertext=bytes(40)), kek)


def test_a_file_whose_secret_is_not_the_named_one_is_refused(
    kek: PassphraseKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hk0, "check_public", lambda *_: None)
        wrong = a_file(kek, bytes(32))

    with pytest.raises(KeyMismatch):
        decode_hk0(wrong, kek)
    with pytest.raises(KeyMismatch):
        a_file(kek, bytes(32))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "HK1"},
        {"iv": bytes(7)},
        {"ciphertext": b""},
        {"ciphertext": bytes(39)},
        {"ciphertext": bytes(4112)},
        {"salt": bytes(15)},
        {"extra": 1},
        {"mac": b""},
        {"mac": 1},
    ],
)
def test_another_shape_is_refused(kek: PassphraseKek, change: dict[str, object]) -> None:
    with pytest.raises(KeystoreError):
        decode_hk0(dump({**load(a_file(kek), "file"), **change}), kek)


def test_a_shortened_mac_is_refused(kek: PassphraseKek) -> None:
    file = load(a_file(kek), "file")

    with pytest.raises(WrongPassphrase):
        decode_hk0(dump({**file, "mac": file["mac"][:16]}), kek)


def test_large_files_and_secrets_are_refused(kek: PassphraseKek) -> None:
    with pytest.raises(KeystoreError, match="64 KiB"):
        decode_hk0(bytes(64 * 1024 + 1), kek)
    large = bytes(4097)
    header = new_header("hot-a/state", SecretUse.STATE, large, NOW_S)
    with pytest.raises(KeystoreError, match="4097"):
        encode_hk0(header, large, kek, drip("x"), allow_hk0=True)


def test_it_opens_with_a_passphrase_alone(kek: PassphraseKek) -> None:
    with pytest.raises(KeystoreError, match="passphrase alone"):
        decode_hk0(a_file(kek), FactorKek([PassphraseFactor(PASSPHRASE)]))


def test_three_key_parts_must_differ() -> None:
    one, two, three = bytes([1] * 8), bytes([2] * 8), bytes([4] * 8)

    assert 24 == len(hk0.triple_key(one + two + three))
    # Bit 0 is parity: 2 and 3 are the same key to DES.
    for material in (
        one + two + one,
        one + one + two,
        one + two + two,
        one + one + one,
        bytes([2] * 8) + bytes([3] * 8) + three,
        one + two,
    ):
        with pytest.raises(WeakTripleKey) as caught:
            hk0.triple_key(material)
        assert "keystore.hk0_weak_key" == caught.value.code


def test_the_key_has_the_parity_that_the_library_gives() -> None:
    material = hashlib.sha256(b"key").digest()[:24]

    assert DES3.adjust_key_parity(material) == hk0.triple_key(material)


def test_files_are_what_another_reading_of_the_format_opens(kek: PassphraseKek) -> None:
    """Decrypted from the documented steps alone: HKDF, HMAC, then CBC."""
    file = load(a_file(kek), "file")
    stretched = kek.stretched.fresh(drip("x"))[1]
    extracted = hmac.digest(b"hk/hk0/v1", stretched, "sha256")
    key = hmac.digest(extracted, b"3des" + file["header"] + b"\x01", "sha256")[:24]
    mac_key = hmac.digest(extracted, b"hmac" + file["header"] + b"\x01", "sha256")
    plain = {name: value for name, value in file.items() if name != "mac"}

    assert hmac.digest(mac_key, dump(plain), "sha256") == file["mac"]
    cipher = DES3.new(DES3.adjust_key_parity(key), DES3.MODE_CBC, iv=file["iv"])
    assert SEED + bytes([8] * 8) == cipher.decrypt(file["ciphertext"])

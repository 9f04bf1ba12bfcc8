"""Key files: what opens them, and that nothing else does."""

import hashlib
from dataclasses import replace

import pytest

from signer.keystore import (
    KdfCost,
    KdfOutOfRange,
    KeyHeader,
    KeyMismatch,
    KeystoreError,
    PassphraseKek,
    SecretUse,
    WrongPassphrase,
    decode_key,
    encode_key,
    header_of,
    hk1,
    public_value,
)
from signer.keystore import kek as kek_module
from signer.protocol import dump, load
from tests.signer_world import NOW_S, PASSPHRASE, drip

SEED = bytes(range(32))


def header(use: SecretUse = SecretUse.SEED, secret: bytes = SEED) -> KeyHeader:
    return KeyHeader(
        kid=f"hot-a/{use}",
        use=use,
        asset="*",
        network="*",
        path="m",
        public_hash=hashlib.sha256(public_value(use, secret)).digest(),
        created_s=NOW_S,
        policy_id="",
    )


@pytest.fixture(scope="module")
def kek() -> PassphraseKek:
    return PassphraseKek(PASSPHRASE)


@pytest.fixture(scope="module")
def file(kek: PassphraseKek) -> bytes:
    return encode_key(header(), SEED, kek, drip("file"))


@pytest.mark.parametrize("use", list(SecretUse))
def test_a_secret_comes_back_with_what_it_is_for(kek: PassphraseKek, use: SecretUse) -> None:
    opened = decode_key(encode_key(header(use), SEED, kek, drip("x")), kek)

    assert (SEED, header(use)) == (opened.secret, opened.header)


def test_a_fresh_kek_with_the_passphrase_opens_it(file: bytes) -> None:
    assert SEED == decode_key(file, PassphraseKek(PASSPHRASE)).secret


def test_another_passphrase_does_not(file: bytes) -> None:
    with pytest.raises(WrongPassphrase):
        decode_key(file, PassphraseKek(b"another"))


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(KeystoreError):
        PassphraseKek(b"")


def test_every_flipped_byte_is_noticed(
    file: bytes, kek: PassphraseKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The derivation is replaced by a cheap one so that every byte can be tried."""

    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)
    quick = PassphraseKek(PASSPHRASE)
    data = encode_key(header(), SEED, quick, drip("flip"))
    assert SEED == decode_key(data, PassphraseKek(PASSPHRASE)).secret

    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises(KeystoreError):
            decode_key(bytes(flipped), PassphraseKek(PASSPHRASE))


def test_a_header_cannot_be_swapped_between_files(kek: PassphraseKek) -> None:
    """Somebody who can write the files swaps the identity of two keys."""
    first = load(encode_key(header(), SEED, kek, drip("a")), "file")
    other = bytes(reversed(SEED))
    second = load(encode_key(header(secret=other), other, kek, drip("b")), "file")

    with pytest.raises(WrongPassphrase):
        decode_key(dump({**first, "header": second["header"]}), kek)


def test_a_file_whose_secret_is_not_the_named_one_is_refused(
    kek: PassphraseKek, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(hk1, "check_public", lambda *_: None)
        wrong = encode_key(header(), bytes(32), kek, drip("x"))

    with pytest.raises(KeyMismatch):
        decode_key(wrong, kek)


def test_a_file_is_not_written_for_another_secret(kek: PassphraseKek) -> None:
    with pytest.raises(KeyMismatch):
        encode_key(header(), bytes(32), kek, drip("x"))


@pytest.mark.parametrize(
    "cost",
    [
        {"memory_kib": 64 * 1024 - 1},
        {"memory_kib": 4 * 1024 * 1024 + 1},
        {"time": 2},
        {"time": 17},
        {"lanes": 0},
        {"lanes": 17},
    ],
)
def test_costs_out_of_bounds_are_refused(cost: dict[str, int]) -> None:
    with pytest.raises(KdfOutOfRange):
        KdfCost(**cost)


@pytest.mark.parametrize("change", [{"m_kib": 2**32}, {"t": 10**6}, {"p": 1000}])
def test_a_file_that_asks_for_excessive_work_is_refused_before_it(
    file: bytes, change: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(**_: object) -> bytes:
        raise AssertionError("the derivation was started")

    monkeypatch.setattr(kek_module, "hash_secret_raw", never)

    with pytest.raises(KdfOutOfRange):
        decode_key(dump({**load(file, "file"), **change}), PassphraseKek(PASSPHRASE))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "HK2"},
        {"kek": "pkcs11"},
        {"salt": b"short"},
        {"iv": bytes(11)},
        {"wrap_iv": bytes(16)},
        {"extra": 1},
        {"ciphertext": bytes(16)},
    ],
)
def test_another_shape_is_refused(
    file: bytes, kek: PassphraseKek, change: dict[str, object]
) -> None:
    with pytest.raises(KeystoreError) as caught:
        decode_key(dump({**load(file, "file"), **change}), kek)
    assert "keystore.unreadable" == caught.value.code


def test_a_large_file_is_refused_before_parsing(kek: PassphraseKek) -> None:
    with pytest.raises(KeystoreError, match="64 KiB"):
        decode_key(bytes(64 * 1024 + 1), kek)


def test_the_header_can_be_read_without_the_passphrase(file: bytes) -> None:
    assert header() == header_of(file)
    with pytest.raises(KeystoreError):
        header_of(b"x")


def test_files_of_one_kek_share_a_salt_but_no_key(kek: PassphraseKek) -> None:
    draw = drip("y")
    first = load(encode_key(header(), SEED, kek, draw), "file")
    second = load(encode_key(header(), SEED, kek, draw), "file")

    assert first["salt"] == second["salt"]
    for name in ("iv", "wrap_iv", "wrapped", "ciphertext"):
        assert first[name] != second[name]


def test_what_is_written_beside_an_opened_file_shares_its_salt(file: bytes) -> None:
    """One derivation, which may take seconds, then opens both."""
    fresh = PassphraseKek(PASSPHRASE)
    decode_key(file, fresh)

    beside = load(encode_key(header(), SEED, fresh, drip("z")), "file")

    assert load(file, "file")["salt"] == beside["salt"]


def test_secrets_do_not_show_in_repr(file: bytes, kek: PassphraseKek) -> None:
    opened = decode_key(file, kek)

    assert SEED.hex() not in repr(opened)
    assert repr(SEED) not in repr(opened)


def test_a_changed_path_in_the_header_is_noticed(file: bytes, kek: PassphraseKek) -> None:
    body = replace(header(), path="m/0").encode()

    with pytest.raises(WrongPassphrase):
        decode_key(dump({**load(file, "file"), "header": body}), kek)

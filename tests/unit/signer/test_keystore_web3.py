"""Web3 keystores: what is read, and what is refused before any work is done."""

import hashlib
import json
from typing import Any

import pytest
from Crypto.Cipher import AES
from eth_account import Account

from signer.keystore import (
    AddressMismatch,
    KdfOutOfRange,
    KeystoreError,
    Web3Invalid,
    WrongPassphrase,
    read_web3,
    web3,
)

SECRET = bytes(range(1, 33))
PASSWORD = b"pass word"


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """Made by the reference Python implementation, at a low cost."""
    made: dict[str, Any] = Account.encrypt(SECRET, PASSWORD.decode(), kdf="pbkdf2", iterations=10)
    return made


def changed(made: dict[str, Any], path: str, value: object) -> bytes:
    copy = json.loads(json.dumps(made))
    *outer, last = path.split(".")
    place = copy
    for name in outer:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(copy).encode()


def scrypt_file(n: int, r: int, p: int) -> dict[str, Any]:
    made: dict[str, Any] = Account.encrypt(SECRET, PASSWORD.decode(), kdf="scrypt", iterations=2)
    made["crypto"]["kdfparams"].update({"n": n, "r": r, "p": p})
    return made


def test_a_file_of_another_implementation_is_read(made: dict[str, Any]) -> None:
    for file in (made, Account.encrypt(SECRET, PASSWORD.decode(), kdf="scrypt", iterations=2)):
        key = read_web3(json.dumps(file).encode(), PASSWORD)
        assert SECRET == key.secret
        assert Account.from_key(SECRET).address.lower() == "0x" + key.address.hex()
        assert SECRET.hex() not in repr(key) and repr(SECRET) not in repr(key)


def test_the_name_may_be_written_large_and_the_address_left_out(made: dict[str, Any]) -> None:
    renamed = {"Crypto": made["crypto"], "version": 3}

    assert SECRET == read_web3(json.dumps(renamed).encode(), PASSWORD).secret


def test_a_wrong_password_is_noticed(made: dict[str, Any]) -> None:
    with pytest.raises(WrongPassphrase) as caught:
        read_web3(json.dumps(made).encode(), b"other")
    assert "keystore.wrong_passphrase" == caught.value.code


def test_the_key_of_another_address_is_refused(made: dict[str, Any]) -> None:
    """Somebody swaps the address so that money is sent where the key does not reach."""
    with pytest.raises(AddressMismatch) as caught:
        read_web3(changed(made, "address", "0x" + "11" * 20), PASSWORD)
    assert "keystore.address_mismatch" == caught.value.code


def test_a_changed_ciphertext_is_noticed(made: dict[str, Any]) -> None:
    text = made["crypto"]["ciphertext"]
    flipped = f"{int(text[:2], 16) ^ 1:02x}" + text[2:]

    with pytest.raises(WrongPassphrase):
        read_web3(changed(made, "crypto.ciphertext", flipped), PASSWORD)


@pytest.mark.parametrize(
    ("n", "r", "p"),
    [
        (2**30, 8, 1),
        (2**20, 16, 1),
        (2**18, 8, 64),
        (2**1000, 8, 1),
        (3, 8, 1),
        (1, 8, 1),
        (0, 8, 1),
        (-2, 8, 1),
        (2, 0, 1),
        (2, 2**20, 1),
        (2, 8, 0),
        (2, 8, 2**20),
    ],
)
def test_excessive_scrypt_is_refused_before_it_runs(
    n: int, r: int, p: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps(scrypt_file(min(2**1000, n), r, p)).encode()

    def never(*_: object, **__: object) -> bytes:
        raise AssertionError("the derivation was started")

    monkeypatch.setattr(web3, "_scrypt", never)
    with pytest.raises(KdfOutOfRange) as caught:
        read_web3(data, PASSWORD)
    assert "keystore.kdf_out_of_range" == caught.value.code


@pytest.mark.parametrize("rounds", [10**7 + 1, 0, -1, 10**30])
def test_excessive_pbkdf2_is_refused_before_it_runs(
    made: dict[str, Any], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> bytes:
        raise AssertionError("the derivation was started")

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", never)
    with pytest.raises(KdfOutOfRange):
        read_web3(changed(made, "crypto.kdfparams.c", rounds), PASSWORD)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 1),
        ("version", "3"),
        ("version", None),
        ("crypto", None),
        ("crypto", []),
        ("Crypto", {}),
        ("crypto.cipher", "aes-256-cbc"),
        ("crypto.cipherparams.iv", "00"),
        ("crypto.cipherparams.iv", "00 " * 16),
        ("crypto.ciphertext", ""),
        ("crypto.ciphertext", "00" * 33),
        ("crypto.ciphertext", "zz"),
        ("crypto.mac", "00"),
        ("crypto.kdf", "argon2"),
        ("crypto.kdfparams", None),
        ("crypto.kdfparams.prf", "hmac-md5"),
        ("crypto.kdfparams.dklen", 16),
        ("crypto.kdfparams.dklen", True),
        ("crypto.kdfparams.c", 1.5),
        ("crypto.kdfparams.salt", ""),
        ("address", "00"),
        ("address", 5),
    ],
)
def test_another_shape_is_refused(made: dict[str, Any], path: str, value: object) -> None:
    with pytest.raises(Web3Invalid) as caught:
        read_web3(changed(made, path, value), PASSWORD)
    assert "keystore.web3_invalid" == caught.value.code


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 60_000,
        b'{"version": NaN}',
        b" " * (64 * 1024 + 1),
        b"\xff",
    ],
)
def test_what_is_no_keystore_is_refused(data: bytes) -> None:
    with pytest.raises(Web3Invalid):
        read_web3(data, PASSWORD)


def test_a_name_that_stands_twice_is_refused(made: dict[str, Any]) -> None:
    """Two programs could read two different keys from it."""
    data = json.dumps(made).encode()
    assert SECRET == read_web3(data, PASSWORD).secret

    with pytest.raises(Web3Invalid):
        read_web3(b'{"version": 3, ' + data[1:], PASSWORD)


def test_a_number_that_is_no_key_is_refused(made: dict[str, Any]) -> None:
    """Authentic under the password, and still no private key: zero."""
    parameters = made["crypto"]["kdfparams"]
    key = hashlib.pbkdf2_hmac(
        "sha256", PASSWORD, bytes.fromhex(parameters["salt"]), parameters["c"], dklen=32
    )
    iv = bytes.fromhex(made["crypto"]["cipherparams"]["iv"])
    ciphertext = AES.new(key[:16], AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(bytes(32))
    from chains.evm.hashing import keccak256

    file = json.loads(changed(made, "crypto.ciphertext", ciphertext.hex()))
    data = changed(file, "crypto.mac", keccak256(key[16:] + ciphertext).hex())

    with pytest.raises(Web3Invalid, match="no private key"):
        read_web3(data, PASSWORD)


def test_every_refusal_is_a_keystore_error() -> None:
    assert issubclass(Web3Invalid, KeystoreError) and issubclass(AddressMismatch, KeystoreError)

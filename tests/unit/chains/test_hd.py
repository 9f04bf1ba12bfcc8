"""Public derivation against BIP-32's vectors and embit."""

import hashlib

import pytest
from embit import base58, bip32
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.hd import (
    HARDENED,
    INDEX_MAX,
    TPUB,
    XPUB,
    ExtendedKey,
    ExtendedKeyError,
    KeyOrigin,
    parse_path,
    path_text,
)
from chains.utxo import scripts

# BIP-32 test vector 2: m and m/0.
MASTER = (
    "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47"
    "LJhkJ8UB7WEGuduB"
)
CHILD = (
    "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r"
    "1D3tgFxHmwMkQTPH"
)


def _with_version(text: str, version: int) -> str:
    return str(base58.encode_check(version.to_bytes(4, "big") + base58.decode_check(text)[4:]))


def test_bip32_vector() -> None:
    master = ExtendedKey.parse(MASTER)

    assert MASTER == master.text
    assert CHILD == master.child(0).text
    assert ExtendedKey.parse(CHILD).public_key == master.child_key(0)
    assert ExtendedKey.parse(CHILD) == master.child(0)


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.integers(0, INDEX_MAX))
def test_derives_as_embit_does(seed: bytes, index: int) -> None:
    theirs = bip32.HDKey.from_seed(seed).to_public()
    ours = ExtendedKey.parse(theirs.to_base58())

    assert theirs.derive([index]).to_base58() == ours.child(index).text
    assert theirs.my_fingerprint == ours.fingerprint


@pytest.mark.parametrize(
    ("version", "plain", "hint"),
    [
        (0x049D7CB2, XPUB, "sh(wpkh)"),
        (0x04B24746, XPUB, "wpkh"),
        (0x0295B43F, XPUB, "sh(wsh)"),
        (0x02AA7ED3, XPUB, "wsh"),
        (0x019DA462, XPUB, ""),
        (0x01B26EF6, XPUB, "sh(wpkh)"),
        (0x02575483, TPUB, "wsh"),
    ],
)
def test_slip132_is_read_as_the_plain_key_and_a_hint(version: int, plain: int, hint: str) -> None:
    key = ExtendedKey.parse(_with_version(MASTER, version))

    assert (plain, hint) == (key.version, key.hint)
    assert _with_version(MASTER, plain) == key.text
    assert hint == key.child(1).hint


def _changed(at: int, value: bytes) -> str:
    raw = bytearray(base58.decode_check(MASTER))
    raw[at : at + len(value)] = value
    return str(base58.encode_check(bytes(raw)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        MASTER[:-1],
        MASTER[:-1] + "1",
        MASTER[:50] + "0" + MASTER[51:],
        _changed(0, b"\x01\x02\x03\x04"),
        _changed(5, b"\x01"),
        _changed(12, b"\x01"),
        _changed(45, b"\x04"),
        _changed(46, b"\xff" * 32),
    ],
)
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(ExtendedKeyError):
        ExtendedKey.parse(text)


def test_private_key_is_refused_without_showing_it() -> None:
    secret = bip32.HDKey.from_seed(bytes(32)).to_base58()
    with pytest.raises(ExtendedKeyError) as caught:
        ExtendedKey.parse(secret)

    assert "private" in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("index", [-1, HARDENED, HARDENED + 1])
def test_hardened_children_need_the_private_key(index: int) -> None:
    with pytest.raises(ExtendedKeyError):
        ExtendedKey.parse(MASTER).child(index)


def test_origin_round_trips() -> None:
    root = bip32.HDKey.from_seed(bytes(32))
    account = root.derive("m/48h/1h/0h/2h").to_public().to_base58()
    text = f"[{root.my_fingerprint.hex()}/48h/1h/0h/2h]{account}"
    origin = KeyOrigin.parse(text.replace("h/", "'/"))

    assert text == origin.text
    assert root.my_fingerprint == origin.fingerprint
    assert (48 + HARDENED, 1 + HARDENED, HARDENED, 2 + HARDENED) == origin.path
    assert "m/48h/1h/0h/2h" == path_text(origin.path)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[1:],
        lambda text: text.replace("/48h", ""),
        lambda text: text.replace("/2h", "/3h"),
        lambda text: text.upper(),
        lambda text: text + "/0",
        lambda text: text.replace("48h", "48x"),
        lambda text: text.replace("48h", "99999999999h"),
    ],
)
def test_origins_that_cannot_be_true_are_refused(change: object) -> None:
    root = bip32.HDKey.from_seed(bytes(32))
    account = root.derive("m/48h/1h/0h/2h").to_public().to_base58()
    with pytest.raises(ExtendedKeyError):
        KeyOrigin.parse(change(f"[{root.my_fingerprint.hex()}/48h/1h/0h/2h]{account}"))  # type: ignore[operator]


def test_master_origin_names_its_own_fingerprint() -> None:
    with pytest.raises(ExtendedKeyError, match="fingerprint"):
        KeyOrigin.parse(f"[00000000]{MASTER}")


@pytest.mark.parametrize("text", ["m/1", "/", "1//2", "-1", "1h/h", "2147483648"])
def test_malformed_paths_are_refused(text: str) -> None:
    with pytest.raises(ExtendedKeyError):
        parse_path(text)


def test_hash160_is_the_same_without_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scripts.hash160(b"key")
    monkeypatch.setattr(scripts, "_RIPEMD160", None)

    assert expected == scripts.hash160(b"key")
    assert 20 == len(expected)
    assert hashlib.sha256(b"key").digest() == scripts.sha256(b"key")

"""Any secret comes back from either format; any bytes are either a key file or refused by type."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.keystore import (
    FactorKek,
    KeyFileFactor,
    KeystoreError,
    PassphraseFactor,
    PassphraseKek,
    Person,
    SecretUse,
    SharedFactor,
    encode_hk0,
    encode_key,
    header_of,
    new_header,
    open_key,
    read_web3,
)
from signer.keystore import kek as kek_module
from signer.protocol import dump, load
from tests.signer_world import NOW_S, PASSPHRASE, drip

NOISE = bytes(range(64))
SEED = bytes(range(32))
QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
VALUES = st.recursive(
    st.integers(-1, 2**70) | st.binary(max_size=48) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    def cheap(**named: object) -> bytes:
        return hashlib.sha256(repr(sorted(named.items())).encode()).digest()

    monkeypatch.setattr(kek_module, "hash_secret_raw", cheap)


def factors() -> FactorKek:
    people = [Person("alice", b"one"), Person("bob", b"two")]
    return FactorKek([PassphraseFactor(PASSPHRASE), KeyFileFactor(NOISE), SharedFactor(people, 2)])


def passphrase() -> PassphraseKek:
    return PassphraseKek(PASSPHRASE)


@QUICK
@given(st.binary(min_size=1, max_size=4096), st.text(max_size=40), st.integers(0, 2**40))
def test_any_secret_comes_back_from_either_format(secret: bytes, kid: str, created_s: int) -> None:
    header = new_header(kid, SecretUse.STATE, secret, created_s)
    legacy = encode_hk0(header, secret, passphrase(), drip("x"), allow_hk0=True)

    for data, kek in (
        (encode_key(header, secret, passphrase(), drip("x")), passphrase()),
        (encode_key(header, secret, factors(), drip("x")), factors()),
        (legacy, passphrase()),
    ):
        opened = open_key(data, kek)
        assert (header, secret) == (opened.header, opened.secret)


@QUICK
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_by_type(data: bytes) -> None:
    for refused in (
        lambda: open_key(data, passphrase()),
        lambda: header_of(data),
        lambda: read_web3(data, PASSPHRASE),
    ):
        with pytest.raises(KeystoreError):
            refused()


@pytest.mark.parametrize("kek", [passphrase, factors], ids=["passphrase", "factors"])
@QUICK
@given(data=st.data())
def test_a_file_with_any_other_field_is_refused_by_type(
    kek: Callable[[], Any], data: st.DataObject
) -> None:
    header = new_header("hot-a/seed", SecretUse.SEED, SEED, NOW_S)
    file = load(encode_key(header, SEED, kek(), drip("f")), "file")
    place = file
    name = data.draw(st.sampled_from(sorted(file)))
    if name == "factors":
        place = data.draw(st.sampled_from(file["factors"]))
        name = data.draw(st.sampled_from(sorted(place)))
    value = data.draw(VALUES)
    if place[name] == value:
        return
    place[name] = value

    with pytest.raises(KeystoreError):
        open_key(dump(file), kek())

"""Published vectors through the functions that key files are made with."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signer.keystore import KeystoreError, WrongPassphrase, hk0, read_web3, seal, unseal


def wycheproof(folder: Path, name: str, **wanted: int) -> Iterator[dict[str, Any]]:
    for group in json.loads((folder / name).read_text())["testGroups"]:
        if all(group[size] == bits for size, bits in wanted.items()):
            yield from group["tests"]


def test_wycheproof_aes_256_gcm(vectors: Path) -> None:
    """Key files hold no empty secret, so `unseal` refuses one whatever its tag."""
    opened = refused = 0
    name = "wycheproof_aes_gcm_test.json"
    for test in wycheproof(vectors, name, keySize=256, ivSize=96, tagSize=128):
        key, iv, aad, plain, ct, tag = (
            bytes.fromhex(test[each]) for each in ("key", "iv", "aad", "msg", "ct", "tag")
        )
        if test["result"] == "valid":
            assert ct + tag == seal(key, iv, plain, aad), test["tcId"]
        if test["result"] == "valid" and plain:
            assert plain == unseal(key, iv, ct + tag, aad), test["tcId"]
            opened += 1
        else:
            with pytest.raises(KeystoreError):
                unseal(key, iv, ct + tag, aad)
            refused += 1
    assert opened > 30 and refused > 10


def test_wycheproof_hmac_sha256(vectors: Path) -> None:
    """A tag cut to 128 bits is right in its group and never enough for a key file."""
    valid = invalid = 0
    for test in wycheproof(vectors, "wycheproof_hmac_sha256_test.json"):
        key, body, tag = (bytes.fromhex(test[each]) for each in ("key", "msg", "tag"))
        if test["result"] == "valid":
            assert hk0.mac(key, body)[: len(tag)] == tag
        if test["result"] == "valid" and len(tag) == 32:
            hk0.authentic(key, body, tag)
            valid += 1
        else:
            with pytest.raises(WrongPassphrase):
                hk0.authentic(key, body, tag)
            invalid += 1
    assert valid > 30 and invalid > 50


def test_published_web3_keystores(vectors: Path) -> None:
    cases = json.loads((vectors / "web3_keystore_v3_vectors.json").read_text())
    assert 4 == len(cases)
    for case in cases.values():
        data = json.dumps(case["json"]).encode()
        secret = bytes.fromhex(case["priv"]).rjust(32, b"\x00")
        assert secret == read_web3(data, case["password"].encode()).secret
        with pytest.raises(WrongPassphrase):
            read_web3(data, case["password"].encode() + b"x")

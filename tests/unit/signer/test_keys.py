"""Randomness, derivation and signatures, against published vectors and other implementations."""

import base64
import csv
import hashlib
import json
import os
from pathlib import Path

import pytest
from embit import bip32, ec
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from chains.hd import parse_path
from chains.utxo import transactions
from chains.utxo.psbt import Psbt, Sighasher, legacy_message
from chains.utxo.scripts import sha256d
from signer import secp, selfcheck
from signer.derive import DerivationError, KeyChain, master
from signer.entropy import EntropyError, hkdf, new_secret
from tests.signer_world import drip

SECRETS = st.integers(1, secp.ORDER - 1).map(lambda number: number.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32)
XPUB = 0x0488B21E


@given(SECRETS, DIGESTS)
def test_signatures_are_byte_for_byte_those_of_another_implementation(
    secret: bytes, digest: bytes
) -> None:
    other = ec.PrivateKey(secret)
    theirs = other.sign(digest, grind=True).serialize()

    # embit stops at 70 bytes, which a short S can make of a high R; Bitcoin Core looks at R alone.
    if theirs[3] == 32:
        assert theirs == secp.sign_low_r(secret, digest)
    assert other.get_public_key().sec() == secp.public_key(secret)


@given(SECRETS, DIGESTS)
def test_low_r_signatures_are_short_and_verify(secret: bytes, digest: bytes) -> None:
    der = secp.sign_low_r(secret, digest)

    assert len(der) <= 70
    assert secp.r_of_der(der)[0] < 0x80
    assert secp.verify_der(secp.public_key(secret), digest, der)
    assert not secp.verify_der(secp.public_key(secret), hashlib.sha256(digest).digest(), der)


@given(SECRETS, DIGESTS)
def test_recoverable_signatures_are_those_of_ethereum(secret: bytes, digest: bytes) -> None:
    theirs = Account.unsafe_sign_hash(digest, secret)

    assert bytes(theirs.signature) == secp.sign_rsv(secret, digest)
    assert secp.verify_rs(secp.public_key(secret), digest, theirs.signature[:64])


def test_a_high_s_does_not_verify() -> None:
    secret, digest = b"\x01" * 32, bytes(32)
    compact = secp.sign_rsv(secret, digest)[:64]
    high = secp.ORDER - int.from_bytes(compact[32:], "big")
    public = secp.public_key(secret)

    assert secp.verify_rs(public, digest, compact)
    assert not secp.verify_rs(public, digest, compact[:32] + high.to_bytes(32, "big"))
    assert not secp.verify_rs(public, digest, compact[:63])
    assert not secp.verify_der(public, digest, b"\x30")


def test_wycheproof_bitcoin_signatures(vectors: Path) -> None:
    """Every verdict of the published Bitcoin set, which wants strict DER and low S."""
    name = "wycheproof_ecdsa_secp256k1_sha256_bitcoin_test.json"
    groups = json.loads((vectors / name).read_text())["testGroups"]
    tried = 0
    for group in groups:
        public = ec.PublicKey.parse(bytes.fromhex(group["publicKey"]["uncompressed"]))
        public.compressed = True
        for test in group["tests"]:
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).digest()
            verdict = secp.verify_der(public.sec(), digest, bytes.fromhex(test["sig"]))
            assert (test["result"] == "valid") == verdict, test["comment"]
            tried += 1
    assert tried > 400


@given(st.binary(min_size=16, max_size=64), st.lists(st.integers(0, 2**32 - 1), max_size=4))
def test_derivation_is_that_of_another_implementation(seed: bytes, path: list[int]) -> None:
    ours = KeyChain(seed).node(tuple(path))
    theirs = bip32.HDKey.from_seed(seed).derive(path)

    assert theirs.key.secret == ours.secret
    assert str(theirs.to_public().to_base58(XPUB.to_bytes(4, "big"))) == ours.xpub(XPUB)


def test_core_signer_cases_are_signed_byte_for_byte(
    vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bitcoin Core's own signatures (RFC 6979, low R) over its own PSBTs.

    Cases whose result equals their PSBT are those that Core leaves unsigned; in the others every
    signature that Core added must be the one that we make.
    """
    monkeypatch.setattr(
        Psbt,
        "spent_output",
        lambda self, at: self.inputs[at].previous_output or self.inputs[at].witness_utxo,
    )
    cases = json.loads((vectors / "core_rpc_psbt.json").read_text())["signer"]
    signed = 0
    for case in cases:
        before, after = (Psbt.parse(base64.b64decode(case[name])) for name in ("psbt", "result"))
        secrets = [ec.PrivateKey.from_wif(wif).serialize() for wif in case["privkeys"]]
        by_key = {secp.public_key(secret): secret for secret in secrets}
        hasher = Sighasher(before)
        for index, (old, new) in enumerate(zip(before.inputs, after.inputs, strict=True)):
            for public, signature in set(new.partial_sigs) - set(old.partial_sigs):
                ours = secp.sign_low_r(by_key[public], hasher.digest(index)) + b"\x01"
                assert signature == ours
                signed += 1
    assert 4 == signed


def test_core_legacy_digests(vectors: Path) -> None:
    """Every published case of type ALL; we sign no other. The type is 32 bits of noise there."""
    tried = 0
    for raw, script, index, kind, expected in json.loads(
        (vectors / "core_sighash.json").read_text()
    )[1:]:
        if kind & 0x1F in (2, 3) or kind & 0x80:
            continue
        tx = transactions.parse(bytes.fromhex(raw), witness=False)
        # Core takes OP_CODESEPARATOR out of a script before hashing; no script of ours has one.
        code = bytes.fromhex(script).replace(b"\xab", b"")
        message = legacy_message(tx, index, code) + kind.to_bytes(4, "little", signed=True)
        assert expected == sha256d(message)[::-1].hex()
        tried += 1
    assert tried > 200


BIP32_VECTORS = [
    (
        "000102030405060708090a0b0c0d0e0f",
        "0h/1/2h/2/1000000000",
        (
            "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXE"
            "YBVPamhGW6cFJodrTHy"
        ),
    ),
    (
        (
            "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0"
            "d0c64d2e8a1e7d1457df2e5a3c51c73235be"
        ),
        "0h",
        (
            "xpub68NZiKmJWnxxS6aaHmn81bvJeTESw724CRDs6HbuccFQN9Ku14VQrADWgqbhhTHBaohPX4CjNLf9fq9MYo6oDaPP"
            "LPxSb7gwQN3ih19Zm4Y"
        ),
    ),
    (
        "3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678",
        "0h/1h",
        (
            "xpub6BJA1jSqiukeaesWfxe6sNK9CCGaujFFSJLomWHprUL9DePQ4JDkM5d88n49sMGJxrhpjazuXYWdMf17C9T5Xnxk"
            "opaeS7jGk1GyyVziaMt"
        ),
    ),
]
"""BIP-32 test vectors 1, 3 and 4; the last two keep leading zeros."""


@pytest.mark.parametrize(("seed", "path", "xpub"), BIP32_VECTORS)
def test_published_bip32_vectors(seed: str, path: str, xpub: str) -> None:
    assert xpub == KeyChain(bytes.fromhex(seed)).node(parse_path(path)).xpub(XPUB)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_seeds_of_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(DerivationError):
        master(bytes(size))


def test_a_seed_without_a_master_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secp, "ORDER", 1)

    with pytest.raises(DerivationError):
        master(bytes(32))


@pytest.mark.parametrize("index", [-1, 2**32])
def test_indexes_out_of_range_are_refused(index: int) -> None:
    with pytest.raises(DerivationError):
        master(bytes(32)).child(index)


def test_a_child_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert secp.tweaked(b"\x01" * 32, secp.ORDER.to_bytes(32, "big")) is None
    minus_one = (secp.ORDER - 1).to_bytes(32, "big")
    assert secp.tweaked((1).to_bytes(32, "big"), minus_one) is None
    monkeypatch.setattr(secp, "tweaked", lambda secret, tweak: None)

    with pytest.raises(DerivationError):
        master(bytes(32)).child(0)


def test_private_nodes_do_not_show_their_secret() -> None:
    node = master(bytes(32))

    assert node.secret.hex() not in repr(node)
    assert repr(node.secret) not in repr(node)


class Watched:
    """A random source that counts what is taken from it."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, size: int) -> bytes:
        self.taken += size
        return os.urandom(size)


def test_new_secrets_come_from_the_generator_that_is_given() -> None:
    source = Watched()

    secrets = {new_secret(source, 32, "seed") for _ in range(20)}

    assert 20 == len(secrets)
    assert 20 * 128 == source.taken


def test_both_sources_reach_the_secret() -> None:
    dice = b"314159265358979323846264"
    plain = new_secret(drip("a"), 32, "seed")

    assert plain == new_secret(drip("a"), 32, "seed")
    assert plain != new_secret(drip("b"), 32, "seed")
    assert plain != new_secret(drip("a"), 32, "seed", dice)
    assert new_secret(drip("a"), 32, "seed", dice) != new_secret(drip("b"), 32, "seed", dice)
    assert new_secret(drip("a"), 32, "seed", dice) != new_secret(drip("a"), 32, "seed", dice + b"1")
    assert plain != new_secret(drip("a"), 32, "identity")


@pytest.mark.parametrize(
    "source",
    [
        lambda size: bytes(size),  # noqa: PLW0108
        lambda size: bytes(range(size)),
        lambda size: os.urandom(size - 1),
        lambda size: (b"\x01\x02" * size)[:size],
    ],
)
def test_a_stuck_generator_is_refused(source: object) -> None:
    with pytest.raises(EntropyError):
        new_secret(source, 32, "seed")  # type: ignore[arg-type]


@pytest.mark.parametrize("second", [b"", b"short", b"6" * 64, bytes(1024 * 1024 + 1)])
def test_a_poor_second_source_is_refused(second: bytes) -> None:
    with pytest.raises(EntropyError):
        new_secret(os.urandom, 32, "seed", second)


def test_hkdf_gives_any_size() -> None:
    """RFC 5869 test case 2: long inputs, 82 bytes out."""
    material, salt, info = (bytes(range(a, a + 80)) for a in (0, 0x60, 0xB0))
    expected = (
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e59"
        "0e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
    )

    assert expected == hkdf(material, salt, info, 82).hex()


def test_every_known_answer_holds() -> None:
    assert all(check.ok for check in selfcheck.run())
    selfcheck.require()


def test_one_wrong_answer_stops_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secp, "sign_rsv", lambda secret, digest: bytes(65))

    with pytest.raises(selfcheck.SelfCheckFailed, match="rfc6979"):
        selfcheck.require()


def test_published_bip340_keys_are_ours(vectors: Path) -> None:
    """Public keys of the BIP-340 vectors: the x coordinate of our own derivation."""
    with (vectors / "bip340_vectors.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["secret key"]]
    for row in rows:
        key = secp.public_key(bytes.fromhex(row["secret key"]))
        assert row["public key"].lower() == key[1:].hex()

"""Seeds that others know or can make again are refused, each for its own reason."""

import json
from pathlib import Path
from random import Random  # noqa: TID251  the generator under suspicion

import pytest
from embit import bip39
from hypothesis import given, settings
from hypothesis import strategies as st

from signer import screening
from signer.backup.phrases import imported
from signer.screening import WeakSeed, screen, screen_imported
from tests.signer_world import drip

PATTERNS = [bytes([byte]) * size for byte in (0, 0x7F, 0x80, 0xFF) for size in (16, 24, 32)]
ENTROPIES = [
    "9e885d952ad362caeb4efe34a8e91bd2",
    "6610b25967cdcca9d59875f5cb50b0ea75433311869e930b",
    "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
    "c0ba5a8e914111210f2bd131f3d5e08d",
    "6d9be1ee6ebd27a258115aad99b7317b9c8d28b6d76431c3",
    "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
    "23db8160a31d3e0dca3688ed941adbf3",
    "8197a4a47f0425faeaa69deebc05ca29c0a5b5cc76ceacc0",
    "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
    "f30f8c1da665478f49b001d94c5fc452",
    "c10ec20dc3cd9f652c7fac2f1230f7a3c828389a14392f05",
    "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
]
"""BIP-39's published vectors that are no repeated byte."""

BIP32 = [
    bytes(range(16)).hex(),
    (
        "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5"
        "a0d0c64d2e8a1e7d1457df2e5a3c51c73235be"
    ),
    "3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678",
]


def code_of(seed: bytes) -> str:
    with pytest.raises(WeakSeed) as refused:
        screen(seed)
    return refused.value.code


def twister(start: int) -> Random:
    """mt19937 as other languages seed it: by one 32-bit number, not by an array as Python does."""
    state = [start]
    for place in range(1, 624):
        last = state[-1]
        state.append((1_812_433_253 * (last ^ last >> 30) + place) & 0xFFFFFFFF)
    made = Random()
    made.setstate((3, (*state, 624), None))
    return made


@pytest.mark.parametrize("seed", PATTERNS)
def test_published_patterns_are_refused_as_bytes_and_as_words(seed: bytes) -> None:
    phrase = bip39.mnemonic_from_bytes(seed)

    assert "seed.repeated" == code_of(seed)
    assert "seed.published" == code_of(bip39.mnemonic_to_seed(phrase))
    assert "seed.published" == code_of(bip39.mnemonic_to_seed(phrase, "TREZOR"))
    with pytest.raises(WeakSeed):
        imported(phrase, b"my own passphrase", holds_seed=False)


@pytest.mark.parametrize("text", ENTROPIES)
def test_published_bip39_vectors_are_refused(text: str) -> None:
    seed = bytes.fromhex(text)
    phrase = bip39.mnemonic_from_bytes(seed)

    for known in (seed, bip39.mnemonic_to_seed(phrase), bip39.mnemonic_to_seed(phrase, "TREZOR")):
        assert "seed.published" == code_of(known)


@pytest.mark.parametrize("text", BIP32)
def test_published_bip32_vectors_are_refused(text: str) -> None:
    assert "seed.published" == code_of(bytes.fromhex(text))


@pytest.mark.parametrize("phrase", ["test " * 11 + "junk", "all " * 11 + "all"])
def test_phrases_of_development_tools_are_refused(phrase: str) -> None:
    assert "seed.published" == code_of(bip39.mnemonic_to_seed(phrase))
    with pytest.raises(WeakSeed):
        imported(phrase, b"", holds_seed=False)


def test_published_slip39_secrets_are_refused(vectors: Path) -> None:
    secrets = {row[2] for row in json.loads((vectors / "slip39_vectors.json").read_text())} - {""}

    assert 8 < len(secrets)
    assert {"seed.published"} == {code_of(bytes.fromhex(text)) for text in secrets}


@pytest.mark.parametrize(
    ("code", "seed"),
    [
        ("seed.repeated", bytes(31) + b"\x01"),
        ("seed.repeated", b"\x01" + drip("a")(26) + bytes(5)),
        ("seed.repeated", bytes(byte % 16 + 128 for byte in drip("few")(32))),
        ("seed.repeated", drip("a")(16) * 2),
        ("seed.repeated", drip("a")(24) + drip("a")(24)[:8]),
        ("seed.repeated", b"0123456789abcdef" * 2),
        ("seed.pattern", bytes(range(7, 39))),
        ("seed.pattern", bytes((place * 37 + 5) % 256 for place in range(32))),
        ("seed.pattern", b"My cat is called Whiskers, 2026!"),
    ],
)
def test_patterns_are_refused(code: str, seed: bytes) -> None:
    assert code == code_of(seed)


@pytest.mark.parametrize("start", [0, 1, 1337, 5489, 9999])
def test_seeds_of_a_mersenne_twister_started_at_a_small_number_are_refused(start: int) -> None:
    source = twister(start)
    words = [source.getrandbits(32) for _ in range(32)]
    forms = [
        bytes(word >> 24 for word in words),
        bytes(word & 0xFF for word in words)[:24],
        b"".join(word.to_bytes(4, "big") for word in words[:8]),
        b"".join(word.to_bytes(4, "little") for word in words[:4]),
    ]

    for seed in forms:
        assert screening._twister_gives(start, seed)
        assert not screening._twister_gives(start + 1, seed)


def test_an_imported_seed_is_searched_for_and_a_random_one_passes() -> None:
    source = twister(42)
    with pytest.raises(screening.GeneratedSeed, match="42"):
        screen_imported(bytes(source.getrandbits(32) >> 24 for _ in range(32)))

    screen_imported(drip("a")(32))


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=True), st.sampled_from([16, 20, 32, 64]))
def test_random_seeds_pass(source: Random, size: int) -> None:
    screen(source.randbytes(size))

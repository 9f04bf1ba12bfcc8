"""Addresses of the Bitcoin family: Bitcoin Core's vectors, and every refusal by its code."""

import json
from pathlib import Path

import pytest
from embit import base58
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import AddressError
from chains.utxo import addresses, bech32, scripts
from chains.utxo.params import BUILTIN, params_from
from chains.utxo.scripts import ScriptError, ScriptKind
from tests.utxo_world import DOGECOIN

CORE_CHAINS = {
    "main": "bitcoin",
    "test": "bitcoin-testnet",
    "signet": "bitcoin-signet",
    "regtest": "bitcoin-regtest",
}
HASH = bytes(range(20))
PROGRAM = bytes(range(32))
EVERY_SCRIPT = (
    scripts.p2pkh(HASH),
    scripts.p2sh(HASH),
    scripts.p2wpkh(HASH),
    scripts.p2wsh(PROGRAM),
    scripts.witness_program(1, PROGRAM),
)


def test_core_valid_addresses(vectors: Path) -> None:
    cases = json.loads(vectors.joinpath("core_key_io_valid.json").read_text(encoding="utf-8"))
    paid = 0
    for text, script, about in cases:
        params = BUILTIN[CORE_CHAINS[about["chain"]]]
        if about["isPrivkey"] or scripts.kind_of(bytes.fromhex(script)) is None:
            with pytest.raises(AddressError):
                addresses.parse(params, text)
            continue
        paid += 1
        found = addresses.parse(params, text)

        assert script == found.target.hex()
        assert addresses.encode(params, found.target) == found.address
        if about.get("tryCaseFlip"):
            assert found == addresses.parse(params, text.swapcase())

    assert paid > 30


def test_core_valid_but_not_spendable_yet(vectors: Path) -> None:
    cases = json.loads(vectors.joinpath("core_key_io_valid.json").read_text(encoding="utf-8"))
    refused = set()
    for text, script, about in cases:
        if about["isPrivkey"] or scripts.kind_of(bytes.fromhex(script)) is not None:
            continue
        with pytest.raises(AddressError) as caught:
            addresses.parse(BUILTIN[CORE_CHAINS[about["chain"]]], text)
        refused.add(caught.value.code)

    assert {"address.unknown_witness_version"} == refused


def test_core_invalid_addresses(vectors: Path) -> None:
    cases = json.loads(vectors.joinpath("core_key_io_invalid.json").read_text(encoding="utf-8"))
    for (text,) in cases:
        for params in BUILTIN.values():
            with pytest.raises(AddressError):
                addresses.parse(params, text)


@pytest.mark.parametrize("network", sorted(BUILTIN))
@pytest.mark.parametrize("script", EVERY_SCRIPT)
def test_every_kind_round_trips(network: str, script: bytes) -> None:
    params = BUILTIN[network]
    text = addresses.encode(params, script)
    found = addresses.parse(params, text)

    assert (network, text, script) == (found.network, found.address, found.target)
    assert scripts.kind_of(script) == found.kind


def test_litecoin_prefixes() -> None:
    params = BUILTIN["litecoin"]
    texts = [addresses.encode(params, script) for script in EVERY_SCRIPT]

    assert ["L", "M", "ltc1q", "ltc1q", "ltc1p"] == [
        text[:1] if not text.startswith("ltc1") else text[:5] for text in texts
    ]


def test_a_chain_by_configuration_alone() -> None:
    params = params_from(DOGECOIN)
    text = addresses.encode(params, scripts.p2pkh(HASH))

    assert text.startswith("D")
    assert scripts.p2pkh(HASH) == addresses.parse(params, text).target
    with pytest.raises(ScriptError):
        addresses.encode(params, scripts.p2wpkh(HASH))


MWEB = "ltcmweb1" + "q" * 100
BECH32 = addresses.encode(BUILTIN["bitcoin"], scripts.p2wpkh(HASH))
TAPROOT = addresses.encode(BUILTIN["bitcoin"], scripts.witness_program(1, PROGRAM))
BASE58 = addresses.encode(BUILTIN["bitcoin"], scripts.p2pkh(HASH))


def _witness(version: int, program: bytes, constant: int = bech32._BECH32M) -> str:
    """A bc1 string with a true checksum, whatever it means."""
    bits = "".join(f"{byte:08b}" for byte in program)
    bits += "0" * (-len(bits) % 5)
    values = [version, *(int(bits[at : at + 5], 2) for at in range(0, len(bits), 5))]
    checksum = bech32._polymod(bech32._start("bc"), [*values, *bytes(6)]) ^ constant
    values += [checksum >> shift & 31 for shift in (25, 20, 15, 10, 5, 0)]
    return "bc1" + "".join(bech32.ALPHABET[value] for value in values)


def _of(network: str, kind: int) -> str:
    return addresses.encode(BUILTIN[network], EVERY_SCRIPT[kind])


REFUSED = [
    ("bitcoin", "", "address.invalid"),
    ("bitcoin", "no address", "address.invalid"),
    ("bitcoin", "bc1q" + "q" * 300, "address.invalid"),
    ("bitcoin", BASE58[:-1] + ("1" if BASE58[-1] != "1" else "2"), "address.bad_checksum"),
    ("bitcoin", BECH32[:-1] + ("q" if BECH32[-1] != "q" else "p"), "address.bad_checksum"),
    ("bitcoin", "bc1qbbbbbbbbbbbbb", "address.bad_checksum"),
    ("bitcoin", "bc1Q" + BECH32[4:], "address.mixed_case"),
    ("bitcoin", "BC1" + BECH32[3:], "address.mixed_case"),
    ("bitcoin", _of("bitcoin-testnet", 2), "address.wrong_network"),
    ("bitcoin", _of("bitcoin-regtest", 2), "address.wrong_network"),
    ("bitcoin", _of("bitcoin-testnet", 0), "address.wrong_network"),
    ("bitcoin", _of("litecoin", 0), "address.wrong_network"),
    ("bitcoin", _of("litecoin", 1), "address.wrong_network"),
    ("bitcoin", _of("litecoin", 3), "address.wrong_network"),
    ("bitcoin", "0x" + "ab" * 20, "address.wrong_network"),
    ("litecoin", BECH32, "address.wrong_network"),
    ("litecoin", BASE58, "address.wrong_network"),
    ("litecoin", _of("bitcoin", 1), "address.wrong_network"),
    ("litecoin-regtest", _of("bitcoin-regtest", 1), "address.wrong_network"),
    ("litecoin", MWEB, "address.mweb"),
    ("bitcoin", MWEB, "address.mweb"),
    ("litecoin", bech32.encode("ltc", 8, bytes(32)), "address.mweb"),
    ("litecoin", bech32.encode("ltc", 9, bytes(32)), "address.mweb"),
    ("litecoin", bech32.encode("ltc", 9, bytes(20)), "address.unknown_witness_version"),
    ("bitcoin", bech32.encode("bc", 9, bytes(32)), "address.unknown_witness_version"),
    ("litecoin-regtest", "tmweb1" + "q" * 100, "address.mweb"),
    ("bitcoin", _witness(2, PROGRAM), "address.unknown_witness_version"),
    ("bitcoin", _witness(16, PROGRAM), "address.unknown_witness_version"),
    ("bitcoin", _witness(1, PROGRAM[:20]), "address.unknown_witness_version"),
    ("bitcoin", _witness(1, b"\x4e\x73"), "address.unknown_witness_version"),
    ("bitcoin", _witness(17, PROGRAM), "address.invalid"),
    ("bitcoin", _witness(0, PROGRAM[:16], bech32._BECH32), "address.invalid"),
    ("bitcoin", _witness(0, PROGRAM), "address.bad_checksum"),
    ("bitcoin", _witness(1, PROGRAM, bech32._BECH32), "address.bad_checksum"),
    ("bitcoin", base58.encode_check(b"\x00" + bytes(21)), "address.invalid"),
]


@pytest.mark.parametrize(("network", "text", "code"), REFUSED)
def test_refusals(network: str, text: str, code: str) -> None:
    with pytest.raises(AddressError) as caught:
        addresses.parse(BUILTIN[network], text)

    assert code == caught.value.code


def test_no_refusal_repeats_what_may_be_a_secret(vectors: Path) -> None:
    cases = json.loads(vectors.joinpath("core_key_io_valid.json").read_text(encoding="utf-8"))
    for text, _, about in cases:
        if about["isPrivkey"]:
            with pytest.raises(AddressError) as caught:
                addresses.parse(BUILTIN["bitcoin"], text)

            assert text not in str(caught.value)


def test_kinds_a_chain_lacks_are_refused() -> None:
    old = params_from({**DOGECOIN, "id": "old", "hrp": "bc", "segwit": False, "taproot": False})
    for text in (BECH32, TAPROOT):
        with pytest.raises(AddressError) as caught:
            addresses.parse(old, text)

        assert "address.kind_unavailable" == caught.value.code


@given(st.text(max_size=120))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    for params in BUILTIN.values():
        try:
            found = addresses.parse(params, text)
        except AddressError:
            continue

        assert found.address == addresses.encode(params, found.target)


@given(st.sampled_from(EVERY_SCRIPT), st.integers(0, 200), st.integers(0, 57))
def test_one_changed_character_is_never_accepted(script: bytes, at: int, by: int) -> None:
    params = BUILTIN["bitcoin"]
    text = addresses.encode(params, script)
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    at %= len(text)
    changed = text[:at] + alphabet[by] + text[at + 1 :]
    if changed in (text, text.upper()):
        return
    with pytest.raises(AddressError):
        addresses.parse(params, changed)


def test_unknown_scripts_have_no_address() -> None:
    for script in (b"", b"\x6a\x01\x00", b"\x51", b"\x52\x20" + PROGRAM):
        assert scripts.kind_of(script) is None
        with pytest.raises(ScriptError):
            addresses.encode(BUILTIN["bitcoin"], script)

    assert [ScriptKind(kind) for kind in ScriptKind] == [
        scripts.kind_of(script) for script in EVERY_SCRIPT
    ]


def test_old_litecoin_p2sh_form_says_what_to_ask_for() -> None:
    with pytest.raises(AddressError, match="new form"):
        addresses.parse(BUILTIN["litecoin"], _of("bitcoin", 1))

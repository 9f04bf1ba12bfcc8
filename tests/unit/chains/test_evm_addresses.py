"""EVM addresses: EIP-55 and every refusal."""

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import (
    AddressError,
    BadChecksum,
    CodecError,
    ReservedAddress,
    TokenContractPayee,
    WrongNetwork,
    ZeroAddress,
)
from chains.evm.addresses import checksum, from_text, parse
from chains.evm.params import BUILTIN, params_from

ETHEREUM = BUILTIN["ethereum"]
GOOD = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_examples_of_eip_55(text: str) -> None:
    destination = parse(ETHEREUM, text)

    assert text == destination.address
    assert bytes.fromhex(text[2:]) == destination.target
    assert "ethereum" == destination.network


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        (GOOD.lower(), BadChecksum, "address.bad_checksum"),
        ("0x" + GOOD[2:].upper(), BadChecksum, "address.bad_checksum"),
        (GOOD[:-1] + "D", BadChecksum, "address.bad_checksum"),
        ("0x" + "0" * 40, ZeroAddress, "address.zero"),
        ("0x" + "0" * 39 + "1", ReservedAddress, "address.reserved"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", WrongNetwork, "address.wrong_network"),
        ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", WrongNetwork, "address.wrong_network"),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", WrongNetwork, "address.wrong_network"),
        ("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", WrongNetwork, "address.wrong_network"),
        ("0X" + GOOD[2:], AddressError, "address.invalid"),
        (GOOD[2:], AddressError, "address.invalid"),
        (GOOD + "00", AddressError, "address.invalid"),
        (GOOD + "\n", AddressError, "address.invalid"),
        (" " + GOOD, AddressError, "address.invalid"),
        ("", AddressError, "address.invalid"),
        ("0x" + "٣" * 40, AddressError, "address.invalid"),
        ("x" * 100_000, AddressError, "address.invalid"),
    ],
)
def test_refusals_have_their_own_code(text: str, error: type[AddressError], code: str) -> None:
    with pytest.raises(error) as caught:
        parse(ETHEREUM, text)

    assert code == caught.value.code


def test_a_token_contract_is_no_payee() -> None:
    with pytest.raises(TokenContractPayee) as caught:
        parse(ETHEREUM, GOOD, frozenset({bytes.fromhex(GOOD[2:])}))

    assert "address.token_contract" == caught.value.code


@given(st.binary(min_size=20, max_size=20))
def test_checksum_agrees_with_eth_utils(target: bytes) -> None:
    text = checksum(target)

    assert to_checksum_address(target) == text
    assert target == from_text(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_typed_error(text: str) -> None:
    try:
        destination = parse(ETHEREUM, text)
    except AddressError:
        return

    assert text == destination.address


def test_another_chain_is_configuration_alone() -> None:
    params = params_from({"id": "polygon", "chain_id": 137, "native": "POL"})

    assert "polygon" == parse(params, GOOD).network
    assert ("POL", "polygon", 18) == (
        params.native_asset.code,
        params.native_asset.network,
        params.native_asset.decimals,
    )


@pytest.mark.parametrize(
    "values",
    [
        {"id": "x", "chain_id": 1},
        {"id": "x", "chain_id": "1", "native": "X"},
        {"id": "x", "chain_id": True, "native": "X"},
        {"id": "x", "chain_id": 0, "native": "X"},
        {"id": "x", "chain_id": 1, "native": "X", "colour": "red"},
    ],
)
def test_parameters_are_strict(values: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        params_from(values)

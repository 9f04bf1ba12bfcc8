"""EIP-712 read strictly, with eth-account as the second opinion."""

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data

from chains.errors import ChainError
from chains.evm.safe import SafeTx
from chains.evm.safe_typed_data import NotSafeTx, safe_tx_of, typed_data_of
from chains.evm.typed_data import DOCUMENT_BYTES_MAX, TypedData, TypedDataDomain

CONTRACT = "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"
COW = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"
BOB = "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"


def a_mail() -> dict[str, Any]:
    """The example of EIP-712, with an array, bytes and a signed number beside it."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Person": [
                {"name": "name", "type": "string"},
                {"name": "wallets", "type": "address[]"},
            ],
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person[2]"},
                {"name": "contents", "type": "string"},
                {"name": "blob", "type": "bytes"},
                {"name": "tag", "type": "bytes4"},
                {"name": "delta", "type": "int64"},
                {"name": "urgent", "type": "bool"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": CONTRACT,
        },
        "message": {
            "from": {"name": "Cow", "wallets": [COW]},
            "to": [{"name": "Bob", "wallets": [BOB, COW]}, {"name": "Eve", "wallets": []}],
            "contents": "Hello, Bob! Привет",
            "blob": "0x00ff",
            "tag": "0xdeadbeef",
            "delta": -5,
            "urgent": True,
        },
    }


def text_of(document: object) -> bytes:
    return json.dumps(document).encode()


def code_of(document: object) -> str:
    with pytest.raises(ChainError) as caught:
        TypedData.decode(document if isinstance(document, bytes) else text_of(document))
    return caught.value.code


def test_the_hash_equals_a_second_implementations() -> None:
    typed = TypedData.decode(text_of(a_mail()))

    other = encode_typed_data(full_message=a_mail())
    assert (other.header, other.body) == (typed.domain_hash, typed.message_hash)
    assert _hash_eip191_message(other) == typed.signing_hash


def test_the_domain_is_for_one_chain_and_contract() -> None:
    typed = TypedData.decode(text_of(a_mail()))
    typed.check_domain(1, bytes.fromhex(CONTRACT[2:]))

    for chain_id, contract in ((2, CONTRACT), (1, COW)):
        with pytest.raises(TypedDataDomain):
            typed.check_domain(chain_id, bytes.fromhex(contract[2:]))


def put(value: object, *path: str | int) -> dict[str, Any]:
    """The mail with one thing in another way; None takes it away."""
    mail: Any = a_mail()
    place = mail
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return dict(mail)


TOO_DEEP = [{"name": "x", "type": "bool" + "[]" * 9}]
DOMAIN_TYPE = a_mail()["types"]["EIP712Domain"]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "typed_data.malformed"),
        (b"[]", "typed_data.malformed"),
        (b"[" * 20_000, "typed_data.malformed"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "typed_data.malformed"),
        (b'{"types": {}, "types": {}}', "typed_data.malformed"),
        (text_of(put(1.5, "message", "delta")), "typed_data.malformed"),
        (text_of(put(float("nan"), "message", "delta")), "typed_data.malformed"),
        (put("extra", "more"), "typed_data.malformed"),
        (put(None, "domain"), "typed_data.malformed"),
        (put([], "primaryType"), "typed_data.malformed"),
        (put([], "types"), "typed_data.types"),
        (put("Nothing", "primaryType"), "typed_data.types"),
        (put("EIP712Domain", "primaryType"), "typed_data.types"),
        (put(None, "types", "EIP712Domain"), "typed_data.types"),
        (put([{"name": "a", "type": "bool"}], "types", "Unused"), "typed_data.types"),
        (put([{"name": "a", "type": "bool"}], "types", "uint256"), "typed_data.types"),
        (put([{"name": "a", "type": "bool"}], "types", "Bad Name"), "typed_data.types"),
        (put([], "types", "Person"), "typed_data.types"),
        (put(["name"], "types", "Person"), "typed_data.types"),
        (put("uint257", "types", "Mail", 2, "type"), "typed_data.types"),
        (put("uint7", "types", "Mail", 2, "type"), "typed_data.types"),
        (put("uint", "types", "Mail", 2, "type"), "typed_data.types"),
        (put("bytes33", "types", "Mail", 2, "type"), "typed_data.types"),
        (put("Persn", "types", "Mail", 0, "type"), "typed_data.types"),
        (put("Mail", "types", "Mail", 0, "type"), "typed_data.types"),
        (put("EIP712Domain", "types", "Mail", 0, "type"), "typed_data.types"),
        (put("to", "types", "Mail", 0, "name"), "typed_data.types"),
        (put("from me", "types", "Mail", 0, "name"), "typed_data.types"),
        (put(7, "types", "Mail", 0, "type"), "typed_data.types"),
        (put(TOO_DEEP, "types", "Person"), "typed_data.types"),
        (put("x", "message", "more"), "typed_data.fields"),
        (put(None, "message", "contents"), "typed_data.fields"),
        (put("x", "message", "from", "more"), "typed_data.fields"),
        (put("x", "domain", "salt"), "typed_data.fields"),
        (put(None, "domain", "chainId"), "typed_data.fields"),
        (put("Cow", "message", "from"), "typed_data.value"),
        (put([], "message", "to"), "typed_data.value"),
        (put({}, "message", "to"), "typed_data.value"),
        (put([COW] * 257, "message", "from", "wallets"), "typed_data.value"),
        (put([COW.lower()], "message", "from", "wallets"), "typed_data.value"),
        (put(1, "message", "urgent"), "typed_data.value"),
        (put(True, "message", "delta"), "typed_data.value"),
        (put("0x05", "message", "delta"), "typed_data.value"),
        (put(2**63, "message", "delta"), "typed_data.value"),
        (put(-1, "domain", "chainId"), "typed_data.value"),
        (put(5, "message", "contents"), "typed_data.value"),
        (put("\ud800", "message", "contents"), "typed_data.value"),
        (put("0x0", "message", "blob"), "typed_data.value"),
        (put("0xdeadbe", "message", "tag"), "typed_data.value"),
        (put(DOMAIN_TYPE[:3], "types", "EIP712Domain"), "typed_data.domain"),
        (put([*DOMAIN_TYPE[:2], DOMAIN_TYPE[3]], "types", "EIP712Domain"), "typed_data.domain"),
        (put(DOMAIN_TYPE[::-1], "types", "EIP712Domain"), "typed_data.domain"),
        (put("uint64", "types", "EIP712Domain", 2, "type"), "typed_data.domain"),
        (
            put([*DOMAIN_TYPE, {"name": "more", "type": "string"}], "types", "EIP712Domain"),
            "typed_data.domain",
        ),
    ],
)
def test_documents_with_a_second_reading_are_refused(document: object, code: str) -> None:
    assert code == code_of(document)


def a_safe_tx() -> SafeTx:
    return SafeTx(
        chain_id=31337,
        safe=b"\x5a" * 20,
        to=b"\x77" * 20,
        value_wei=10**30,
        data=b"\x01\x02\x03",
        operation=1,
        safe_tx_gas=2,
        base_gas=3,
        gas_price_wei=4,
        gas_token=b"\x05" * 20,
        refund_receiver=b"\x06" * 20,
        nonce=7,
    )


def test_a_safe_transaction_hashes_the_same_both_ways() -> None:
    tx = a_safe_tx()

    typed = typed_data_of(tx)

    assert (tx.domain_hash, tx.message_hash, tx.safe_tx_hash) == (
        typed.domain_hash,
        typed.message_hash,
        typed.signing_hash,
    )
    assert tx == safe_tx_of(typed)


def test_other_typed_data_is_never_a_safe_transaction() -> None:
    with pytest.raises(NotSafeTx) as caught:
        safe_tx_of(TypedData.decode(text_of(a_mail())))
    assert "typed_data.not_safe_tx" == caught.value.code


def test_what_eth_account_signs_is_this_hash() -> None:
    account = Account.create()
    message = encode_typed_data(full_message=a_mail())

    signed = account.sign_message(message)

    assert TypedData.decode(text_of(a_mail())).signing_hash == bytes(signed.message_hash)

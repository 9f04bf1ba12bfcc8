"""What other wallets ask for: shown in words from the bytes alone, never signed as it comes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from typer.testing import CliRunner, Result

from chains.errors import ChainError
from chains.evm import erc20
from chains.evm.addresses import checksum
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.safe import SafeTx
from chains.evm.safe_contracts import RELEASES
from chains.evm.transactions import SignedTx, UnsignedTx
from chains.evm.typed_data import TypedData
from chains.hd import HARDENED
from signer.__main__ import build_app
from signer.errors import Refused
from signer.foreign.answers import eth_signature
from signer.foreign.requests import (
    PERSONAL_BYTES_MAX,
    PersonalMessage,
    is_foreign,
    read_foreign,
    require_sealed,
)
from signer.foreign.words import foreign_lines
from signer.home import Home
from signer.transports.ur_types import DataType, EthSignature, EthSignRequest, Keypath
from tests.mutants.bench import (
    DUSD,
    ETHER,
    Bench,
    ether_payment,
    ether_tx,
    payment,
    prepare,
    safe_refill,
    safe_tx,
)
from tests.signer_world import COORDINATOR, CUSTOMER_EVM, World, engine, sealed

CUSTOMER = bytes.fromhex(CUSTOMER_EVM[2:])
PATH = Keypath(
    steps=(44 | HARDENED, 60 | HARDENED, 0 | HARDENED, 0, 0), fingerprint=b"\x12\x34\x56\x78"
)
SAFE_TX_TYPE = [
    {"name": "to", "type": "address"},
    {"name": "value", "type": "uint256"},
    {"name": "data", "type": "bytes"},
    {"name": "operation", "type": "uint8"},
    {"name": "safeTxGas", "type": "uint256"},
    {"name": "baseGas", "type": "uint256"},
    {"name": "gasPrice", "type": "uint256"},
    {"name": "gasToken", "type": "address"},
    {"name": "refundReceiver", "type": "address"},
    {"name": "nonce", "type": "uint256"},
]
DOMAIN_TYPE = [
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]


@pytest.fixture
def bench(world: World) -> Iterator[Bench]:
    prepare(world)
    both = Bench(world.open("hot"), world.open("cold"))
    yield both
    both.hot.close()
    both.cold.close()


@pytest.fixture
def home(bench: Bench) -> Home:
    return bench.cold


def safe_document(tx: SafeTx) -> dict[str, Any]:
    """The document that a Safe's own interface asks its owners to sign."""
    return {
        "types": {"EIP712Domain": DOMAIN_TYPE, "SafeTx": SAFE_TX_TYPE},
        "primaryType": "SafeTx",
        "domain": {"chainId": tx.chain_id, "verifyingContract": checksum(tx.safe)},
        "message": {
            "to": checksum(tx.to),
            "value": str(tx.value_wei),
            "data": "0x" + tx.data.hex(),
            "operation": tx.operation,
            "safeTxGas": tx.safe_tx_gas,
            "baseGas": tx.base_gas,
            "gasPrice": tx.gas_price_wei,
            "gasToken": checksum(tx.gas_token),
            "refundReceiver": checksum(tx.refund_receiver),
            "nonce": tx.nonce,
        },
    }


def a_permit(contract: str, text: str = "hello", chain_id: int = 31337) -> dict[str, Any]:
    """A document that gives somebody something, in the name of a contract."""
    return {
        "types": {
            "EIP712Domain": DOMAIN_TYPE,
            "Permit": [
                {"name": "spender", "type": "address"},
                {"name": "amounts", "type": "uint256[]"},
                {"name": "note", "type": "string"},
            ],
        },
        "primaryType": "Permit",
        "domain": {"chainId": chain_id, "verifyingContract": contract},
        "message": {"spender": CUSTOMER_EVM, "amounts": ["1", "2"], "note": text},
    }


def a_request(data: bytes, kind: DataType, **changes: Any) -> EthSignRequest:
    request = EthSignRequest(
        sign_data=data, data_type=kind, chain_id=31337, path=PATH, request_id=bytes(range(16))
    )
    return replace(request, **changes)


def lines_of(data: bytes | dict[str, Any], home: Home) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return "\n".join(foreign_lines(read_foreign(raw), home))


def code_of(data: bytes) -> str:
    try:
        read_foreign(data)
    except (Refused, ChainError) as refused:
        return refused.code
    return ""


def grouped(address: str) -> str:
    return " ".join(address[at : at + 4] for at in range(0, len(address), 4))


def test_a_safe_transaction_is_explained_as_the_guard_reads_it(bench: Bench, home: Home) -> None:
    tx = safe_tx(bench)
    text = lines_of(safe_document(tx), home)

    assert text.startswith("SHOWN ONLY")
    assert f"Safe transaction hash {tx.safe_tx_hash.hex()}, nonce 3" in text
    assert f"domain hash {tx.domain_hash.hex()}" in text
    assert f"message hash {tx.message_hash.hex()}" in text
    assert "Safe ethereum-cold" in text
    assert "pays 1 ETH (1000000000000000000)" in text
    assert grouped(checksum(tx.to)) in text
    assert "REFUSED" not in text


def test_a_delegatecall_in_a_document_is_named_as_what_is_refused(bench: Bench, home: Home) -> None:
    text = lines_of(safe_document(replace(safe_tx(bench), operation=1)), home)

    assert "WOULD BE REFUSED: safe.delegatecall" in text


def test_a_change_of_the_safe_is_said_aloud(bench: Bench, home: Home) -> None:
    tx = safe_tx(bench)
    change = bytes.fromhex("694e80c3") + (1).to_bytes(32, "big")
    text = lines_of(safe_document(replace(tx, to=tx.safe, value_wei=0, data=change)), home)

    assert "CHANGES THE SAFE ITSELF" in text


def test_a_multisend_is_read_item_by_item_or_refused(bench: Bench, home: Home) -> None:
    pinned = bytes.fromhex(RELEASES["1.4.1"].multisend[2:])
    tx = replace(safe_tx(bench), operation=1, to=pinned, value_wei=0, data=b"\x8d\x80\xff\x0a")

    assert "WOULD BE REFUSED: multisend" in lines_of(safe_document(tx), home)


def test_other_words_in_a_safes_name_are_a_warning(bench: Bench, home: Home) -> None:
    text = lines_of(a_permit(checksum(safe_tx(bench).safe)), home)

    assert "WARNING: not a SafeTx" in text


def test_a_document_called_safetx_that_is_none_is_not_taken_for_one(
    bench: Bench, home: Home
) -> None:
    document = safe_document(safe_tx(bench))
    fields = document["types"]["SafeTx"]
    document["types"]["SafeTx"] = [*fields[:1], {"name": "value", "type": "uint128"}, *fields[2:]]

    assert "WARNING: not a SafeTx" in lines_of(document, home)


def test_a_foreign_contracts_document_shows_every_field(home: Home) -> None:
    text = lines_of(a_permit(checksum(b"\x77" * 20)), home)

    assert "NOT a transaction of a Safe registered here" in text
    assert f"spender {grouped(CUSTOMER_EVM)}" in text
    assert "amounts: 2 items" in text
    assert "amounts[1] 2" in text
    assert "note hello" in text


def test_a_chain_that_is_not_configured_is_said(home: Home) -> None:
    text = lines_of(a_permit(checksum(b"\x77" * 20), chain_id=1), home)

    assert "chain 1: NOT CONFIGURED HERE" in text


def test_control_characters_never_reach_the_terminal(home: Home) -> None:
    evil = "\x1b[2J\x07\u202eevil\r\nOK"
    documents = (
        json.dumps(a_permit(checksum(b"\x77" * 20), evil)).encode(),
        a_request(evil.encode(), DataType.PERSONAL_MESSAGE).encode(),
        a_request(b"hi", DataType.PERSONAL_MESSAGE, origin=evil).encode(),
    )
    for data in documents:
        for line in foreign_lines(read_foreign(data), home):
            assert line.isprintable()
            assert "\u202e" not in line


@pytest.mark.parametrize("place", ["document", "transaction", "token"])
def test_a_look_alike_of_a_known_address_is_warned_of(bench: Bench, home: Home, place: str) -> None:
    known = bench.hot.vaults["ethereum-hot"].vault.address_text(0)
    near = bytes.fromhex(known[2:6] + "66" * 16 + known[-4:])
    document = a_permit(checksum(b"\x77" * 20))
    document["message"]["spender"] = checksum(near)
    call = erc20.transfer_calldata(near, 5)
    tx = ether_tx()
    data = {
        "document": json.dumps(document).encode(),
        "transaction": a_request(
            replace(tx, to=near).encode(), DataType.TYPED_TRANSACTION
        ).encode(),
        "token": a_request(
            replace(tx, to=DUSD, value_wei=0, data=call).encode(), DataType.TYPED_TRANSACTION
        ).encode(),
    }[place]

    first = foreign_lines(read_foreign(data), home)[1:3]

    assert f"WARNING: {grouped(checksum(near))} looks like a known address" in first[0]
    assert grouped(known) in first[1]


def test_transactions_are_explained(home: Home) -> None:
    native = a_request(ether_tx().encode(), DataType.TYPED_TRANSACTION, address=CUSTOMER)
    token = replace(
        ether_tx(), to=DUSD, value_wei=0, data=erc20.transfer_calldata(CUSTOMER, 5_000_000)
    )
    unlimited = replace(token, data=bytes.fromhex("095ea7b3") + token.data[4:])
    legacy = UnsignedLegacyTx(
        chain_id=31337, nonce=7, max_fee_wei=10**9, gas_limit=21_000, to=CUSTOMER, value_wei=ETHER
    )

    shown = lines_of(native.encode(), home)
    assert "EIP-1559 transaction, nonce 7" in shown
    assert "pays 1 ETH (1000000000000000000)" in shown
    assert "fee at most 0.00063 (630000000000000 wei): 21000 gas" in shown
    claims = f"key m/44h/60h/0h/0/0 of 12345678, account {CUSTOMER_EVM}"
    assert f"claimed, not checked: {claims}" in shown
    shown = lines_of(a_request(token.encode(), DataType.TYPED_TRANSACTION).encode(), home)
    assert "pays 5 DUSD (5000000)" in shown
    shown = lines_of(a_request(unlimited.encode(), DataType.TYPED_TRANSACTION).encode(), home)
    assert "WOULD BE REFUSED: evm." in shown
    shown = lines_of(a_request(legacy.encode(), DataType.LEGACY_TRANSACTION).encode(), home)
    assert "legacy transaction, nonce 7" in shown


def test_typed_data_in_a_request_is_the_document(bench: Bench, home: Home) -> None:
    document = json.dumps(safe_document(safe_tx(bench))).encode()

    shown = lines_of(a_request(document, DataType.TYPED_DATA).encode(), home)

    assert "Safe ethereum-cold" in shown


def test_a_personal_message_is_what_wallets_hash(home: Home) -> None:
    message = "I agree\nto everything"
    account = Account.from_key(b"\x01" * 32)
    signed = account.sign_message(encode_defunct(text=message))
    request = a_request(message.encode(), DataType.PERSONAL_MESSAGE)

    assert bytes(signed.message_hash) == PersonalMessage(message.encode()).signing_hash
    shown = lines_of(request.encode(), home)
    assert "  | I agree\n  | to everything" in shown
    assert "WARNING: 32 bytes" in lines_of(
        a_request(b"\xff" * 32, DataType.PERSONAL_MESSAGE).encode(), home
    )


@pytest.mark.parametrize(
    ("code", "request_"),
    [
        ("foreign.chain", a_request(ether_tx().encode(), DataType.TYPED_TRANSACTION, chain_id=1)),
        ("foreign.message", a_request(bytes(PERSONAL_BYTES_MAX + 1), DataType.PERSONAL_MESSAGE)),
        ("evm.unknown_type", a_request(b"\x66" * 32, DataType.TYPED_TRANSACTION)),
        ("typed_data.malformed", a_request(b"{}", DataType.TYPED_DATA)),
    ],
)
def test_requests_that_mean_nothing_are_refused(code: str, request_: EthSignRequest) -> None:
    assert code == code_of(request_.encode())


def test_only_foreign_things_are_taken_for_foreign(bench: Bench) -> None:
    assert is_foreign(b" \n{}")
    assert is_foreign(a_request(b"x", DataType.PERSONAL_MESSAGE).encode())
    assert not is_foreign(sealed(payment(bench, "x"), COORDINATOR))
    assert not is_foreign(b"")
    assert not is_foreign(b"\xa3")


def test_a_foreign_request_is_never_signed() -> None:
    with pytest.raises(Refused) as refused:
        require_sealed(a_request(b"x", DataType.PERSONAL_MESSAGE).encode())
    assert "request.foreign" == refused.value.code


# ---- answers ----


def answered(bench: Bench) -> tuple[EthSignRequest, bytes]:
    """What another wallet asked for, and our answer to the sealed request for the same bytes."""
    request = ether_payment(bench, "x")
    asked = a_request(request.payload, DataType.TYPED_TRANSACTION)
    return asked, engine(bench.hot).sign(sealed(request, COORDINATOR))


def test_an_answer_becomes_the_signature_that_a_wallet_waits_for(bench: Bench) -> None:
    asked, answer = answered(bench)

    found = eth_signature(answer, asked)

    tx = UnsignedTx.decode(asked.sign_data)
    assert asked.request_id == found.request_id
    assert found.signature[-1] in (0, 1)
    rsv = found.signature[:-1] + bytes([27 + found.signature[-1]])
    signed = SignedTx.decode(tx.with_signature(rsv).raw)
    assert bench.hot.vaults["ethereum-hot"].vault.address_text(0) == checksum(signed.sender)


def test_a_safe_owners_answer_keeps_its_v(bench: Bench) -> None:
    request = safe_refill(bench, "x")
    document = json.dumps(safe_document(SafeTx.decode(request.payload))).encode()
    answer = engine(bench.cold).sign(sealed(request, COORDINATOR))

    found = eth_signature(answer, a_request(document, DataType.TYPED_DATA))

    assert found.signature[-1] in (27, 28)
    assert TypedData.decode(document).signing_hash == safe_tx(bench).safe_tx_hash


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("foreign.other_request", {"sign_data": replace(ether_tx(), nonce=8).encode()}),
        ("foreign.other_request", {"address": bytes(20)}),
        (
            "foreign.legacy",
            {
                "data_type": DataType.LEGACY_TRANSACTION,
                "sign_data": UnsignedLegacyTx(
                    chain_id=31337, nonce=7, max_fee_wei=1, gas_limit=21_000, to=CUSTOMER,
                    value_wei=1,
                ).encode(),
            },
        ),
    ],
)  # fmt: skip
def test_an_answer_to_something_else_is_no_answer(
    bench: Bench, code: str, changes: dict[str, Any]
) -> None:
    asked, answer = answered(bench)

    with pytest.raises(Refused) as refused:
        eth_signature(answer, replace(asked, **changes))

    assert code == refused.value.code


def test_refusals_and_signatures_of_coins_are_no_eth_signature(bench: Bench) -> None:
    asked, _ = answered(bench)
    refusal = engine(bench.hot).sign(sealed(ether_payment(bench, "x"), COORDINATOR))
    coins = engine(bench.hot).sign(sealed(payment(bench, "y"), COORDINATOR))

    for code, answer in (("foreign.not_signed", refusal), ("foreign.not_evm", coins)):
        with pytest.raises(Refused) as refused:
            eth_signature(answer, asked)
        assert code == refused.value.code


# ---- the commands ----


def run(*arguments: object) -> Result:
    return CliRunner().invoke(build_app(str(arguments[0])), [str(each) for each in arguments])


def refused_by(*arguments: object) -> str:
    result = run(*arguments, "--json")
    assert 1 == result.exit_code, result.output
    return str(json.loads(result.stdout.splitlines()[-1])["code"])


def test_a_request_arrives_by_qr_is_shown_and_answered_by_qr(
    bench: Bench, world: World, tmp_path: Path
) -> None:
    asked, answer = answered(bench)
    bench.hot.close()
    files = {name: tmp_path / name for name in ("asked", "frames", "arrived", "sa1", "back", "got")}
    files["asked"].write_bytes(asked.encode())
    files["sa1"].write_bytes(answer)
    kind = ("--type", "eth-sign-request")
    files["frames"].write_text(run("qr", "show", "--file", files["asked"], *kind).stdout)
    assert 0 == run("qr", "read", "--text", files["frames"], "--out", files["arrived"]).exit_code
    assert asked.encode() == files["arrived"].read_bytes()

    inspected = run("inspect", "--home", world.root / "hot", "--request", files["arrived"])
    assert "pays 1 ETH" in inspected.stdout
    told = json.loads(
        run("inspect", "--home", world.root / "hot", "--request", files["arrived"], "--json").stdout
    )
    assert UnsignedTx.decode(asked.sign_data).signing_hash.hex() == told["digest"]
    sign = ("sign", "--home", world.root / "hot", "--request", files["arrived"])
    assert "request.foreign" == refused_by(*sign, "--out", tmp_path / "none")
    assert not (tmp_path / "none").exists()

    reply = ("--type", "eth-signature", "--reply-to", files["arrived"])
    shown = run("qr", "show", "--file", files["sa1"], *reply)
    files["back"].write_text(shown.stdout)
    assert 0 == run("qr", "read", "--text", files["back"], "--out", files["got"]).exit_code
    assert eth_signature(answer, asked) == EthSignature.decode(files["got"].read_bytes())


def test_what_does_not_fit_together_is_refused(bench: Bench, tmp_path: Path) -> None:
    asked, answer = answered(bench)
    file, sa1 = tmp_path / "asked", tmp_path / "sa1"
    file.write_bytes(asked.encode())
    sa1.write_bytes(answer)
    bbqr = ("qr", "show", "--file", file, "--type", "eth-sign-request", "--as", "bbqr")

    assert "output.scheme" == refused_by(*bbqr)
    assert "output.reply" == refused_by("qr", "show", "--file", sa1, "--reply-to", file)

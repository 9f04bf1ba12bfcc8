"""EIP-7702 transactions: byte for byte what eth-account signs, and nothing else is read."""

from dataclasses import replace

import pytest
import rlp as second_rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm.addresses import checksum, from_text
from chains.evm.authorizations import Authorization, SignedAuthorization
from chains.evm.set_code import AUTHORIZATIONS_MAX, SignedSetCodeTx, UnsignedSetCodeTx
from chains.evm.transactions import SignedTx, UnsignedTx

CHAIN_ID = 31337
SENDER = Account.from_key(b"\x07" * 32)
AUTHORITY = Account.from_key(b"\x08" * 32)
DELEGATE = b"\x53" * 20
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def authorized(nonce: int = 0, **changes: object) -> SignedAuthorization:
    fields: dict[str, object] = {"chain_id": CHAIN_ID, "delegate": DELEGATE, "nonce": nonce}
    one = Authorization(**{**fields, **changes})  # type: ignore[arg-type]
    return one.with_signature(
        bytes(Account.unsafe_sign_hash(one.signing_hash, AUTHORITY.key).signature)
    )


def a_call(**changes: object) -> UnsignedTx:
    fields: dict[str, object] = {
        "chain_id": CHAIN_ID,
        "nonce": 7,
        "priority_fee_wei": 10**9,
        "max_fee_wei": 30 * 10**9,
        "gas_limit": 500_000,
        "to": DELEGATE,
        "value_wei": 0,
        "data": b"\x12\x34",
    }
    return UnsignedTx(**{**fields, **changes})  # type: ignore[arg-type]


def a_tx(count: int = 2, **changes: object) -> UnsignedSetCodeTx:
    return UnsignedSetCodeTx(
        call=a_call(**changes), authorizations=tuple(authorized(n) for n in range(count))
    )


def by_eth_account(tx: UnsignedSetCodeTx) -> bytes:
    call = tx.call
    fields = {
        "chainId": call.chain_id,
        "nonce": call.nonce,
        "gas": call.gas_limit,
        "maxFeePerGas": call.max_fee_wei,
        "maxPriorityFeePerGas": call.priority_fee_wei,
        "to": checksum(call.to),
        "value": call.value_wei,
        "data": "0x" + call.data.hex(),
        "authorizationList": [
            {
                "chainId": one.authorization.chain_id,
                "address": checksum(one.authorization.delegate),
                "nonce": one.authorization.nonce,
                "yParity": one.parity,
                "r": one.r,
                "s": one.s,
            }
            for one in tx.authorizations
        ],
    }
    return bytes(Account.sign_transaction(fields, SENDER.key).raw_transaction)


def signature_of(tx: UnsignedSetCodeTx) -> bytes:
    return bytes(Account.unsafe_sign_hash(tx.signing_hash, SENDER.key).signature)


@pytest.mark.parametrize("tx", [a_tx(1), a_tx(3), a_tx(1, data=b"", value_wei=5)])
def test_the_signed_bytes_are_eth_accounts(tx: UnsignedSetCodeTx) -> None:
    signed = tx.with_signature(signature_of(tx))

    assert by_eth_account(tx) == signed.raw
    assert SENDER.address == checksum(signed.sender)
    assert signed == SignedSetCodeTx.decode(signed.raw)
    assert "0x" + keccak(signed.raw).hex() == signed.txid


def test_an_authorisation_signed_by_eth_account_is_recovered() -> None:
    made = AUTHORITY.sign_authorization(
        {"chainId": CHAIN_ID, "address": checksum(DELEGATE), "nonce": 3}
    )

    mine = SignedAuthorization.of(
        Authorization(chain_id=CHAIN_ID, delegate=DELEGATE, nonce=3), made.r, made.s, made.y_parity
    )

    assert from_text(AUTHORITY.address) == mine.authority
    assert mine == authorized(3)
    assert mine == SignedAuthorization.decode(mine.encode())


@given(
    st.integers(0, 2**64 - 2),
    st.integers(1, 2**63 - 1),
    st.binary(max_size=200),
    st.integers(1, 3),
)
def test_what_is_written_is_read(nonce: int, chain_id: int, data: bytes, count: int) -> None:
    tx = a_tx(count, nonce=nonce, chain_id=chain_id, data=data)

    assert tx == UnsignedSetCodeTx.decode(tx.encode())


def changed(index: int, item: object, of: bytes | None = None) -> bytes:
    items = second_rlp.decode((of or a_tx().encode())[1:])
    items[index] = item
    return b"\x04" + bytes(second_rlp.encode(items))


def listed(index: int, item: object) -> bytes:
    """The transaction with one field of its first authorisation changed."""
    one = second_rlp.decode(second_rlp.encode(authorized().items))
    one[index] = item
    return changed(9, [one])


HIGH_S = (ORDER - authorized().s).to_bytes(32, "big")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "chain.codec"),
        (a_call().encode(), "set_code.type"),
        (b"\xc0", "set_code.type"),
        (a_tx().encode() + b"\x00", "chain.codec"),
        (b"\x04" + bytes(128 * 1024), "chain.codec"),
        (a_tx().with_signature(signature_of(a_tx())).raw, "chain.codec"),
        (changed(5, b""), "evm.creation"),
        (changed(8, [[DELEGATE, []]]), "evm.access_list"),
        (changed(9, []), "set_code.count"),
        (changed(9, b""), "chain.codec"),
        (changed(9, [b"\x01"] * (AUTHORIZATIONS_MAX + 1)), "set_code.count"),
        (changed(9, [[]]), "chain.codec"),
        (listed(0, b""), "delegation.any_chain"),
        (listed(1, DELEGATE[1:]), "chain.codec"),
        (listed(1, [DELEGATE]), "chain.codec"),
        (listed(2, b"\x00\x01"), "chain.codec"),
        (listed(3, b"\x02"), "chain.codec"),
        (listed(4, b""), "chain.codec"),
        (listed(5, HIGH_S), "chain.codec"),
    ],
)
def test_other_bytes_are_refused(raw: bytes, code: str) -> None:
    with pytest.raises(CodecError) as caught:
        UnsignedSetCodeTx.decode(raw)

    assert code == caught.value.code


def test_the_two_forms_are_not_confused() -> None:
    with pytest.raises(CodecError):
        SignedSetCodeTx.decode(a_tx().encode())
    with pytest.raises(CodecError, match="7702"):
        SignedTx.decode(a_tx().with_signature(signature_of(a_tx())).raw)


def test_a_changed_authorisation_is_somebody_elses() -> None:
    one = authorized()
    other = SignedAuthorization.of(replace(one.authorization, nonce=1), one.r, one.s, one.parity)

    assert other.authority != one.authority


@pytest.mark.parametrize("raw", [b"", authorized().encode() + b"\x00", bytes(161), b"\xc0"])
def test_only_a_whole_signed_authorisation_is_read(raw: bytes) -> None:
    with pytest.raises(CodecError):
        SignedAuthorization.decode(raw)

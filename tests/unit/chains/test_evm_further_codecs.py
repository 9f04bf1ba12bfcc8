"""Multisends, Safe changes, authorisations and legacy transactions: one form each, both ways."""

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import CodecError
from chains.evm.addresses import checksum
from chains.evm.authorizations import MAGIC, Authorization
from chains.evm.legacy import UnsignedLegacyTx
from chains.evm.multisend import MULTI_SEND, MultiSendItem, decode_multisend, multisend_calldata
from chains.evm.safe_governance import GovernanceCall, SelfCall
from chains.evm.typed_data import TypedData

ADDRESSES = st.binary(min_size=20, max_size=20)
NUMBERS = st.integers(min_value=0, max_value=2**64 - 2)
KEY = b"\x11" * 32

few = settings(max_examples=40, deadline=None)


@few
@given(
    st.lists(
        st.builds(
            MultiSendItem,
            to=ADDRESSES,
            value_wei=st.integers(min_value=0, max_value=2**256 - 1),
            data=st.binary(max_size=80),
            operation=st.integers(min_value=0, max_value=255),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_multisend_comes_back(items: list[MultiSendItem]) -> None:
    assert tuple(items) == decode_multisend(multisend_calldata(items))


@few
@given(nonce=NUMBERS, value=NUMBERS, to=ADDRESSES, data=st.binary(max_size=70))
def test_a_legacy_transaction_is_what_eth_account_signs(
    nonce: int, value: int, to: bytes, data: bytes
) -> None:
    tx = UnsignedLegacyTx(
        chain_id=31337,
        nonce=nonce,
        max_fee_wei=7,
        gas_limit=21_000,
        to=to,
        value_wei=value,
        data=data,
    )
    other = Account.sign_transaction(
        {
            "chainId": 31337,
            "nonce": nonce,
            "gasPrice": 7,
            "gas": 21_000,
            "to": checksum(to),
            "value": value,
            "data": data,
        },
        KEY,
    )

    raw, sender, txid = tx.with_signature(
        bytes(Account.unsafe_sign_hash(tx.signing_hash, KEY).signature)
    )

    assert tx == UnsignedLegacyTx.decode(tx.encode())
    assert (bytes(other.raw_transaction), other.hash.hex()) == (raw, txid.removeprefix("0x"))
    assert Account.from_key(KEY).address == checksum(sender)


@few
@given(
    st.sampled_from([b"", MULTI_SEND, bytes([MAGIC]), b"\xc0", b'{"types":', b"\x0d\x58\x2f\x13"]),
    st.binary(max_size=200),
)
def test_any_bytes_are_read_or_refused(head: bytes, body: bytes) -> None:
    for decode in (
        decode_multisend,
        GovernanceCall.decode,
        Authorization.decode,
        UnsignedLegacyTx.decode,
        TypedData.decode,
    ):
        with pytest.raises(CodecError):
            decode(head + body + b"\xff")


def test_every_change_of_a_safe_has_its_own_selector() -> None:
    pads = (b"\x01" * 20, b"\x02" * 20, b"\x03" * 20)
    counts = {SelfCall.CHANGE_THRESHOLD: 0, SelfCall.SWAP_OWNER: 3}
    counts |= dict.fromkeys((SelfCall.REMOVE_OWNER, SelfCall.DISABLE_MODULE), 2)
    threshold = {SelfCall.ADD_OWNER, SelfCall.REMOVE_OWNER, SelfCall.CHANGE_THRESHOLD}
    found = set()
    for action in SelfCall:
        call = GovernanceCall(
            action=action,
            addresses=pads[: counts.get(action, 1)],
            threshold=2 if action in threshold else None,
        )
        assert call == GovernanceCall.decode(call.encode())
        found.add(call.encode()[:4])
    assert len(SelfCall) == len(found)

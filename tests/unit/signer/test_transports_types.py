"""ERC-4527 and PSBT in URs: published ones exactly, everything else refused by its own code."""

from typing import Any

import cbor2
import pytest
from cbor2 import CBORTag
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.hd import HARDENED
from signer.transports import bytewords
from signer.transports.errors import TransportError
from signer.transports.message import Kind, Message
from signer.transports.ur import UrDecoder
from signer.transports.ur_types import (
    DataType,
    EthSignature,
    EthSignRequest,
    Keypath,
    UrType,
    pack,
    unpack,
)
from tests import transport_vectors as published

PATH = Keypath(
    steps=(44 | HARDENED, 1 | HARDENED, 1 | HARDENED, 0, 1), fingerprint=bytes.fromhex("12345678")
)
REQUEST = EthSignRequest(
    request_id=published.REQUEST_ID,
    sign_data=published.ETH_DATA,
    data_type=DataType.LEGACY_TRANSACTION,
    chain_id=1,
    path=PATH,
    origin="metamask",
)
FIELDS: dict[int, Any] = {
    1: CBORTag(37, published.REQUEST_ID),
    2: b"\x02",
    3: 4,
    4: 1,
    5: CBORTag(304, {1: [44, True, 0, False], 2: 1}),
    6: bytes(20),
    7: "somebody",
}


def read(text: str) -> Message:
    decoder = UrDecoder()
    decoder.add(text)
    return decoder.message()


def refused_request(changes: dict[int, Any]) -> str:
    fields = {key: value for key, value in {**FIELDS, **changes}.items() if value is not None}
    with pytest.raises(TransportError) as error:
        EthSignRequest.decode(cbor2.dumps(fields))
    return error.value.code


def test_published_psbt_is_read_and_written() -> None:
    for name in ("psbt", "crypto-psbt"):
        message = read(f"ur:{name}/{published.PSBT_UR}")
        assert Message(kind=Kind.PSBT, content=published.PSBT) == message
        assert published.PSBT_UR == bytewords.encode(pack(UrType(name), published.PSBT))


def test_published_request_is_read_and_written() -> None:
    message = read(published.ETH_REQUEST_UR)
    assert Kind.ETH_SIGN_REQUEST is message.kind
    assert REQUEST == EthSignRequest.decode(message.content)
    assert published.ETH_REQUEST_UR.endswith(bytewords.encode(REQUEST.encode()))


def test_published_signature_is_read_and_written() -> None:
    message = read(published.ETH_SIGNATURE_UR)
    signature = EthSignature(signature=published.ETH_SIGNATURE, request_id=published.REQUEST_ID)
    assert Kind.ETH_SIGNATURE is message.kind
    assert signature == EthSignature.decode(message.content)
    assert published.ETH_SIGNATURE_UR.endswith(bytewords.encode(signature.encode()))


def test_path_may_stand_under_its_new_tag() -> None:
    old, new = (
        EthSignRequest.decode(cbor2.dumps({**FIELDS, 5: CBORTag(tag, {1: [44, True]})}))
        for tag in (304, 40304)
    )
    assert old == new


def test_raw_bytes_are_a_personal_message() -> None:
    assert (
        DataType.PERSONAL_MESSAGE is EthSignRequest.decode(cbor2.dumps({**FIELDS, 3: 3})).data_type
    )


def test_a_chain_is_never_guessed() -> None:
    assert "eth_request.chain" == refused_request({4: None})


@pytest.mark.parametrize(
    "changes",
    [
        {2: None},
        {3: None},
        {5: None},
        {3: 5},
        {3: 0},
        {8: 1},
        {1: published.REQUEST_ID},
        {1: CBORTag(37, bytes(15))},
        {2: "text"},
        {4: -1},
        {4: 1 << 53},
        {5: {1: [44, True]}},
        {5: CBORTag(305, {1: [44, True]})},
        {5: CBORTag(304, {1: [44]})},
        {5: CBORTag(304, {1: [[], True]})},
        {5: CBORTag(304, {1: [HARDENED, True]})},
        {5: CBORTag(304, {1: [44, 1]})},
        {5: CBORTag(304, {1: [0, False] * 11})},
        {5: CBORTag(304, {1: [44, True], 3: 2})},
        {6: bytes(19)},
        {7: "x" * 101},
    ],
    ids=str,
)
def test_a_request_of_another_shape_is_refused(changes: dict[int, Any]) -> None:
    assert "eth_request.malformed" == refused_request(changes)


def test_keys_out_of_order_and_bytes_behind_the_end_are_refused() -> None:
    backwards = dict(reversed(FIELDS.items()))
    not_utf8 = cbor2.dumps(FIELDS).replace(b"somebody", b"some\xffody")
    for data in (cbor2.dumps(backwards), cbor2.dumps(FIELDS) + b"\0", not_utf8, b""):
        with pytest.raises(TransportError) as error:
            EthSignRequest.decode(data)
        assert "eth_request.malformed" == error.value.code


def test_an_item_left_over_in_a_path_is_not_read_as_the_next_field() -> None:
    head = bytes.fromhex("a5 024102 0304 0401 05d90130a1 01")
    rest = bytes.fromhex("182cf5 06 54") + bytes(20)
    assert EthSignRequest.decode(head + b"\x82" + rest)
    with pytest.raises(TransportError) as error:
        EthSignRequest.decode(head + b"\x83" + rest)
    assert "eth_request.malformed" == error.value.code


@pytest.mark.parametrize(
    "fields",
    [{}, {2: bytes(64)}, {2: bytes(66)}, {1: 1, 2: bytes(65)}, {2: bytes(65), 4: 1}],
    ids=str,
)
def test_a_signature_of_another_shape_is_refused(fields: dict[int, Any]) -> None:
    with pytest.raises(TransportError) as error:
        EthSignature.decode(cbor2.dumps(fields))
    assert "eth_signature.malformed" == error.value.code


def test_content_is_checked_before_it_is_shown() -> None:
    with pytest.raises(TransportError) as error:
        pack(UrType.CRYPTO_PSBT, b"SR1")
    assert "transport.not_psbt" == error.value.code
    with pytest.raises(TransportError) as error:
        pack(UrType.BYTES, b"")
    assert "transport.message_size" == error.value.code
    data = REQUEST.encode()
    assert data == pack(UrType.ETH_SIGN_REQUEST, data)


@settings(max_examples=50)
@given(
    st.binary(max_size=50),
    st.sampled_from(list(DataType)),
    st.lists(st.integers(min_value=0, max_value=2**32 - 1), max_size=10),
    st.none() | st.binary(min_size=20, max_size=20),
    st.none() | st.text(max_size=20),
)
def test_requests_come_back_as_they_went(
    data: bytes, kind: DataType, steps: list[int], address: bytes | None, origin: str | None
) -> None:
    request = EthSignRequest(
        sign_data=data,
        data_type=kind,
        chain_id=137,
        path=Keypath(steps=tuple(steps)),
        address=address,
        origin=origin,
    )
    message = unpack(UrType.ETH_SIGN_REQUEST, request.encode())
    assert request == EthSignRequest.decode(message.content)

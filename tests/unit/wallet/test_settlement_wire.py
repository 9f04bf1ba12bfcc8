"""Settlements as they travel: the same in both encodings, and every limit holds while reading."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ledger import chart
from wallet.ledger.chart import SubAccount
from wallet.ledger.transfers import Transfer
from wallet.settlements.errors import Malformed, MediaTypeUnknown
from wallet.settlements.mapping import NO_ASSET, NOBODY, Refused, transfers_of
from wallet.settlements.wire import (
    BYTES_MAX,
    EXTERNAL_ID_MAX,
    JSON,
    MSGPACK,
    NO_ID,
    TRANSFERS_MAX,
    SettlementOrder,
    decode,
)

A, B = str(uuid4()), str(uuid4())
NOTHING = Refused(accounts=(), assets=(), holds=())
Body = dict[str, Any]


def single(**changes: object) -> Body:
    return {
        "id": str(uuid4()),
        "debit_account_id": A,
        "credit_account_id": B,
        "asset": "USDT",
        "units": "5",
        **changes,
    }


def post(**changes: object) -> Body:
    return {"id": str(uuid4()), "kind": "post", "hold_id": str(uuid4()), **changes}


def body(*transfers: Body, **changes: object) -> Body:
    return {"external_id": "s-1", "mode": "atomic", "transfers": list(transfers), **changes}


def read(asked: Body) -> SettlementOrder:
    """Both encodings say the same."""
    found = decode(json.dumps(asked).encode(), JSON)
    assert decode(msgspec.msgpack.encode(asked), MSGPACK) == found
    return found


def test_a_settlement_is_read() -> None:
    one = single(debit_sub_account="contract", linked=True)
    order = read(body(one, single(kind="hold", expires_s=7), post(), mode="best_effort"))
    first, second, third = order.transfers
    assert (order.mode, order.external_id) == ("best_effort", "s-1")
    assert (first.kind, first.debit_sub_account, first.credit_sub_account) == (
        "single",
        "contract",
        "spot",
    )
    assert (first.units, first.linked, second.expires_s, third.units) == ("5", True, 7, "")


@pytest.mark.parametrize(
    "asked",
    [
        body(),
        body(single(), mode="some"),
        body(single(), more=1),
        body(single(), external_id=""),
        body(single(), external_id="x" * (EXTERNAL_ID_MAX + 1)),
        body(single(), external_id="a b"),
        body(single(), transfers={}),
        body(single(more=1)),
        body(single(id=5)),
        body(single(id="")),
        body(single(id=str(uuid4()).upper())),
        body(single(id=NO_ID)),
        body(single(id=A[:-1] + "\n")),
        body(single(id=A.replace("-", "", 1) + "-")),
        body(single(id=A[:-1])),
        body(single(id="\u0661" + A[1:])),
        body(single(id="g" + A[1:])),
        body(single(id="-" + A[1:])),
        body(single(kind="take")),
        body(single(debit_account_id="")),
        body(single(credit_account_id="")),
        body(single(debit_sub_account="savings")),
        body(single(credit_sub_account="savings")),
        body(single(asset="")),
        body(single(asset="x" * 65)),
        body(single(units="")),
        body(single(units="0")),
        body(single(units="-1")),
        body(single(units="1.5")),
        body(single(units="1_0")),
        body(single(units="1\n2")),
        body(single(units="٣")),
        body(single(units="1" * 62)),
        body(single(units=5)),
        body(single(hold_id=str(uuid4()))),
        body(single(expires_s=7)),
        body(single(kind="hold", expires_s=-1)),
        body(single(kind="hold", hold_id=str(uuid4()))),
        body(single(linked=1)),
        body(post(hold_id="")),
        body(post(hold_id="no id")),
        body(post(asset="USDT")),
        body(post(debit_account_id=A)),
        body(post(credit_account_id=A)),
        body(post(expires_s=7)),
        body(post(units="0")),
        body(post(kind="void", units="1")),
    ],
)
def test_what_cannot_be_meant_is_refused_in_both_encodings(asked: Body) -> None:
    with pytest.raises(Malformed):
        decode(json.dumps(asked).encode(), JSON)
    with pytest.raises(Malformed):
        decode(msgspec.msgpack.encode(asked), MSGPACK)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/cbor"])
def test_another_encoding_is_not_guessed(media_type: str) -> None:
    with pytest.raises(MediaTypeUnknown):
        decode(json.dumps(body(single())).encode(), media_type)


@pytest.mark.parametrize("media_type", [JSON, MSGPACK])
def test_the_largest_is_read_and_one_more_is_not(media_type: str) -> None:
    encode: Callable[[Body], bytes] = (
        msgspec.json.encode if media_type == JSON else msgspec.msgpack.encode
    )
    # The longest that a transfer can be: a hold between parts, of a very large amount.
    longest = single(
        kind="hold",
        debit_sub_account="contract",
        credit_sub_account="contract",
        units="9" * 61,
        expires_s=2**62,
        linked=True,
    )
    ids = [str(UUID(int=n + 1)) for n in range(TRANSFERS_MAX + 1)]
    most = body(*({**longest, "id": id} for id in ids[:TRANSFERS_MAX]))
    raw = encode(most)
    assert len(raw) < BYTES_MAX
    assert len(decode(raw, media_type).transfers) == TRANSFERS_MAX
    most["transfers"].append({**longest, "id": ids[-1]})
    with pytest.raises(Malformed, match="length"):
        decode(encode(most), media_type)


def test_no_more_bytes_are_looked_at() -> None:
    raw = json.dumps(body(single())).encode()
    with pytest.raises(Malformed, match="bytes"):
        decode(raw + b" " * BYTES_MAX, JSON)


@pytest.mark.parametrize(
    ("raw", "media_type"),
    [
        (b"", JSON),
        (b"[" * 1_000_000, JSON),
        (b'{"transfers":' * 100_000, JSON),
        (b'{"external_id":"\xff"}', JSON),
        (b"", MSGPACK),
        (b"\xdd\xff\xff\xff\xff", MSGPACK),  # an array of 4,294,967,295
        (b"\x81\xa9transfers\xdd\xff\xff\xff\xff", MSGPACK),
        (b"\x91" * 1_000_000, MSGPACK),
        (b"\x81\xa9transfers" * 100_000, MSGPACK),
    ],
)
def test_what_is_after_the_reader_itself_is_refused(raw: bytes, media_type: str) -> None:
    with pytest.raises(Malformed):
        decode(raw, media_type)


@given(st.binary(max_size=200), st.sampled_from([JSON, MSGPACK]))
def test_noise_is_refused(raw: bytes, media_type: str) -> None:
    with pytest.raises(Malformed):
        decode(raw, media_type)


def test_owners_are_named_as_the_chart_names_them() -> None:
    for debit in SubAccount:
        for credit in SubAccount:
            asked = single(debit_sub_account=str(debit), credit_sub_account=str(credit))
            (made,) = transfers_of(read(body(asked)), NOTHING)
            assert made == Transfer.single(
                id=asked["id"],
                debit=chart.user(A, debit),
                credit=chart.user(B, credit),
                asset="USDT",
                units=5,
            )


def test_holds_posts_and_voids_become_the_ledgers() -> None:
    hold = single(kind="hold", expires_s=7)
    whole, part, void = post(), post(units="3"), post(kind="void")
    made = transfers_of(read(body(hold, whole, part, void, mode="best_effort")), NOTHING)
    assert made == [
        Transfer.hold(
            id=hold["id"],
            debit=chart.user(A),
            credit=chart.user(B),
            asset="USDT",
            units=5,
            expires_s=7,
        ),
        Transfer.post(id=whole["id"], hold_id=whole["hold_id"]),
        Transfer.post(id=part["id"], hold_id=part["hold_id"], units=3),
        Transfer.void(id=void["id"], hold_id=void["hold_id"]),
    ]


def test_links_are_passed_on() -> None:
    asked = [single(linked=True), post(linked=True), single()]
    made = transfers_of(read(body(*asked)), NOTHING)
    assert [transfer.linked for transfer in made] == [True, True, False]


def test_what_must_not_be_named_is_not_passed_on() -> None:
    asked, ended = single(), post()
    refused = Refused(accounts={A, B}, assets={"USDT"}, holds={ended["hold_id"]})
    beginning, ending = transfers_of(read(body(asked, ended)), refused)
    assert (beginning.debit, beginning.credit, beginning.asset) == (*NOBODY, NO_ASSET)
    assert ending.hold_id == NO_ID

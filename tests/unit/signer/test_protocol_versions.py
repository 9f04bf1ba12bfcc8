"""Newer fields make a newer version; everything older keeps its bytes and its digest."""

import hashlib
from dataclasses import replace

import cbor2
import pytest

from signer.errors import ProtocolError
from signer.protocol import Intent, Kind, Payee, Purpose, SignRequest

INTENT = Intent(
    intent_id="i-1",
    purpose=Purpose.REFILL,
    network="ethereum",
    asset="ETH",
    source="cold",
    payees=(Payee(address="0xabc", units=5),),
    fee_units_max=9,
    requester="service",
    created_s=1,
    expires_s=2,
)
REQUEST = SignRequest(
    request_id="r-1",
    created_s=1,
    expires_s=2,
    network="ethereum",
    source="cold",
    kind=Kind.SAFE_TX,
    payload=b"\x01",
    intents=(INTENT,),
)


def changed(body: bytes, **changes: object) -> bytes:
    return cbor2.dumps({**cbor2.loads(body), **changes}, canonical=True)


def test_version_1_keeps_its_bytes() -> None:
    digest = "358154a3a3ade5ef3e5d77b52539d9627e4803e1d32ad7b6343e20ca948178cb"
    assert digest == INTENT.digest.hex()
    body = "69515343534c034c6189cd3f8b3b3e2c6b3c1f4937ff1a778766d8696eb4203e"
    assert body == hashlib.sha256(REQUEST.encode()).hexdigest()


@pytest.mark.parametrize(
    "intent",
    [
        INTENT,
        replace(INTENT, call=b"\x01"),
        replace(INTENT, hot_units=0),
        replace(INTENT, call=b"\x01", hot_units=2**255),
    ],
)
def test_intents_of_both_versions_come_back(intent: Intent) -> None:
    assert intent == Intent.decode(intent.encode())


def test_what_an_approval_covers_includes_the_new_fields() -> None:
    intents = [
        INTENT,
        replace(INTENT, call=b"\x01"),
        replace(INTENT, hot_units=0),
        replace(INTENT, hot_units=1),
    ]

    assert 4 == len({intent.digest for intent in intents})


@pytest.mark.parametrize("nonce", [None, 0, 7])
def test_requests_of_both_versions_come_back(nonce: int | None) -> None:
    request = replace(REQUEST, safe_nonce=nonce)

    assert request == SignRequest.decode(request.encode())


@pytest.mark.parametrize(
    "body",
    [
        changed(INTENT.encode(), v=0),
        changed(INTENT.encode(), v=3),
        changed(INTENT.encode(), v=2),
        changed(INTENT.encode(), call=b"\x01"),
        changed(INTENT.encode(), v=2, call=b"", hot_units=[]),
        changed(INTENT.encode(), v=2, call=b"\x01", hot_units=[1, 2]),
        changed(replace(INTENT, hot_units=1).encode(), v=1),
    ],
)
def test_an_intent_has_one_form(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        Intent.decode(body)


@pytest.mark.parametrize(
    "body",
    [
        changed(REQUEST.encode(), v=2),
        changed(REQUEST.encode(), v=3),
        changed(REQUEST.encode(), safe_nonce=1),
        changed(replace(REQUEST, safe_nonce=1).encode(), safe_nonce=-1),
    ],
)
def test_a_request_has_one_form(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        SignRequest.decode(body)

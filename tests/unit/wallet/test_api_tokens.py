"""Tokens: what is signed is what is read, and limits hold before anything is parsed."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.protocol import public_key_of
from wallet.api.tokens import (
    TOKEN_CHARS_MAX,
    Claims,
    TokenMalformed,
    TokenSignatureWrong,
    body_hash,
    check_signature,
    issue_token,
    read_claims,
)

SEED = b"\x01" * 32
CLAIMS = Claims(sub="key", uri="/v1/x?a=1", nonce="n" * 16, iat=5, exp=65, body_hash=body_hash(b""))


@given(st.text("abc/?=%&", min_size=1, max_size=200), st.integers(0, 2**39), st.binary())
def test_what_is_signed_is_what_is_read(uri: str, iat: int, body: bytes) -> None:
    claims = dataclasses.replace(CLAIMS, uri=uri, iat=iat, body_hash=body_hash(body))
    token = issue_token(SEED, claims)
    assert read_claims(token) == claims
    check_signature(token, public_key_of(SEED))


@pytest.mark.parametrize("place", [5, 60, -5])
def test_a_changed_token_does_not_verify(place: int) -> None:
    token = issue_token(SEED, CLAIMS)
    other = "A" if token[place] != "A" else "B"
    changed = token[:place] + other + token[place:][1:]
    with pytest.raises(TokenSignatureWrong):
        check_signature(changed, public_key_of(SEED))


def test_a_long_token_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TokenMalformed, match="characters"):
        read_claims("x" * (TOKEN_CHARS_MAX + 1))


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(TokenMalformed):
        read_claims(text)


def test_the_open_form_is_a_plain_jwt() -> None:
    """RFC 7515: three base64url parts, the header saying EdDSA."""
    assert issue_token(SEED, CLAIMS).startswith("eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.")

"""Depth is counted before a parser sees the document, and only outside of texts."""

import pytest

from chains.nesting import TooDeep, check_nesting


@pytest.mark.parametrize(
    "document",
    [
        b"[" * 32,
        b'{"a":' * 32,
        b"[]" * 1000,
        b'"' + b"[" * 1000 + b'"',
        b'["' + b'\\"[' * 99 + b'"]',
    ],
)
def test_flat_documents_pass(document: bytes) -> None:
    check_nesting(document)


@pytest.mark.parametrize("document", [b"[" * 33, b'{"a":' * 33, b'["x",' * 33, b"[" * 10**6])
def test_deep_documents_are_refused_before_parsing(document: bytes) -> None:
    with pytest.raises(TooDeep) as caught:
        check_nesting(document)

    assert caught.value.code == "json.too_deep"

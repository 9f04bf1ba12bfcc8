"""Roots of Merkle-Patricia tries, held against the published ones of ethereum/tests (trieanyorder).

The order of keys must not matter there, and here it cannot.
"""

import pytest

from chains.evm.trie import EMPTY_ROOT, ordered_root, root

PUBLISHED = {
    "d23786fb4a010da3ce639d66d5e904a11dbc02746d1ce25029e53290cabf28ab": {"A": "a" * 50},
    "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3": {
        "doe": "reindeer",
        "dog": "puppy",
        "dogglesworth": "cat",
    },
    "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84": {
        "do": "verb",
        "horse": "stallion",
        "doge": "coin",
        "dog": "puppy",
    },
    "17beaa1648bafa633cda809c90c04af50fc8aed3cb40d16efbddee6fdf63c4c3": {
        "foo": "bar",
        "food": "bass",
    },
    "3f67c7a47520f79faa29255d2d3c084a7a6df0453116ed7232ff10277a8be68b": {
        "be": "e",
        "dog": "puppy",
        "bed": "d",
    },
    "8452568af70d8d140f58d941338542f645fcca50094b20f3c3d8c3df49337928": {
        "test": "test",
        "te": "testy",
    },
}


@pytest.mark.parametrize("published", PUBLISHED)
def test_roots_are_the_published_ones(published: str) -> None:
    items = {key.encode(): value.encode() for key, value in PUBLISHED[published].items()}

    assert root(items).hex() == published


def test_nothing_has_the_root_of_nothing() -> None:
    empty = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"

    assert ordered_root([]).hex() == EMPTY_ROOT.hex() == empty


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 300])
def test_every_value_and_its_place_count(count: int) -> None:
    values = [bytes([1 + at % 7]) * 40 for at in range(count)]
    changed = [*values[:-1], values[-1] + b"x"]

    assert len({ordered_root(values), ordered_root(changed), ordered_root(values[:-1])}) == 3

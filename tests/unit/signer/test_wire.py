"""Tags of the general decoder that have no place in a message end in the typed refusal."""

import pytest

from signer.errors import ProtocolError
from signer.protocol import load

TAGGED = {
    "a float with a large exponent": "c5821a0fffffff01",
    "a decimal with a large exponent": "c4821a3b9aca0001",
    "a fraction by zero": "d81e820100",
    "a value that holds itself": "d81c81d81d00",
    "a time past all calendars": "c11b00000000ffffffff",
    "a pattern": "d8236a2828612b292b292b24",
}


@pytest.mark.parametrize("name", TAGGED)
def test_tagged_values_are_no_message(name: str) -> None:
    with pytest.raises(ProtocolError):
        load(bytes.fromhex(TAGGED[name]), "message")

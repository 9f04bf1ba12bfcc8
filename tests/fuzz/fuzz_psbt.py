"""PSBTs, through the whole guard."""

from collections.abc import Iterable

from chains.errors import ChainError
from signer.errors import Refused
from signer.guards.psbt import check_psbt
from tests.fuzz import ground


def one_input(data: bytes) -> None:
    """What passes pays what was approved and no more than the fee caps."""
    try:
        facts = check_psbt(ground.request(data), ground.CONTEXT)
    except (Refused, ChainError):
        return
    assert facts.units == ground.INTENT.total_units
    assert 0 <= facts.fee_units <= 50_000


def seeds() -> Iterable[bytes]:
    """Both versions, one and two inputs."""
    for version in (0, 2):
        for coins in (1, 2):
            yield ground.psbt(version, coins)

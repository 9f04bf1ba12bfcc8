"""The odd tokens' committed bytecode is what the compiler makes of their source."""

import json

import pytest

from tests.contracts.build import NAMES, artifact_path
from wallet.devnet.contracts.build import compile_contract


@pytest.mark.parametrize("name", NAMES)
def test_committed_odd_tokens_are_what_the_compiler_makes(name: str) -> None:
    pytest.importorskip("vyper")
    folder = artifact_path(name).parent
    made = compile_contract(name, folder)

    assert json.loads(artifact_path(name).read_text(encoding="utf-8")) == made


def test_every_source_is_built() -> None:
    sources = {path.stem for path in artifact_path("x").parent.glob("*.vy")}

    assert sources == {*NAMES, "TokenBase"}

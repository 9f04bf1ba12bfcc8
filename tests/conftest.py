"""Fixtures every test may use: published test data and real chain nodes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.evidence import Evidence
from wallet.devnet.devnet import Devnet
from wallet.devnet.errors import DevnetMissing
from wallet.devnet.install import silent

ROOT = Path(__file__).parents[1]


def skip_or_fail(reason: str) -> NoReturn:
    """What the machine lacks is skipped on a laptop and fails where CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of published test vectors beside the checkout, read in place."""
    folder = ROOT.parent / "shared" / "vectors"
    if not folder.is_dir():
        skip_or_fail("published test vectors are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """Real BTC, LTC and ETH nodes, shared by all tests: fund and mine what you need yourself."""
    try:
        chains = Devnet.up(tmp_path_factory.mktemp("devnet"), silent, cache_dir=ROOT / ".cache")
    except DevnetMissing as error:
        skip_or_fail(str(error))
    yield chains
    chains.down()


def pytest_configure(config: pytest.Config) -> None:
    """The process that sees every report keeps the results as evidence."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Evidence(ROOT / ".cache" / "evidence.json"), "evidence")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on real nodes share one set of nodes, so one worker runs them all."""
    for item in items:
        if "devnet" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("devnet"))

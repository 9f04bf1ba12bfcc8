"""The signer works without any socket; its homes are made once and copied for each test."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from signer.home import Home
from tests.signer_world import World


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever opens a socket fails the test."""

    def refuse(*_args: object, **_named: object) -> NoReturn:
        raise AssertionError("the signer opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.fixture(scope="session")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("signers"))


@pytest.fixture
def world(made_world: World, tmp_path: Path) -> World:
    return made_world.copy(tmp_path / "signers")


@pytest.fixture
def hot(world: World) -> Iterator[Home]:
    home = world.open("hot")
    yield home
    home.close()


@pytest.fixture
def cold(world: World) -> Iterator[Home]:
    home = world.open("cold")
    yield home
    home.close()

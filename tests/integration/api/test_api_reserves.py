"""Publications and users' proofs over the API; the package itself is checked elsewhere."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.api.conftest import World
from tests.reserves_world import SEED, publish
from wallet.client import ApiError
from wallet.reserves.publication import PLACES, places_json
from wallet.reserves.verifier.checking import check_user
from wallet.reserves.verifier.package import canonical, read_package


def published(world: World, name: str, balances: dict[str, dict[str, int]], made_s: int) -> str:
    """A publication in the data directory, as `reserves make` leaves it; its digest."""
    folder: Path = world.services.settings.data_dir / "reserves" / name
    (folder / "trees").mkdir(parents=True)
    one = publish(folder, balances)
    one.statement["made_s"] = made_s
    for number, liability in enumerate(one.statement["liabilities"]):
        (folder / f"{liability['asset']}.tree").rename(folder / "trees" / f"{number}.tree")
    (folder / PLACES).write_bytes(canonical(places_json(one.claims)))
    (folder / "seed").write_text(SEED.hex())
    (folder / "statement.json").write_bytes(canonical(one.statement))
    one.package()
    return one.digest.hex()


def folder_of(world: World, name: str) -> Path:
    return world.services.settings.data_dir / "reserves" / name


def test_a_user_gets_their_own_proof(world: World) -> None:
    client = world.client()
    alice, bob = client.create_account("alice"), client.create_account("bob")
    old = published(world, "1", {"BTC": {alice.id: 5, bob.id: 7}}, 1_700_000_000)
    new = published(world, "2", {"BTC": {alice.id: 6, bob.id: 1}}, 1_700_000_500)

    found = client.reserves()
    assert [new, old] == [one.statement for one in found]
    assert [("BTC", "0.00000007", 7)] == [
        (one.asset, one.amount, one.amount_units) for one in found[0].owed
    ]
    package = read_package(folder_of(world, "2") / "package.zip")
    proof: Any = client.reserves_proof(alice.id)
    assert {"BTC": 6} == check_user(package, proof, alice.id)
    older: Any = client.reserves_proof(alice.id, statement=old)
    assert {"BTC": 5} == check_user(
        read_package(folder_of(world, "1") / "package.zip"), older, alice.id
    )


def test_what_is_not_published_is_not_found(world: World) -> None:
    client = world.client()
    alice = client.create_account("alice")

    def code(account_id: str, **named: str) -> tuple[int, str]:
        with pytest.raises(ApiError) as refused:
            client.reserves_proof(account_id, **named)
        return refused.value.status, refused.value.code

    assert () == client.reserves()
    assert (404, "reserves.not_found") == code(alice.id)
    published(world, "1", {"BTC": {"somebody": 5}}, 1_700_000_000)
    assert (404, "reserves.not_included") == code(alice.id)
    assert (404, "reserves.not_found") == code(alice.id, statement="00" * 32)
    assert (404, "account.not_found") == code("00000000-0000-4000-8000-000000000000")
    assert 422 == code(alice.id, statement="../secret")[0]


def test_a_publication_without_its_package_is_not_shown(world: World) -> None:
    published(world, "1", {"BTC": {"somebody": 5}}, 1_700_000_000)
    (folder_of(world, "1") / "package.zip").unlink()
    assert () == world.client().reserves()


def test_a_key_without_the_scope_reads_no_proof(world: World) -> None:
    client = world.client(("balances:read", "accounts:read"))
    with pytest.raises(ApiError) as refused:
        client.reserves()
    assert 403 == refused.value.status

"""Each check is taken out in turn, and some mutant is then no longer refused for it."""

from collections.abc import Iterator

import pytest

from signer.errors import Refused
from tests.mutants.bench import Bench, Mutant, prepare
from tests.mutants.corpus import CORPUS
from tests.removal import Site, sites
from tests.signer_world import World, engine

MODULES = (
    "signer.guards.envelope",
    "signer.guards.psbt",
    "signer.guards.owners",
    "signer.guards.evm",
    "signer.guards.evm_calls",
    "signer.guards.evm_fees",
    "signer.guards.batch",
    "signer.guards.evm_payees",
    "signer.guards.safe",
    "signer.guards.safe_deeds",
    "signer.guards.governance",
    "signer.guards.delegation",
    "signer.guards.evm_nonces",
    "signer.guards.unsticking",
    "signer.guards.replacing",
    "signer.siblings",
    "signer.roster",
)
STATELESS = [one for one in CORPUS if not (one.first or one.during or one.faults)]
CODES = frozenset(mutant.code for mutant in STATELESS)
SITES = [site for module in MODULES for site in sites(module) if site.code in CODES]
"""Refusals by memory (used nonces, spent windows) have tests of their own."""

SECOND_WALLS = frozenset(
    {
        ("_parts", "request.kind"),
        ("rules_of", "request.kind"),
        ("rules_of", "request.network"),
        ("rules_of", "request.network_unknown"),
        ("registered", "request.network"),
        ("registered", "request.source_unknown"),
        ("_check_intent", "intent.network"),
        ("_check_intent", "intent.call"),
        ("act_intent", "intent.network"),
        ("_check_intent", "intent.call"),
        ("check_evm_tx", "intent.count"),
        ("check_safe_tx", "intent.count"),
        ("check_source", "intent.source"),
        ("check_gas", "fee.intent"),
        ("check_batch", "intent.source"),
        ("pinned_safe", "evm.wrong_chain"),
    }
)
"""Function and code of guards' checks behind others; the guards' own tests reach them alone."""


@pytest.fixture(scope="module")
def bench(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    world = made_world.copy(tmp_path_factory.mktemp("removal"))
    prepare(world)
    both = Bench(world.open("hot"), world.open("cold"))
    yield both
    both.hot.close()
    both.cold.close()


def code_of(bench: Bench, mutant: Mutant) -> str:
    """Why a mutant is refused, or nothing."""
    request = mutant.base(bench, mutant.name)
    home = bench.home_of(request) if request.sender is None else bench.hot
    if mutant.stage is not None:
        mutant.stage(bench, request)
    try:
        engine(home).review(mutant.seal(mutant.change(bench, request)))
    except Refused as refusal:
        return refusal.code
    except Exception as error:  # noqa: BLE001 - without its check a guard may trip over anything
        return repr(error)
    return ""


@pytest.mark.parametrize("site", SITES, ids=str)
def test_a_check_taken_out_is_missed(
    bench: Bench, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = [mutant for mutant in STATELESS if mutant.code == site.code]
    with monkeypatch.context() as without:
        without.setattr(site.target(), "__code__", site.without())
        found = {mutant.name: code_of(bench, mutant) for mutant in candidates}

    missed = [name for name, code in found.items() if code != site.code]
    assert missed or (site.function, site.code) in SECOND_WALLS


def test_every_second_wall_stands() -> None:
    assert {(site.function, site.code) for site in SITES} >= SECOND_WALLS

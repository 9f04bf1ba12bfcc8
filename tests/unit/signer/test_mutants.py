"""Every mutant of an accepted request is refused, with its own code, and signs nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.engine import Engine, Review
from signer.errors import Refused
from signer.home import Home
from signer.keystore import Kek
from signer.log import Log, LogKind, Record
from signer.protocol import Result
from tests.conftest import ROOT
from tests.mutants.attacks import ATTACKS, Attack
from tests.mutants.bench import Bench, Mutant, by_coordinator, prepare
from tests.mutants.corpus import CORPUS
from tests.node_ids import missing_tests
from tests.signer_world import NOW_S, World, answer_of, engine

CHECKS = "abcdefghij"
"""The checks of a PSBT signer, from strict bytes (a) to its own signature verified (j)."""


@pytest.fixture(scope="session")
def prepared(made_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    world = made_world.copy(tmp_path_factory.mktemp("bench"))
    prepare(world)
    return world


@pytest.fixture
def bench(prepared: World, tmp_path: Path) -> Iterator[Bench]:
    world = prepared.copy(tmp_path / "signers")
    both = Bench(world.open("hot"), world.open("cold"))
    yield both
    both.hot.close()
    both.cold.close()


def records(home: Home) -> list[Record]:
    copy = Log(home.path / "log", home.path / "mark")
    found = list(copy.replay())
    copy.close()
    return found


def signed(home: Home, data: bytes) -> bool:
    """Whether a sealed request is signed."""
    return answer_of(engine(home).sign(data), home).result is Result.SIGNED


@pytest.mark.parametrize("mutant", CORPUS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_refused(
    bench: Bench, mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = mutant.base(bench, "mutant")
    home = bench.home_of(original) if original.sender is None else bench.hot
    engine(home).review(by_coordinator(original))
    for target, fault in mutant.faults:
        monkeypatch.setattr(target, fault)
    for earlier in mutant.first:
        assert signed(home, by_coordinator(earlier(bench, original)))
    if mutant.stage is not None:
        mutant.stage(bench, original)
    before = records(home)

    def confirm(review: Review) -> bool:
        if mutant.during is not None:
            mutant.during(review)
        return True

    asked = Engine(home, lambda: NOW_S, confirm, _never_locked)
    try:
        answer = answer_of(asked.sign(mutant.seal(mutant.change(bench, original))), home)
    except Refused:
        pass
    else:
        assert (Result.REFUSED, ()) == (answer.result, answer.signatures)

    (record,) = records(home)[len(before) :]
    assert (LogKind.REFUSED, mutant.code) == (record.kind, record.data["code"])


def _never_locked() -> Kek:
    raise AssertionError("unlock was asked for an unlocked home")


@pytest.mark.parametrize("base", sorted({mutant.base.__name__ for mutant in CORPUS}))
def test_what_mutants_are_made_from_is_signed(bench: Bench, base: str) -> None:
    make = next(mutant.base for mutant in CORPUS if mutant.base.__name__ == base)
    request = make(bench, "original")

    assert signed(
        bench.home_of(request) if request.sender is None else bench.hot, by_coordinator(request)
    )


def test_every_mutant_has_its_own_name() -> None:
    assert len(CORPUS) == len({mutant.name for mutant in CORPUS})


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_a_mutant(check: str) -> None:
    assert [mutant for mutant in CORPUS if check in mutant.proves]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.number} {attack.title}")
def test_every_attack_is_met(attack: Attack) -> None:
    """By mutants of requests, or where it is no request, by the named tests."""
    assert attack.tests or [mutant for mutant in CORPUS if str(attack.number) in mutant.proves]
    assert [] == missing_tests(attack.tests)


def test_the_table_holds_all_25_attacks_and_no_other() -> None:
    numbers = [attack.number for attack in ATTACKS]

    assert list(range(1, 26)) == numbers
    proven = {name for mutant in CORPUS for name in mutant.proves}
    assert proven <= {*CHECKS, *map(str, numbers)}


def test_every_code_of_a_refusal_stands_in_a_test() -> None:
    """A check that no test knows could be taken out and nobody would notice."""
    source = "".join(path.read_text() for path in (ROOT / "signer").rglob("*.py"))
    codes = set(re.findall(r'Refused\(\s*"([a-z0-9_.]+)"', source))
    here = {mutant.code for mutant in CORPUS}
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "unit").rglob("test_*.py"))

    assert len(codes) > 50
    assert [] == sorted(code for code in codes - here if f'"{code}"' not in tests)

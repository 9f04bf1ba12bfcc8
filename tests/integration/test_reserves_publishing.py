"""A publication from the ledger to a checked package, signed by real signer processes."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.errors import NodeUnavailable
from signer.protocol import Result, SignRequest
from tests.integration.test_payments_real_signers import Signers, make_homes
from tests.payments_world import BTC, ETH, Keep, World, make_signers
from wallet.ledger import balances
from wallet.reserves import claims, signing
from wallet.reserves.asking import HOT_LIFE_S, asks_of, new_request
from wallet.reserves.combining import combined
from wallet.reserves.context import ReservesContext
from wallet.reserves.errors import (
    AlreadyThere,
    AnswerUnknown,
    BadProof,
    LiabilitiesDiffer,
    NotChecked,
    NothingHeld,
    NotPublished,
    SignersRefused,
    Unsigned,
)
from wallet.reserves.preparing import prepare
from wallet.reserves.proving import proof_json
from wallet.reserves.publication import Publication, publications
from wallet.reserves.publishing import publish
from wallet.reserves.signing import Signing
from wallet.reserves.verifier.checking import check_package, check_user
from wallet.reserves.verifier.package import read_package
from wallet.signing.errors import AnswerRefused, SignerSilent
from wallet.signing.hot import HotSigner
from wallet.signing.ports import CheckedAnswer
from wallet.store.database import Database

OPERATOR = "Test exchange"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return make_homes(tmp_path_factory.mktemp("homes"))


@pytest.fixture(scope="module")
def doors(signers: Signers) -> Iterator[dict[str, HotSigner]]:
    started = signers.start()
    yield started
    for door in started.values():
        door.close()


@pytest.fixture
def world(tmp_path: Path, signers: Signers, doors: dict[str, HotSigner]) -> Iterator[World]:
    database = Database.open(f"sqlite:///{tmp_path / 'wallet.sqlite'}")
    database.migrate()
    keep = Keep()
    keep.ids.prefix = tmp_path.name[-20:]  # the homes outlive one test: no id may come again
    make_signers(keep)
    keys = {name: key.hex() for name, key in signers.identities.items()}
    yield World(database, keep, vaults=signers.vaults, doors=doors, public_keys=keys)
    database.close()


@pytest.fixture
def alice(world: World) -> str:
    """A user with coins and ether; the house has a little more of each on chain."""
    user = world.account("alice")
    world.deposit(user, "BTC", 3_000_000)
    world.deposit(user, "BTC", 2_000_000)
    world.deposit(user, "ETH", 10**18)
    world.deposit(user, "DUSD", 5_000_000)
    world.settle()
    return user


def context_of(world: World, **changes: Any) -> ReservesContext:
    paying = world.context
    context = ReservesContext(
        database=paying.database,
        clock=paying.clock,
        new_id=paying.new_id,
        random=os.urandom,
        coordinator=paying.coordinator,
        chains=paying.chains,
        chain_ids={BTC: None, ETH: 31337},
        vaults=paying.vaults,
        signers={name: one for name, one in paying.signers.items() if name in paying.doors},
        doors=paying.doors,
    )
    return replace(context, **changes)


def prepared(world: World, folder: Path, **changes: Any) -> tuple[ReservesContext, Publication]:
    context = context_of(world, **changes)
    return context, prepare(context, folder, operator=OPERATOR)


def test_a_publication_is_signed_by_two_processes_and_holds(
    world: World, alice: str, tmp_path: Path
) -> None:
    context, publication = prepared(world, tmp_path / "p")
    assert [] == Signing(context, publication).sign()
    report = publish(context, publication)

    assert {"BTC": 5_000_000, "DUSD": 5_000_000, "ETH": 10**18} == report.owed
    assert all(report.held[asset] >= owed for asset, owed in report.owed.items())
    package = read_package(publication.package)
    assert check_package(package).holds
    proof = json.loads(json.dumps(proof_json(alice, publication.digest, publication.trees())))
    assert report.owed == check_user(package, proof, alice)
    assert [publication.digest] == [one.digest for one in publications(tmp_path)]


def test_publishing_again_gives_the_same_file(world: World, alice: str, tmp_path: Path) -> None:
    context, publication = prepared(world, tmp_path / "p")
    Signing(context, publication).sign()
    publish(context, publication)
    first = publication.package.read_bytes()
    assert [] == Signing(context, Publication.open(tmp_path / "p")).sign()
    publish(context, Publication.open(tmp_path / "p"))
    assert first == publication.package.read_bytes()


def test_what_is_kept_is_readable_by_its_operator_alone(
    world: World, alice: str, tmp_path: Path
) -> None:
    prepared(world, tmp_path / "p")
    for path in [tmp_path / "p", *(tmp_path / "p").rglob("*")]:
        if path.name != "statement.json":
            assert 0 == path.stat().st_mode & 0o077, path


def test_a_folder_in_use_is_refused(world: World, alice: str, tmp_path: Path) -> None:
    context, _ = prepared(world, tmp_path / "p")
    with pytest.raises(AlreadyThere):
        prepare(context, tmp_path / "p", operator=OPERATOR)


def test_accounts_that_do_not_add_up_are_not_published(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = balances.balances_in

    def without_the_first(*given: Any) -> Iterator[Any]:
        rows = real(*given)
        next(rows)
        yield from rows

    monkeypatch.setattr(balances, "balances_in", without_the_first)
    with pytest.raises(LiabilitiesDiffer):
        prepared(world, tmp_path / "p")
    with pytest.raises(NotPublished):
        Publication.open(tmp_path / "p")


def test_nothing_held_is_nothing_to_show(world: World, tmp_path: Path) -> None:
    world.settle()
    with pytest.raises(NothingHeld):
        prepared(world, tmp_path / "p")


def test_less_held_than_owed_is_not_published(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = claims.coin_claims

    def fewer(*given: Any) -> list[claims.Claim]:
        (one,) = real(*given)
        return [replace(one, coins=one.coins[:1])]

    monkeypatch.setattr("wallet.reserves.preparing.coin_claims", fewer)
    context, publication = prepared(world, tmp_path / "p")
    Signing(context, publication).sign()
    with pytest.raises(NotChecked) as caught:
        publish(context, publication)
    assert {"codes": ["sums.short"]} == caught.value.details
    assert not publication.package.exists()
    assert [] == publications(tmp_path)


def test_a_silent_node_ends_the_preparation_without_a_statement(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any) -> int:
        raise NodeUnavailable("no answer")

    monkeypatch.setattr(world.keep.eth, "balance_units", silent)
    with pytest.raises(NodeUnavailable):
        prepared(world, tmp_path / "p")
    with pytest.raises(NotPublished):
        Publication.open(tmp_path / "p")


def test_a_seed_that_is_gone_proves_nothing(world: World, alice: str, tmp_path: Path) -> None:
    _, publication = prepared(world, tmp_path / "p")
    (tmp_path / "p" / "seed").write_text("ab")
    with pytest.raises(NotPublished):
        publication.trees()
    (tmp_path / "p" / "seed").unlink()
    with pytest.raises(NotPublished):
        publication.trees()


def test_claims_are_of_the_stated_block(world: World, alice: str, tmp_path: Path) -> None:
    """What came or went after the block is not claimed, or still is."""
    context = context_of(world)
    before = prepare(context, tmp_path / "before", operator=OPERATOR)
    at = before.statement.networks[BTC].height
    world.deposit(alice, "BTC", 700_000)
    world.scan()
    with world.database.read() as tx:
        last = max(h for (h,) in tx.exec_driver_sql("SELECT max(height) FROM blocks"))
    back = prepare(context, tmp_path / "back", operator=OPERATOR, behind_blocks=last - at)
    assert at == back.statement.networks[BTC].height

    def coins(publication: Publication) -> set[str]:
        return {coin.txid for claim in publication.claims for coin in claim.coins}

    assert coins(before) == coins(back)
    after = prepare(context, tmp_path / "after", operator=OPERATOR)
    assert coins(before) < coins(after)


# Killed right here, what happens on the next run


@pytest.mark.parametrize(
    "moment", ["reserves.prepared", "reserves.asked", "reserves.answered", "reserves.published"]
)
def test_killed_at_any_moment_a_publication_is_taken_up(
    world: World, alice: str, tmp_path: Path, moment: str
) -> None:
    def kill(name: str) -> None:
        if name == moment:
            raise Killed

    def whole(folder: Path, milestone: Callable[[str], None]) -> Publication:
        context = context_of(world, milestone=milestone)
        try:
            publication = Publication.open(folder)
        except NotPublished:
            folder = folder if not folder.exists() else folder.with_name("again")
            publication = prepare(context, folder, operator=OPERATOR)
        Signing(context, publication).sign()
        publish(context, publication)
        return publication

    with pytest.raises(Killed):
        whole(tmp_path / "p", kill)
    publication = whole(tmp_path / "p", lambda _: None)
    assert check_package(read_package(publication.package)).holds


def test_a_lost_answer_is_recalled_and_nothing_is_signed_twice(
    world: World,
    alice: str,
    tmp_path: Path,
    doors: dict[str, HotSigner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, publication = prepared(world, tmp_path / "p")
    door, real = doors["hot-a"], doors["hot-a"].sign
    lost: list[CheckedAnswer] = []

    def cut(request: Any) -> Any:
        answer = real(request)
        if not lost:
            lost.append(answer)
            raise SignerSilent("the pipe broke")
        return answer

    monkeypatch.setattr(door, "sign", cut)
    waiting = Signing(context, publication).sign()
    assert {"hot-a"} == {one.signer for one in waiting}
    assert not any(one.is_offline for one in waiting)
    with pytest.raises(Unsigned):
        publish(context, publication)
    assert [] == Signing(context, publication).sign()
    publish(context, publication)
    kept = {path.read_bytes() for path in (tmp_path / "p" / "answers").iterdir()}
    assert lost[0].data in kept


def test_a_request_whose_time_is_over_is_asked_anew(
    world: World,
    alice: str,
    tmp_path: Path,
    doors: dict[str, HotSigner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, publication = prepared(world, tmp_path / "p")

    def silent(_request: Any) -> Any:
        raise SignerSilent("nobody there")

    with monkeypatch.context() as patch:
        for door in doors.values():
            patch.setattr(door, "sign", silent)
        assert Signing(context, publication).sign()
    before = {path.read_bytes() for path in (tmp_path / "p" / "requests").iterdir()}
    world.keep.clock.time_s += HOT_LIFE_S
    later = replace(context, doors={name: Late(door) for name, door in doors.items()})
    with pytest.raises(Late.Asked):
        Signing(later, publication).sign()
    after = {path.read_bytes() for path in (tmp_path / "p" / "requests").iterdir()}
    assert 1 == len(after - before)


class Late:
    """A door whose clock went on; it only tells that it was asked something new."""

    class Asked(Exception):
        """What it was asked."""

    def __init__(self, door: HotSigner) -> None:
        self.signer_id = door.signer_id

    def recall(self, request: Any) -> None:
        """It never answered."""

    def sign(self, request: Any) -> Any:
        raise self.Asked


def test_refusals_are_named_and_asked_anew(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim with an amount the signer saw otherwise is refused by it: its code is shown."""
    context, publication = prepared(world, tmp_path / "p")
    real = new_request

    def spoiled(*given: Any) -> SignRequest:
        request = real(*given)
        return replace(
            request, payload=b"\xa0", intents=(replace(request.intents[0], call=b"\xa0"),)
        )

    with monkeypatch.context() as patch:
        patch.setattr(signing, "new_request", spoiled)
        assert Signing(context, publication).sign() == []
    with pytest.raises(SignersRefused) as caught:
        publish(context, publication)
    assert {"reserves.malformed"} == set(caught.value.details["refused"].values())  # type: ignore[attr-defined]
    assert [] == Signing(context, publication).sign()
    publish(context, publication)


def test_answers_that_make_no_proof_are_refused(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed for another statement: every seal is good, and the proof is not."""
    context, publication = prepared(world, tmp_path / "p")
    ours = asks_of(publication)
    real = new_request

    def other(*given: Any) -> SignRequest:
        request = real(*given)
        claim = signing_claim(request)
        payload = replace(claim, statement=b"o" * 32).encode()
        return replace(
            request, payload=payload, intents=(replace(request.intents[0], call=payload),)
        )

    def signing_claim(request: SignRequest) -> Any:
        from signer.protocol import ReservesClaim

        return ReservesClaim.decode(request.payload)

    monkeypatch.setattr(signing, "new_request", other)
    Signing(context, publication).sign()
    assert len(ours) == len(list((tmp_path / "p" / "requests").iterdir()))
    with pytest.raises(NotChecked) as caught:
        publish(context, publication)
    assert {"account.signature", "bip322.message"} == set(caught.value.details["codes"])  # type: ignore[call-overload]


# Offline signers


def test_an_offline_signer_answers_by_files(
    world: World, alice: str, tmp_path: Path, doors: dict[str, HotSigner]
) -> None:
    context, publication = prepared(world, tmp_path / "p", doors={"hot-a": doors["hot-a"]})
    waiting = Signing(context, publication).sign()
    assert {("hot-b", True)} == {(one.signer, one.is_offline) for one in waiting}
    from signer.protocol import REQUEST, Sealed

    for one in waiting:
        sealed = Sealed.decode(one.request.read_bytes(), REQUEST)
        answer = doors["hot-b"].sign(sealed)
        assert Result.SIGNED is answer.answer.result
        attached = Signing(context, publication).attach(answer.data)
        assert (one.source, "hot-b") == (attached.source, attached.signer)
        with pytest.raises(AnswerRefused):
            Signing(context, publication).attach(spoiled(answer.data))
    assert [] == Signing(context, publication).sign()
    publish(context, publication)


def spoiled(data: bytes) -> bytes:
    """The answer with another signature of its signer's identity."""
    from signer.protocol import ANSWER, Sealed

    sealed = Sealed.decode(data, ANSWER)
    return Sealed(ANSWER, sealed.body, bytes(64)).encode()


def test_an_answer_to_something_else_is_refused(
    world: World, alice: str, tmp_path: Path, doors: dict[str, HotSigner]
) -> None:
    context, first = prepared(world, tmp_path / "p")
    Signing(context, first).sign()
    other = prepare(context, tmp_path / "q", operator=OPERATOR)
    answer = next((tmp_path / "p" / "answers").iterdir()).read_bytes()
    with pytest.raises(AnswerUnknown):
        Signing(context, other).attach(answer)
    with pytest.raises(AnswerUnknown):
        Signing(context, other).attach(b"no answer")


def test_signatures_that_do_not_fit_make_no_proof(world: World, alice: str, tmp_path: Path) -> None:
    context, publication = prepared(world, tmp_path / "p")
    signing_of = Signing(context, publication)
    signing_of.sign()
    for ask in asks_of(publication):
        sealed = signing_of._stored(ask)
        assert sealed is not None
        request, answers = SignRequest.decode(sealed.body), signing_of._answers(ask, sealed)
        good = list(answers.values())
        combined(context, publication, ask, request, good)
        other = [replace(s, index=s.index + 1) for s in good[0].signatures]
        bad = [replace(good[0], signatures=tuple(other)), *good[1:]]
        with pytest.raises(BadProof):
            combined(context, publication, ask, request, bad)

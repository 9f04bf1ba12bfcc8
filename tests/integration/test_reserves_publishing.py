"""A publication from the ledger to a checked package, signed by real signer processes."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chains.errors import NodeUnavailable
from signer.protocol import (
    ANSWER,
    APPROVAL,
    REQUEST,
    Approval,
    ReservesClaim,
    Sealed,
    SignRequest,
    check_words,
    identity_sign,
)
from signer.protocol import Result as Signed
from signer.protocol import digest as digest_of
from tests import signer_world
from tests.integration.test_payments_real_signers import Signers, make_homes
from tests.payments_world import BTC, ETH, Keep, World, make_signers
from wallet.cli import reserves as command
from wallet.ledger import balances
from wallet.reserves import claims, signing
from wallet.reserves.asking import HOT_LIFE_S, asks_of, new_request
from wallet.reserves.combining import combined
from wallet.reserves.context import ReservesContext
from wallet.reserves.errors import (
    AlreadyThere,
    AnswerUnknown,
    ApprovalsMissing,
    BadProof,
    LiabilitiesDiffer,
    NotChecked,
    NothingHeld,
    NotPublished,
    SignersRefused,
    Unsigned,
)
from wallet.reserves.owed.proving import proof_json
from wallet.reserves.packing import package_bytes
from wallet.reserves.preparing import prepare
from wallet.reserves.publication import Publication, publications
from wallet.reserves.publishing import publish
from wallet.reserves.signing import Signing, answer_waiting
from wallet.reserves.verifier.checking import check_package, check_user
from wallet.reserves.verifier.package import read_package
from wallet.signing.errors import AnswerRefused, SignerSilent
from wallet.signing.hot import HotSigner
from wallet.signing.ports import CheckedAnswer
from wallet.store.database import Database
from wallet.treasury.staff_keys import create_staff_key

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
    for one in waiting:
        sealed = Sealed.decode(one.request.read_bytes(), REQUEST)
        answer = doors["hot-b"].sign(sealed)
        assert Signed.SIGNED is answer.answer.result
        attached = Signing(context, publication).attach(answer.data)
        assert (one.source, "hot-b") == (attached.source, attached.signer)
        with pytest.raises(AnswerRefused):
            Signing(context, publication).attach(spoiled(answer.data))
    assert [] == Signing(context, publication).sign()
    publish(context, publication)


def spoiled(data: bytes) -> bytes:
    """The answer with another signature of its signer's identity."""
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
        Signing(context, first).attach(b"no answer")


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


# People's approvals


def approving(name: str, world: World) -> Callable[[bytes], Approval]:
    def approve(digest: bytes) -> Approval:
        body = Approval.body_of(name, digest, world.keep.clock.now_s())
        seed = signer_world.STAFF[name]
        return Approval(body=body, sig=identity_sign(seed, digest_of(APPROVAL, body)))

    return approve


def test_nobody_is_asked_before_people_approved(
    world: World, alice: str, tmp_path: Path, doors: dict[str, HotSigner]
) -> None:
    context, publication = prepared(world, tmp_path / "p")
    with pytest.raises(ApprovalsMissing):
        Signing(context, publication).sign(approvals=2)
    asked = len(asks_of(publication))
    assert asked == Signing(context, publication).approve(approving("alice", world))
    Signing(context, publication).approve(approving("alice", world))
    with pytest.raises(ApprovalsMissing) as caught:
        Signing(context, publication).sign(approvals=2)
    assert (1, 2) == (caught.value.details["approvals"], caught.value.details["required"])
    assert [] == list((tmp_path / "p" / "requests").iterdir())

    assert asked == Signing(context, publication).approve(approving("bob", world))
    assert [] == Signing(context, publication).sign(approvals=2)
    for path in (tmp_path / "p" / "requests").iterdir():
        request = SignRequest.decode(Sealed.decode(path.read_bytes(), REQUEST).body)
        assert {"alice", "bob"} == {one.approver for one in request.approvals}
    publish(context, publication)
    assert 0 == Signing(context, publication).approve(approving("carol", world))


def test_an_approval_is_of_one_intent_alone(world: World, alice: str, tmp_path: Path) -> None:
    context, publication = prepared(world, tmp_path / "p")
    one = Signing(context, publication)
    one.approve(approving("alice", world))
    for path in (tmp_path / "p" / "intents").iterdir():
        path.unlink()
    with pytest.raises(ApprovalsMissing):
        one.sign(approvals=1)


# The command line


@dataclass
class Deployment:
    """What the commands find behind a settings file."""

    reserves: ReservesContext
    clock: Any
    settings: Any


@pytest.fixture
def run(
    world: World, alice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    @contextmanager
    def opened(_config: Path) -> Iterator[Deployment]:
        settings = SimpleNamespace(data_dir=tmp_path)
        yield Deployment(context_of(world), world.context.clock, settings)

    monkeypatch.setattr(command, "opened", opened)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(command.app, [str(one) for one in arguments])

    return invoke


def test_one_command_makes_the_package_and_another_checks_it(
    run: Callable[..., Result], alice: str, tmp_path: Path
) -> None:
    made = run("make", "--operator", OPERATOR, "--json")
    assert 0 == made.exit_code, made.output
    package = json.loads(made.output)["package"]
    assert package.startswith(str(tmp_path / "reserves" / "20"))
    assert 0 == run("check", package).exit_code
    told = json.loads(run("check", package, "--json").output)
    assert (True, []) == (told["holds"], told["failures"])

    folder, proof = Path(package).parent, tmp_path / "alice.json"
    proved = run("prove", folder, alice, "--out", proof)
    assert 0 == proved.exit_code, proved.output
    assert "BTC" in proved.output
    mine = run("check-me", package, proof, "--account", alice)
    assert 0 == mine.exit_code, mine.output
    assert "BTC: 5000000 base units" in mine.output
    told = json.loads(run("check-me", package, proof, "--account", alice, "--json").output)
    assert "5000000" == told["included"]["BTC"]
    foreign = run("check-me", package, proof, "--account", "somebody")
    assert (1, True) == (foreign.exit_code, "FAILED proof.account" in foreign.output)


def test_a_package_that_does_not_hold_ends_the_check_with_its_codes(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    made = json.loads(run("make", "--operator", OPERATOR, "--json").output)
    read = Publication.open(Path(made["package"]).parent)
    path = tmp_path / "bad.zip"
    path.write_bytes(package_bytes(read.data, []))
    ended = run("check", path)
    assert (1, True) == (ended.exit_code, "FAILED claims.proof_missing" in ended.output)
    told = json.loads(run("check", path, "--json").output)
    assert ["claims.proof_missing"] == [one["code"] for one in told["failures"]]
    assert 1 == run("check", tmp_path / "none.zip").exit_code
    assert 2 == run("check", path, "--node", "bitcoin-regtest").exit_code
    silent = run("check", made["package"], "--node", f"{BTC}=http://127.0.0.1:1")
    assert (1, True) == (silent.exit_code, "FAILED node.silent" in silent.output)


def test_a_nodes_address_may_stand_in_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    made = json.loads(run("make", "--operator", OPERATOR, "--json").output)
    secret = tmp_path / "node"
    secret.write_text("http://user:password@127.0.0.1:1\n")
    ended = run("check", made["package"], "--node", f"{BTC}=@{secret}")
    assert "FAILED node.silent" in ended.output
    assert "password" not in ended.output


def test_make_waits_for_offline_signers_and_goes_on(
    run: Callable[..., Result],
    world: World,
    tmp_path: Path,
    doors: dict[str, HotSigner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everyone = dict(world.context.doors)
    world.context.doors.pop("hot-b")  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "tests.integration.test_reserves_publishing.context_of", offline_context(everyone)
    )
    folder = tmp_path / "p"
    first = run("make", folder, "--operator", OPERATOR)
    assert 1 == first.exit_code
    assert "hot-b for bitcoin-hot: carry" in first.output
    told = json.loads(run("make", folder, "--operator", OPERATOR, "--json").output)
    for number, row in enumerate(told["waiting"]):
        sealed = Sealed.decode(Path(row["request"]).read_bytes(), REQUEST)
        answer = tmp_path / f"{number}.sa1"
        answer.write_bytes(everyone["hot-b"].sign(sealed).data)
        kept = run("answer", folder, answer)
        assert f"Kept the answer of hot-b for {row['source']}" in kept.output
    last = run("make", folder, "--operator", OPERATOR)
    assert 0 == last.exit_code, last.output
    assert "Everything that was checked holds." in last.output
    world.context.doors.update(everyone)  # type: ignore[attr-defined]


def offline_context(doors: dict[str, Any]) -> Callable[..., ReservesContext]:
    """The context of a world in which `hot-b` answers by files."""
    real = context_of

    def made(world: World, **changes: Any) -> ReservesContext:
        world.context.doors.update(doors)  # type: ignore[attr-defined]
        context = real(world, **changes)
        return replace(context, doors={n: d for n, d in doors.items() if n != "hot-b"})

    return made


def test_staff_approve_with_their_own_key(run: Callable[..., Result], tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("a long passphrase\n")
    create_staff_key(tmp_path / "anna.json", "anna", "a long passphrase", os.urandom)
    folder = tmp_path / "p"
    first = run("make", folder, "--operator", OPERATOR, "--approvals", "1")
    assert isinstance(first.exception, ApprovalsMissing)
    done = run("approve", folder, "--key", tmp_path / "anna.json", "--passphrase-file", secret)
    assert 0 == done.exit_code, done.output
    publication = Publication.open(folder)
    assert check_words(publication.digest) in done.output
    assert f"anna approved {len(asks_of(publication))} requests" in done.output


# While the service runs, its process alone has the hot signers' homes


class Locked:
    """A signer whose home another process has open: it never answers."""

    def __init__(self, signer_id: str) -> None:
        self.signer_id = signer_id

    def sign(self, request: Any) -> Any:
        raise SignerSilent("got the end of the signer's output, expected an answer")

    recall = sign


def test_the_running_service_asks_hot_signers_for_the_command(
    world: World, alice: str, tmp_path: Path
) -> None:
    root = tmp_path / "reserves"
    context, publication = prepared(world, root / "p")
    outside = replace(context, doors={name: Locked(name) for name in context.doors})
    assert Signing(outside, publication).sign()
    with pytest.raises(Unsigned):
        publish(outside, publication)
    answer_waiting(context, root)
    assert [] == Signing(outside, publication).sign()
    publish(outside, publication)
    requests = {path.read_bytes() for path in (root / "p" / "requests").iterdir()}
    answer_waiting(context, root)
    assert requests == {path.read_bytes() for path in (root / "p" / "requests").iterdir()}


def test_the_service_asks_nothing_that_nobody_requested(
    world: World, alice: str, tmp_path: Path
) -> None:
    context, _ = prepared(world, tmp_path / "reserves" / "p")
    answer_waiting(context, tmp_path / "reserves")
    answer_waiting(context, tmp_path / "nothing")
    assert [] == list((tmp_path / "reserves" / "p" / "requests").iterdir())


def test_a_silent_signer_may_have_signed_and_is_not_asked_anew(
    world: World, alice: str, tmp_path: Path
) -> None:
    context, publication = prepared(world, tmp_path / "p")
    outside = replace(context, doors={name: Locked(name) for name in context.doors})
    Signing(outside, publication).sign()
    before = {path.read_bytes() for path in (tmp_path / "p" / "requests").iterdir()}
    world.keep.clock.time_s += HOT_LIFE_S
    assert Signing(outside, publication).sign()
    assert before == {path.read_bytes() for path in (tmp_path / "p" / "requests").iterdir()}


def test_an_answer_to_a_request_that_was_given_up_is_no_answer(
    world: World, alice: str, tmp_path: Path
) -> None:
    context, publication = prepared(world, tmp_path / "p")
    Signing(context, publication).sign()
    first = next((tmp_path / "p" / "answers").iterdir())
    stale, name = first.read_bytes(), first.name
    other = prepare(context, tmp_path / "q", operator=OPERATOR)
    Signing(context, other)
    (tmp_path / "q" / "answers" / name).write_bytes(stale)
    assert [] == Signing(context, other).sign()
    publish(context, other)


def test_the_command_waits_for_hot_signers_only() -> None:
    def waiting(offline: bool) -> signing.Waiting:
        return signing.Waiting(source="s", signer="a", is_offline=offline, request=Path("r"))

    slept: list[int] = []
    answers = [[waiting(False)], [waiting(False), waiting(True)], [waiting(True)]]
    assert [waiting(True)] == command.asked(lambda: answers.pop(0), 9, slept.append)
    assert [1, 1] == slept
    assert [waiting(False)] == command.asked(lambda: [waiting(False)], 2, slept.append)
    assert [1] * 4 == slept

"""A signer goes on with a ledger that went back where its own roster approved exactly that."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from policies.difference import Effect, effect_of
from signer.config import ConfigError, load_config
from signer.errors import ProtocolError
from signer.home import Home
from signer.ledger_heads import check_ledger_head
from signer.log import Log
from signer.protocol import (
    APPROVAL,
    Approval,
    ApprovedRollback,
    LedgerHead,
    LedgerRollback,
    Result,
    SignAnswer,
    SignRequest,
    digest,
    dump,
    identity_sign,
    load,
)
from tests.signer_world import (
    CONFIG,
    NOW_S,
    POLICY,
    STAFF,
    World,
    a_withdrawal,
    answer_of,
    engine,
    sealed,
)

HASHES = {height: bytes([height]) * 32 for height in range(1, 20)}
DAY_S = 86_400


def head(height: int, time_s: int = NOW_S, state_hash: bytes = b"") -> LedgerHead:
    return LedgerHead(height=height, state_hash=state_hash or HASHES[height], time_s=time_s)


ROLLBACK = LedgerRollback(
    id="r1",
    tag="before",
    after=5,
    after_hash=HASHES[5],
    to=9,
    to_hash=HASHES[9],
    image=b"i" * 32,
    requester="carol",
    created_s=NOW_S - 50,
    expires_s=NOW_S - 50 + DAY_S,
)


def yes(name: str, rollback: LedgerRollback, time_s: int = NOW_S, seed: bytes = b"") -> Approval:
    body = Approval.body_of(name, rollback.digest, time_s)
    return Approval(body=body, sig=identity_sign(seed or STAFF[name], digest(APPROVAL, body)))


def approved(rollback: LedgerRollback = ROLLBACK, *names: str) -> ApprovedRollback:
    approvals = tuple(yes(name, rollback) for name in names or ("alice", "bob"))
    return ApprovedRollback(rollback=rollback, approvals=approvals)


def ask(home: Home, name: str, said: LedgerHead, *rollbacks: ApprovedRollback) -> SignAnswer:
    request = a_withdrawal(home, name, ledger_head=said, rollbacks=rollbacks)
    return answer_of(engine(home).sign(sealed(request)), home)


def asking_for(world: World, quorum: int) -> Home:
    home = world.open("hot")
    home.configure(f"rollback_quorum = {quorum}\n{CONFIG}".encode(), POLICY.encode(), NOW_S)
    return home


@pytest.fixture
def home(world: World) -> Iterator[Home]:
    """It wants two approvals, and has signed with height 9."""
    home = asking_for(world, 2)
    assert ask(home, "w0", head(9)).result is Result.SIGNED
    yield home
    home.close()


BACK = head(5, NOW_S + 1)


def last_logged(home: Home) -> Mapping[str, Any]:
    """The last record: who asks is told of approvals only that they are not enough."""
    copy = Log(home.path / "log", home.path / "mark")
    found = list(copy.replay())
    copy.close()
    return found[-1].data


def test_an_approved_rollback_is_accepted_once_and_kept_in_the_log(
    home: Home, world: World
) -> None:
    assert ask(home, "w1", BACK).code == "ledger.went_back"
    assert ask(home, "w2", BACK, approved()).result is Result.SIGNED
    assert home.state.ledger_head == BACK
    kept = last_logged(home)["ledger_rollback"]
    assert kept == [[ROLLBACK.digest, ["alice", "bob"]]]
    home.close()

    again = world.open("hot")
    assert again.state.ledger_head == BACK
    # The ledger goes on from there, requests that were made before are late, and a second time
    # the same approvals take nothing back.
    assert ask(again, "w3", head(8, NOW_S - 1, b"o" * 32)).result is Result.SIGNED
    assert again.state.ledger_head == BACK
    assert ask(again, "w4", head(7, NOW_S + 2, b"n" * 32), approved()).result is Result.SIGNED
    assert ask(again, "w5", head(6, NOW_S + 3), approved()).code == "ledger.rollback_used"
    again.close()


def test_the_person_reads_it(home: Home) -> None:
    request = a_withdrawal(home, "w1", ledger_head=BACK, rollbacks=(approved(),))
    lines = engine(home).review(sealed(request)).lines
    assert any(
        "THE LEDGER WENT BACK from height 9 to 5, approved by alice, bob" in x for x in lines
    )


def test_another_history_at_the_same_height_is_explained_as_well(home: Home) -> None:
    other = head(9, NOW_S + 1, b"n" * 32)
    assert ask(home, "w1", other).code == "ledger.rewritten"
    assert ask(home, "w2", other, approved()).result is Result.SIGNED


def test_the_one_that_explains_is_found_among_others(home: Home) -> None:
    later = replace(ROLLBACK, id="r2", after=6, after_hash=HASHES[6], to=8, to_hash=HASHES[8])
    assert ask(home, "w1", head(7, NOW_S + 1), approved(later), approved()).result is Result.SIGNED


DIFFERENT = [
    pytest.param({"to": 8, "to_hash": HASHES[8]}, BACK, id="ends below what is known"),
    pytest.param({"to_hash": b"x" * 32}, BACK, id="ends at another hash"),
    pytest.param({"after": 9, "to": 12, "after_hash": HASHES[9]}, BACK, id="above what is known"),
    pytest.param({}, head(4, NOW_S + 1), id="below its floor"),
    pytest.param({}, head(5, NOW_S + 1, b"x" * 32), id="its floor with another hash"),
    pytest.param({"created_s": NOW_S - 99, "expires_s": NOW_S}, BACK, id="over when 9 was signed"),
]


@pytest.mark.parametrize(("changes", "said"), DIFFERENT)
def test_a_rollback_of_other_heights_explains_nothing(
    home: Home, changes: dict[str, object], said: LedgerHead
) -> None:
    other = replace(ROLLBACK, **changes)  # type: ignore[arg-type]
    assert ask(home, "w1", said, approved(other)).code == "ledger.went_back"


def test_a_ledger_rewritten_at_the_same_time_is_not_explained(home: Home) -> None:
    other = head(9, NOW_S, b"n" * 32)
    assert ask(home, "w1", other, approved()).code == "ledger.rewritten"


REFUSED = [
    pytest.param([yes("alice", ROLLBACK)], "ledger.rollback_quorum", id="one"),
    pytest.param([], "ledger.rollback_quorum", id="none"),
    pytest.param([yes("alice", ROLLBACK)] * 2, "approval.twice", id="one twice"),
    pytest.param(
        [yes("alice", ROLLBACK), yes("carol", ROLLBACK)], "approval.by_requester", id="who asked"
    ),
    pytest.param(
        [yes("alice", ROLLBACK), yes("eve", ROLLBACK, seed=b"e" * 32)],
        "approval.unknown_person",
        id="a stranger",
    ),
    pytest.param(
        [yes("alice", ROLLBACK), yes("bob", ROLLBACK, seed=b"e" * 32)],
        "approval.bad_signature",
        id="another's signature",
    ),
    pytest.param(
        [yes("alice", ROLLBACK), yes("bob", replace(ROLLBACK, id="r2"))],
        "approval.other_intent",
        id="of another rollback",
    ),
    pytest.param(
        [yes("alice", ROLLBACK), yes("bob", ROLLBACK, ROLLBACK.created_s - 1)],
        "approval.time",
        id="before it was asked",
    ),
    pytest.param(
        [yes("alice", ROLLBACK), yes("bob", ROLLBACK, ROLLBACK.expires_s + 1)],
        "approval.time",
        id="after its time",
    ),
]


@pytest.mark.parametrize(("approvals", "code"), REFUSED)
def test_each_approval_is_checked_here(home: Home, approvals: list[Approval], code: str) -> None:
    one = ApprovedRollback(rollback=ROLLBACK, approvals=tuple(approvals))
    assert ask(home, "w1", BACK, one).result is Result.REFUSED
    assert last_logged(home)["code"] == code
    assert home.state.ledger_head == head(9)


def test_without_a_quorum_no_rollback_is_believed(world: World) -> None:
    home = asking_for(world, 0)
    ask(home, "w0", head(9))
    assert ask(home, "w1", BACK, approved()).code == "ledger.went_back"
    home.close()


def test_what_is_not_contradicted_needs_no_rollback(home: Home) -> None:
    roster, state = home.activated().roster, home.state
    bad = ApprovedRollback(rollback=ROLLBACK, approvals=())
    assert check_ledger_head(head(10, NOW_S + 1), (bad,), state, roster, 2) is None
    assert check_ledger_head(None, (bad,), state, roster, 2) is None


def test_the_quorum_is_within_the_roster_and_zero_is_the_strictest() -> None:
    with pytest.raises(ConfigError, match="rollback_quorum"):
        load_config(f"rollback_quorum = 4\n{CONFIG}".encode(), POLICY.encode())
    assert effect_of("rollback_quorum", 0, 2) is Effect.LOOSER
    assert effect_of("rollback_quorum", 2, 0) is Effect.TIGHTER
    assert effect_of("rollback_quorum", 2, 1) is Effect.LOOSER


def test_it_travels_as_it_was_and_is_left_out_where_there_is_none(hot: Home) -> None:
    request = a_withdrawal(hot)
    assert "rollbacks" not in load(request.encode(), "request")
    whole = replace(request, rollbacks=(approved(), approved(replace(ROLLBACK, id="r2"))))
    assert SignRequest.decode(whole.encode()) == whole


APPROVALS = [[one.body, one.sig] for one in approved().approvals]
GOOD = [ROLLBACK.encode(), APPROVALS]


@pytest.mark.parametrize(
    "value",
    [
        [],
        [[]],
        [GOOD[:1]],
        [[*GOOD, 1]],
        [[GOOD[0], 1]],
        [[GOOD[0], [[b"a"]]]],
        [[GOOD[0], [1]]],
        [[GOOD[0], [[b"a", b"b"]]]],
        [[GOOD[0], APPROVALS * 51]],
        [[b"a", GOOD[1]]],
        [[replace(ROLLBACK, to=5).encode(), GOOD[1]]],
        [[replace(ROLLBACK, image=b"i").encode(), GOOD[1]]],
        [GOOD] * 9,
    ],
)
def test_rollbacks_of_another_shape_are_refused(hot: Home, value: object) -> None:
    body = {**load(a_withdrawal(hot).encode(), "request"), "rollbacks": value}
    with pytest.raises(ProtocolError):
        SignRequest.decode(dump(body))

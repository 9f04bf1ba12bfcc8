"""The watcher follows work and rules, not a node's word: one test for each lie about headers."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from chains.headers import (
    BrokenChain,
    HeaderError,
    LessWork,
    TooEarly,
    TooLate,
    WrongDifficulty,
    WrongStart,
)
from chains.types import BlockRef
from tests.header_world import NOW_S, START_S, Clock, Following, Headers, node_of
from wallet.deposits.following import Follower
from wallet.deposits.watcher import Seen
from wallet.events import read_events
from wallet.store.database import Database
from wallet.store.schema import blocks

REGTEST = "bitcoin-regtest"


@pytest.fixture
def node() -> Headers:
    node = node_of(REGTEST)
    node.mine(20)
    return node


@pytest.fixture
def following(node: Headers, database: Database) -> Following:
    following = Following(node, database)
    assert following.follow() == 19
    return following


def _at(height: int, change: Callable[[BlockRef], BlockRef]) -> Callable[[BlockRef], BlockRef]:
    return lambda ref: change(ref) if ref.height == height else ref


LIES: list[tuple[type[HeaderError], Callable[[BlockRef], BlockRef]]] = [
    (WrongDifficulty, lambda ref: replace(ref, bits=0x1F00FFFF)),
    (TooEarly, lambda ref: replace(ref, time_s=START_S)),
    (TooLate, lambda ref: replace(ref, time_s=NOW_S + 7201)),
    (BrokenChain, lambda ref: replace(ref, parent="ab" * 32)),
]


@pytest.mark.parametrize(("error", "change"), LIES)
def test_a_lie_about_a_header_stops_the_scan(
    following: Following,
    error: type[HeaderError],
    change: Callable[[BlockRef], BlockRef],
) -> None:
    node = following.node
    node.mine(2)
    node.change = _at(20, change)

    with pytest.raises(error):
        following.follow()
    node.change = lambda ref: ref
    assert following.follow() == 21


def test_the_pinned_first_block_must_be_the_one(node: Headers, database: Database) -> None:
    with pytest.raises(WrongStart):
        Following(node, database, start_height=5, start_hash="cd" * 32).follow()
    pinned = Following(node, database, start_height=5, start_hash=node.refs[5].hash)

    assert pinned.follow() == 19


def test_a_block_that_was_scanned_before_it_was_pinned_is_held_against_the_pin(
    following: Following,
) -> None:
    following.node.mine()
    following.start_hash = "cd" * 32
    following.restart()

    with pytest.raises(WrongStart):
        following.follow()


def test_a_chain_that_changes_between_two_questions_is_no_lie(following: Following) -> None:
    node = following.node
    node.mine()
    # The next block names a new parent, which the node already shows in place of the old one.
    old = node.refs[19]
    new = replace(old, hash="ef" * 32)
    node.refs[20] = replace(node.refs[20], parent=new.hash)
    shown = iter([old])
    node.change = lambda ref: next(shown, new) if ref.height == 19 else ref

    assert following.watcher.step().seen is Seen.SAME


def test_more_work_is_followed(following: Following) -> None:
    node = following.node
    del node.refs[-3:]
    node.mine(4, salt="rival")

    assert following.follow() == 20
    with following.database.read() as tx:
        top = select(blocks.c.hash).order_by(blocks.c.height.desc()).limit(1)
        assert tx.execute(top).scalar_one() == node.refs[-1].hash


@pytest.mark.parametrize("mined", [2, 3])
def test_a_branch_without_more_work_is_not_followed(following: Following, mined: int) -> None:
    node = following.node
    ours = node.refs[-1].hash
    del node.refs[-3:]
    node.mine(mined, salt="rival")

    with pytest.raises(LessWork):
        following.follow()
    with following.database.read() as tx:
        assert tx.execute(select(blocks.c.hash).where(blocks.c.height == 19)).scalar_one() == ours
    node.mine(2, salt="rival")
    assert following.follow() == node.refs[-1].height


def test_a_lagging_node_is_waited_for(following: Following) -> None:
    late = following.node.refs[-2:]
    del following.node.refs[-2:]

    assert following.watcher.step().seen is Seen.SAME
    following.node.refs += late
    assert following.follow() == 19


def test_a_rival_branch_is_judged_before_anything_is_undone(following: Following) -> None:
    node = following.node
    del node.refs[-3:]
    node.mine(9, bits=0x207FFFFE, salt="cheap")

    with pytest.raises(WrongDifficulty):
        following.follow()
    node.change = _at(18, lambda ref: replace(ref, parent="ab" * 32))
    for ref in list(node.refs[17:]):
        node.refs[ref.height] = replace(ref, bits=node.params.pow_limit_bits)
    with pytest.raises(BrokenChain):
        following.follow()
    with following.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(blocks)).scalar_one() == 20


def test_a_rival_of_the_whole_scanned_chain_must_begin_with_the_pinned_block(
    node: Headers, database: Database
) -> None:
    following = Following(node, database, start_hash=node.refs[0].hash)
    following.follow()
    node.refs.clear()
    node.mine(25, salt="rival")

    with pytest.raises(WrongStart):
        following.follow()
    following.start_hash = ""
    following.restart()
    assert following.follow() == 24


def test_the_first_target_after_the_start_is_computed_from_blocks_before_it(
    database: Database,
) -> None:
    node = node_of("bitcoin")
    node.step_s = 300
    node.mine(4040)
    following = Following(node, database, start_height=4025)

    assert following.follow() == 4039
    assert node.refs[4032].bits != node.refs[4031].bits


def test_blocks_before_the_start_are_proven_by_their_names(database: Database) -> None:
    node = node_of("bitcoin")
    node.step_s = 300
    node.mine(4033)
    # An earlier block that would make the period look longer and so the next target easier.
    node.change = _at(2016, lambda ref: replace(ref, hash="ab" * 32, time_s=START_S))

    with pytest.raises(BrokenChain):
        Following(node, database, start_height=4025).follow()


def test_a_wrong_target_after_a_period_is_found_out_after_a_restart_too(
    database: Database,
) -> None:
    node = node_of("bitcoin")
    node.step_s = 300
    node.mine(2016)
    following = Following(node, database, start_height=2000)
    following.follow()
    following.restart()
    node.mine(1, bits=node.refs[-1].bits)

    with pytest.raises(WrongDifficulty):
        following.follow()


def test_validators_decide_where_there_is_no_work(node: Headers, database: Database) -> None:
    following = Following(node, database, proves_work=False)
    following.follow()
    del node.refs[-3:]
    node.mine(3, bits=0, salt="rival")

    assert following.follow() == 19
    node.mine()
    node.change = _at(20, lambda ref: replace(ref, parent="ab" * 32))
    with pytest.raises(BrokenChain):
        following.follow()


def test_a_lying_node_is_told_of_once_until_it_is_believed_again(following: Following) -> None:
    node = following.node
    follower = Follower(node, following.watcher, following.database, Clock())  # type: ignore[arg-type]
    follower.run()
    node.mine(2)
    node.change = _at(20, lambda ref: replace(ref, bits=0x1F00FFFF))
    for _ in range(2):
        with pytest.raises(WrongDifficulty):
            follower.run()
    assert _told(following) == ["alert.scan_stopped"]
    node.change = lambda ref: ref
    follower.run()
    follower.run()

    assert _told(following) == ["alert.scan_stopped", "scan.resumed"]
    with following.database.read() as tx:
        body = read_events(tx, 0, 100)[0].body
    assert "header.wrong_difficulty" in body


def _told(following: Following) -> list[str]:
    with following.database.read() as tx:
        return [event.type for event in read_events(tx, 0, 100)]

"""A signer that was put back or copied notices it by what requests relay of its own answers."""

import shutil
from dataclasses import replace

import pytest

from signer.errors import ProtocolError
from signer.home import Home
from signer.protocol import (
    LedgerHead,
    Result,
    SignAnswer,
    SignerState,
    SignRequest,
    WindowSum,
    dump,
    load,
)
from tests.signer_world import (
    NOW_S,
    World,
    a_withdrawal,
    an_evm_withdrawal,
    answer_of,
    engine,
    sealed,
)

DAY_S, WEEK_S = 86_400, 604_800


def signed(home: Home, name: str, *states: SignerState, now_s: int = NOW_S) -> SignAnswer:
    request = a_withdrawal(home, name, prev_state=states, created_s=now_s, expires_s=now_s + 600)
    intents = tuple(
        replace(one, created_s=now_s, expires_s=now_s + 3600) for one in request.intents
    )
    request = replace(request, intents=intents)
    return answer_of(engine(home, now_s).sign(sealed(request)), home)


def test_an_answer_says_how_far_the_log_is_and_what_was_spent(hot: Home) -> None:
    first = signed(hot, "w1")
    second = signed(hot, "w2")
    later = signed(hot, "w3", now_s=NOW_S + DAY_S)

    assert first.windows == (
        WindowSum(seconds=DAY_S, units=100_000_000),
        WindowSum(seconds=WEEK_S, units=100_000_000),
    )
    assert [window.units for window in second.windows] == [200_000_000, 200_000_000]
    assert [window.units for window in later.windows] == [100_000_000, 300_000_000]
    assert second.counter == first.counter + 1
    assert hot.log.head_before(second.counter) == second.log_head


def test_sums_are_of_one_flow(hot: Home) -> None:
    signed(hot, "w1")
    answer = answer_of(engine(hot).sign(sealed(an_evm_withdrawal(hot))), hot)

    assert [window.units for window in answer.windows] == [10**18, 10**18]


def test_a_refusal_tells_no_sums(hot: Home) -> None:
    signed(hot, "w1")

    assert signed(hot, "w1").windows == ()


def test_a_signer_that_is_where_it_was_signs_on(hot: Home) -> None:
    first = signed(hot, "w1")
    second = signed(hot, "w2", first.state)
    assert signed(hot, "w3", first.state).result is Result.SIGNED
    assert signed(hot, "w4", second.state).result is Result.SIGNED


def test_a_signer_that_was_put_back_refuses(world: World) -> None:
    """Both files of an old day are put back: alone it could not notice."""
    shutil.copytree(world.root / "hot", world.root / "old")
    home = world.open("hot")
    said = signed(home, "w1").state
    home.close()
    shutil.rmtree(world.root / "hot")
    (world.root / "old").rename(world.root / "hot")

    home = world.open("hot")
    assert signed(home, "w2", said).code == "state.rolled_back_elsewhere"
    home.close()


def test_a_signer_that_exists_twice_refuses(world: World) -> None:
    shutil.copytree(world.root / "hot", world.root / "twin")
    home = world.open("hot")
    signed(home, "w1")
    said = signed(home, "w2").state
    home.close()

    twin = world.open("twin")
    signed(twin, "w3")
    assert signed(twin, "w4").counter == said.counter
    assert signed(twin, "w5", said).code == "state.cloned"
    twin.close()


def test_a_number_that_no_answer_ever_had_is_refused(hot: Home) -> None:
    none = SignerState(signer_id="hot", counter=0, log_head=bytes(32))

    assert signed(hot, "w1", none).code == "state.cloned"


def test_a_sibling_with_two_heads_is_noticed_also_after_a_restart(world: World) -> None:
    said = SignerState(signer_id="hot-b", counter=7, log_head=b"\x01" * 32)
    home = world.open("hot")
    assert signed(home, "w1", said).result is Result.SIGNED
    assert signed(home, "w2", said).result is Result.SIGNED
    home.close()

    home = world.open("hot")
    other = replace(said, log_head=b"\x02" * 32)
    assert signed(home, "w3", other).code == "state.sibling_cloned"
    # Older news is no contradiction: requests are made side by side.
    assert signed(home, "w4", replace(other, counter=6)).result is Result.SIGNED
    assert signed(home, "w5", replace(said, counter=8)).result is Result.SIGNED
    home.close()


HEAD = LedgerHead(height=7, state_hash=b"\x07" * 32, time_s=NOW_S)


def with_head(home: Home, name: str, head: LedgerHead) -> SignAnswer:
    return answer_of(engine(home).sign(sealed(a_withdrawal(home, name, ledger_head=head))), home)


def test_a_ledger_that_goes_back_or_is_another_is_noticed_also_after_a_restart(
    world: World,
) -> None:
    home = world.open("hot")
    assert with_head(home, "w1", HEAD).result is Result.SIGNED
    assert with_head(home, "w2", HEAD).result is Result.SIGNED
    home.close()

    home = world.open("hot")
    assert home.state.ledger_head == HEAD
    other = replace(HEAD, state_hash=b"\x08" * 32)
    assert with_head(home, "w3", other).code == "ledger.rewritten"
    back = replace(HEAD, height=6, time_s=NOW_S + 1)
    assert with_head(home, "w4", back).code == "ledger.went_back"
    # What was refused is not believed, and older news is no contradiction.
    assert with_head(home, "w5", replace(back, time_s=NOW_S - 9)).result is Result.SIGNED
    on = replace(HEAD, height=9, time_s=NOW_S + 2)
    assert with_head(home, "w6", on).result is Result.SIGNED
    assert with_head(home, "w7", replace(HEAD, time_s=NOW_S + 3)).code == "ledger.went_back"
    assert home.state.ledger_head == on
    home.close()


@pytest.mark.parametrize(
    "value",
    [
        [],
        [7, b"\x07" * 32],
        [7, b"\x07" * 31, 1],
        [0, b"\x07" * 32, 1],
        [b"7", b"\x07" * 32, 1],
        [7, "7" * 32, 1],
        [7, b"\x07" * 32, -1],
        [7, b"\x07" * 32, 1, 1],
    ],
)
def test_heads_of_another_shape_are_refused(hot: Home, value: object) -> None:
    body = {**load(a_withdrawal(hot).encode(), "request"), "ledger_head": value}

    with pytest.raises(ProtocolError):
        SignRequest.decode(dump(body))


def test_a_head_is_left_out_where_there_is_none(hot: Home) -> None:
    request = a_withdrawal(hot)
    assert "ledger_head" not in load(request.encode(), "request")
    whole = replace(request, ledger_head=HEAD)
    assert SignRequest.decode(whole.encode()) == whole


def test_what_came_later_is_left_out_where_it_is_empty(hot: Home) -> None:
    """So that requests and answers from before read the same, byte for byte."""
    request = a_withdrawal(hot)
    assert "prev_state" not in load(request.encode(), "request")
    said = SignerState(signer_id="a", counter=1, log_head=b"h")
    whole = replace(request, prev_state=(said,))
    assert SignRequest.decode(whole.encode()) == whole
    answer = signed(hot, "w1")
    assert SignAnswer.decode(answer.encode()) == answer
    assert "windows" not in load(replace(answer, windows=()).encode(), "answer")


@pytest.mark.parametrize(
    "value",
    [
        [],
        [["a", 1]],
        ["a"],
        [["a", 1, b""], ["a", 2, b""]],
        [["a", 1, "h"]],
        [[str(i), 1, b""] for i in range(16)],
    ],
)
def test_states_of_another_shape_are_refused(hot: Home, value: object) -> None:
    body = {**load(a_withdrawal(hot).encode(), "request"), "prev_state": value}

    with pytest.raises(ProtocolError):
        SignRequest.decode(dump(body))


@pytest.mark.parametrize("value", [[], [[1]], [1], [[1, "x"]], [[i, 1] for i in range(9)]])
def test_windows_of_another_shape_are_refused(hot: Home, value: object) -> None:
    body = {**load(signed(hot, "w1").encode(), "answer"), "windows": value}

    with pytest.raises(ProtocolError):
        SignAnswer.decode(dump(body))

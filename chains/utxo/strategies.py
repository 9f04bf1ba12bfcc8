"""Ways to choose coins, each a pure function over candidates; `selection` takes the least wasteful.

Values are effective: what a coin is worth after paying for its own input. Waste is what an input
costs now above what it would cost at the long-term feerate; below that rate it is negative, and
spending a coin today is a saving. The strategies are Bitcoin Core's (Murch, "An evaluation of coin
selection strategies"), with largest first beside them because it takes the fewest inputs.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chains.utxo.coins import Coin

SEARCH_STEPS_MAX = 20_000
"""Steps of the search without change; about 20 ms."""

KNAPSACK_STEPS_MAX = 20_000
"""Coins looked at by the knapsack, in all its passes; about 5 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A coin with its effective value and waste, in satoshi."""

    value: int
    waste: int
    coin: Coin


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`target` must be reached; up to `slack` more is cheaper given away than as change."""

    target: int
    slack: int
    inputs_max: int


Choice = tuple[Candidate, ...]
Strategy = Callable[[Sequence[Candidate], Goal, bytes], Choice | None]
"""Candidates come most valuable first, all worth more than nothing; None where nothing fits.

The last argument is a seed: nothing here is secret, and a choice must be explainable later.
"""


def branch_and_bound(pool: Sequence[Candidate], goal: Goal, _: bytes) -> Choice | None:
    """The least wasteful coins that need no change, as far as SEARCH_STEPS_MAX steps find them.

    Depth-first, taking a coin before leaving it, and never below what is still reachable. While
    inputs are a saving, more of them may still fit below the slack.
    """
    reachable = _reachable(pool)
    dear = bool(pool) and pool[0].waste > 0
    best: Choice | None = None
    best_waste = 0
    picked: list[int] = []
    value, waste, at = 0, 0, 0
    for _step in range(SEARCH_STEPS_MAX):
        full = len(picked) == goal.inputs_max or at == len(pool)
        if goal.target <= value < goal.target + goal.slack:
            total = waste + value - goal.target
            if best is None or total < best_waste:
                best, best_waste = tuple(pool[index] for index in picked), total
        if (
            full
            or value >= goal.target + (0 if dear else goal.slack)
            or value + reachable[at] < goal.target
            or (dear and best is not None and waste > best_waste)
        ):
            if not picked:
                break
            at = picked.pop()
            value, waste = value - pool[at].value, waste - pool[at].waste
            # A coin of equal worth would only repeat the branch just left.
            left = pool[at].value
            at += 1
            while at < len(pool) and pool[at].value == left:
                at += 1
        else:
            picked.append(at)
            value, waste = value + pool[at].value, waste + pool[at].waste
            at += 1
    return best


def knapsack(pool: Sequence[Candidate], goal: Goal, seed: bytes) -> Choice | None:
    """Random subsets of the smaller coins that come closest above target and change.

    The smallest single coin above the target wins where no subset comes closer.
    """
    wanted = goal.target + goal.slack
    larger = [one for one in pool if one.value >= wanted]
    smaller = [one for one in pool if one.value < wanted]
    lowest_larger = larger[-1:]
    best: Choice | None = tuple(lowest_larger) if lowest_larger else None
    best_value = lowest_larger[0].value if lowest_larger else 0
    if sum(one.value for one in smaller) < wanted:
        return best
    passes = max(1, min(1000, KNAPSACK_STEPS_MAX // len(smaller)))
    size = -(-len(smaller) // 8)
    noise = hashlib.shake_256(seed).digest(passes * size)
    for step in range(passes):
        coins = int.from_bytes(noise[step * size :][:size], "big")
        chosen: list[Candidate] = []
        value = 0
        for at, one in enumerate(smaller):
            if coins >> at & 1:
                chosen.append(one)
                value += one.value
                if value >= wanted:
                    break
        if value >= wanted and len(chosen) <= goal.inputs_max and (not best or value < best_value):
            best, best_value = tuple(chosen), value
    return best


def single_random_draw(pool: Sequence[Candidate], goal: Goal, seed: bytes) -> Choice | None:
    """Coins in random order until target and change are reached."""

    def drawn(one: Candidate) -> bytes:
        place = f"{one.coin.outpoint.txid}:{one.coin.outpoint.vout}"
        return hashlib.sha256(seed + place.encode()).digest()

    chosen: list[Candidate] = []
    value = 0
    for one in sorted(pool, key=drawn):
        if len(chosen) == goal.inputs_max:
            return None
        chosen.append(one)
        value += one.value
        if value >= goal.target + goal.slack:
            return tuple(chosen)
    return None


def largest_first(pool: Sequence[Candidate], goal: Goal, _: bytes) -> Choice | None:
    """Coins from the largest down until they cover target and change, or at least the target.

    No other choice has fewer inputs, so where this fails nothing fits.
    """
    chosen: list[Candidate] = []
    value = 0
    for one in pool:
        if value >= goal.target + goal.slack or len(chosen) == goal.inputs_max:
            break
        chosen.append(one)
        value += one.value
    return tuple(chosen) if value >= goal.target else None


STRATEGIES: tuple[Strategy, ...] = (
    branch_and_bound,
    knapsack,
    single_random_draw,
    largest_first,
)


def _reachable(pool: Sequence[Candidate]) -> list[int]:
    """What all coins from a place on are worth together."""
    sums = [0]
    for one in reversed(pool):
        sums.append(sums[-1] + one.value)
    sums.reverse()
    return sums

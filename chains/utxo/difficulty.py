"""Which target and which time a header must have after those before it.

A node can invent a cheap chain whose every header meets its own stated target; it cannot invent one
whose targets are those that the rules ask for. Follows Bitcoin Core's `src/pow.cpp` and
`ContextualCheckBlockHeader`, Litecoin's `src/pow.cpp`, and BIP-94 for testnet4.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chains.headers import TooEarly, TooLate, WrongDifficulty
from chains.types import BlockRef
from chains.utxo.params import Difficulty, UtxoParams
from chains.utxo.targets import bits_of, target_of

PERIOD_BLOCKS = 2016
"""Blocks between two changes of the target, on every chain with `Rules.period_s`."""

MEDIAN_BLOCKS = 11
"""A header is later than the median of so many before it (median time past)."""

AHEAD_S_MAX = 2 * 60 * 60
"""Core refuses headers further in the future (MAX_FUTURE_BLOCK_TIME)."""

TIMEWARP_S = 600
"""BIP-94: the first block of a period may not be earlier by more than this."""

Ancestor = Callable[[int], BlockRef]
"""The block at a height below the one that is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a chain sets its target.

    A period should take `period_s`; 0 means that the target never changes. A block that comes
    `easy_after_s` after its parent may have the easiest target of all; 0 is never. `goes_back_one`:
    the period is measured from the block before its first (Litecoin). `bip94`: the new target is
    made from the first block of the period, and time may not warp.
    """

    period_s: int
    easy_after_s: int = 0
    goes_back_one: bool = False
    bip94: bool = False


_TWO_WEEKS_S = 14 * 24 * 60 * 60
_HALF_WEEK_S = 84 * 60 * 60

RULES: Mapping[str, Rules] = {
    Difficulty.BITCOIN: Rules(period_s=_TWO_WEEKS_S),
    Difficulty.BITCOIN_TESTNET: Rules(period_s=_TWO_WEEKS_S, easy_after_s=20 * 60),
    Difficulty.BITCOIN_TESTNET4: Rules(period_s=_TWO_WEEKS_S, easy_after_s=20 * 60, bip94=True),
    Difficulty.LITECOIN: Rules(period_s=_HALF_WEEK_S, goes_back_one=True),
    Difficulty.LITECOIN_TESTNET: Rules(
        period_s=_HALF_WEEK_S, easy_after_s=5 * 60, goes_back_one=True
    ),
    Difficulty.FIXED: Rules(period_s=0),
}
"""Of a chain that is not here any target up to its limit is taken."""


def check_header(params: UtxoParams, block: BlockRef, at: Ancestor, now_s: int) -> None:
    """Raise HeaderError unless `block` may follow the block at the height below it.

    Its own work and its parent's name are checked elsewhere.
    """
    if block.time_s > now_s + AHEAD_S_MAX:
        raise TooLate(f"block {block.hash} is {block.time_s - now_s} s ahead of our clock")
    if block.height == 0:
        return
    first = max(0, block.height - MEDIAN_BLOCKS)
    times = sorted(at(height).time_s for height in range(first, block.height))
    median_s = times[len(times) // 2]
    if block.time_s <= median_s:
        raise TooEarly(f"block {block.hash} has time {block.time_s}, expected above {median_s}")
    rules = RULES.get(params.difficulty)
    if rules is None:
        return
    if rules.bip94 and block.height % PERIOD_BLOCKS == 0:
        least_s = at(block.height - 1).time_s - TIMEWARP_S
        if block.time_s < least_s:
            raise TooEarly(f"block {block.hash} has time {block.time_s}, expected from {least_s}")
    wanted = _bits_wanted(params, rules, block, at)
    if block.bits != wanted:
        raise WrongDifficulty(
            f"block {block.hash} has target bits {block.bits:08x}, expected {wanted:08x}"
        )


def work_of(bits: int) -> int:
    """Hashes that a block of this target takes on average; chains are compared by their sum."""
    return (1 << 256) // (target_of(bits) + 1)


def retargeted(params: UtxoParams, rules: Rules, old_bits: int, took_s: int) -> int:
    """The target bits after a period that took `took_s`, at most four times easier or harder."""
    took_s = min(max(took_s, rules.period_s // 4), rules.period_s * 4)
    target, limit = target_of(old_bits), target_of(params.pow_limit_bits)
    # Litecoin halves large targets first, so that 256 bits suffice, and so loses their last bit.
    halved = rules.goes_back_one and target.bit_length() >= limit.bit_length()
    target = (target >> halved) * took_s // rules.period_s << halved
    return params.pow_limit_bits if target > limit else bits_of(target)


def _bits_wanted(params: UtxoParams, rules: Rules, block: BlockRef, at: Ancestor) -> int:
    if not rules.period_s:
        return params.pow_limit_bits
    last = at(block.height - 1)
    if block.height % PERIOD_BLOCKS:
        if not rules.easy_after_s:
            return last.bits
        if block.time_s > last.time_s + rules.easy_after_s:
            return params.pow_limit_bits
        return _last_real_bits(params, last, at)
    back = PERIOD_BLOCKS
    if rules.goes_back_one and block.height != PERIOD_BLOCKS:
        back += 1
    took_s = last.time_s - at(block.height - back).time_s
    old_bits = at(block.height - PERIOD_BLOCKS).bits if rules.bip94 else last.bits
    return retargeted(params, rules, old_bits, took_s)


def _last_real_bits(params: UtxoParams, last: BlockRef, at: Ancestor) -> int:
    """The period's target, behind blocks that were allowed the easiest one."""
    while last.height % PERIOD_BLOCKS and last.bits == params.pow_limit_bits:
        last = at(last.height - 1)
    return last.bits

"""Which coins to spend: pure, deterministic, by effective value.

First a bounded search for coins that need no change output; if none fit, largest first. Largest
first also takes the fewest inputs, so when it fails nothing would have succeeded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chains.errors import ChainError
from chains.utxo import fees
from chains.utxo.coins import Coin, Payout
from chains.utxo.sources import ScriptSource

SEARCH_STEPS_MAX = 20_000
"""Steps of the search without change; about 20 ms."""

INPUTS_MAX = 400
"""Inputs of one payment; a standard transaction (100,000 vbytes) holds many more."""


class SelectionError(ChainError):
    """A payment that cannot be put together."""

    code = "utxo.unpayable"


class InsufficientFunds(SelectionError):
    """Less money in usable coins than payouts and fee need."""

    code = "utxo.insufficient_funds"

    def __init__(self, needed_sats: int, usable_sats: int) -> None:
        super().__init__(f"got {usable_sats} usable, expected at least {needed_sats} with the fee")
        self.needed_sats = needed_sats
        self.usable_sats = usable_sats


class TooManyInputs(SelectionError):
    """Enough money, in too many small coins: pay less at a time, or consolidate first."""

    code = "utxo.too_many_inputs"


class DustPayout(SelectionError):
    """A payout below what nodes relay."""

    code = "utxo.dust_payout"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendPlan:
    """Coins, outputs (the change last, where there is any) and what the network gets.

    `vsize` is an upper bound, so the feerate paid is at least the one asked for.
    """

    coins: tuple[Coin, ...]
    outputs: tuple[Payout, ...]
    change_units: int
    fee_sats: int
    vsize: int


@dataclass(frozen=True, slots=True)
class _Valued:
    """A coin and what it is worth after paying for its own input."""

    value: int
    coin: Coin


def plan_spend(
    *,
    coins: Sequence[Coin],
    payouts: Sequence[Payout],
    change: Payout,
    vaults: Mapping[str, ScriptSource],
    feerate: int,
    dust_sats: int,
    inputs_max: int = INPUTS_MAX,
) -> SpendPlan:
    """Coins and change for `payouts` at `feerate` (sats per 1000 vbytes).

    `change` says where change goes; its amount is ignored. Raises SelectionError.
    """
    for payout in payouts:
        if payout.sats < dust_sats:
            raise DustPayout(f"got a payout of {payout.sats}, expected at least {dust_sats}")
    inputs_max = min(inputs_max, INPUTS_MAX)
    weights = {name: fees.input_weight(vault) for name, vault in vaults.items()}
    usable = _usable(coins, weights, feerate)
    weight = sum(fees.output_weight(payout.script) for payout in payouts)
    weight += fees.frame_weight(inputs_max, len(payouts) + 1)
    paid = sum(payout.sats for payout in payouts)
    target = paid + fees.fee_sats(fees.vbytes(weight), feerate)
    change_weight = fees.output_weight(change.script)
    change_fee = fees.fee_sats(fees.vbytes(change_weight), feerate)
    chosen = _exact(usable, target, change_fee + dust_sats, inputs_max)
    if chosen is None:
        chosen = _largest_first(usable, target, change_fee + dust_sats, inputs_max)
    weight += sum(weights[coin.place.source] for coin in chosen)
    left = sum(coin.sats for coin in chosen) - paid
    with_change = fees.vbytes(weight + change_weight)
    change_sats = left - fees.fee_sats(with_change, feerate)
    if change_sats < dust_sats:
        return SpendPlan(
            coins=chosen,
            outputs=tuple(payouts),
            change_units=0,
            fee_sats=left,
            vsize=fees.vbytes(weight),
        )
    return SpendPlan(
        coins=chosen,
        outputs=(*payouts, replace(change, sats=change_sats)),
        change_units=change_sats,
        fee_sats=left - change_sats,
        vsize=with_change,
    )


def _usable(coins: Sequence[Coin], weights: Mapping[str, int], feerate: int) -> list[_Valued]:
    """Coins worth more than their own input, the most valuable first, in one fixed order."""
    valued = [
        _Valued(coin.sats - fees.fee_sats(fees.vbytes(weights[coin.place.source]), feerate), coin)
        for coin in coins
    ]
    worth = [one for one in valued if one.value > 0]
    return sorted(worth, key=lambda one: (-one.value, one.coin.outpoint))


def _exact(
    usable: Sequence[_Valued], target: int, slack: int, inputs_max: int
) -> tuple[Coin, ...] | None:
    """Coins worth `target` to `target + slack` together: what is over costs less than change.

    Depth-first, taking a coin before leaving it, and never below what is still reachable.
    """
    reachable = [0]
    for one in reversed(usable):
        reachable.append(reachable[-1] + one.value)
    reachable.reverse()
    picked: list[int] = []
    value, at = 0, 0
    for _ in range(SEARCH_STEPS_MAX):
        if target <= value < target + slack:
            return tuple(usable[index].coin for index in picked)
        hopeless = value >= target or value + reachable[at] < target
        if hopeless or len(picked) == inputs_max or at == len(usable):
            if not picked:
                return None
            at = picked.pop()
            value -= usable[at].value
            # A coin of equal worth would only repeat the branch just left.
            left = usable[at].value
            at += 1
            while at < len(usable) and usable[at].value == left:
                at += 1
        else:
            picked.append(at)
            value += usable[at].value
            at += 1
    return None


def _largest_first(
    usable: Sequence[_Valued], target: int, slack: int, inputs_max: int
) -> tuple[Coin, ...]:
    """Coins from the largest down until they cover `target` and a change output."""
    chosen: list[Coin] = []
    value = 0
    for one in usable:
        if value >= target + slack or len(chosen) == inputs_max:
            break
        chosen.append(one.coin)
        value += one.value
    if value >= target:
        return tuple(chosen)
    whole = sum(one.value for one in usable)
    if whole >= target:
        raise TooManyInputs(f"got {len(usable)} small coins, expected at most {inputs_max}")
    raise InsufficientFunds(needed_sats=target, usable_sats=max(whole, 0))

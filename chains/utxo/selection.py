"""Which coins to spend: pure, deterministic from a seed, by effective value and least waste.

Every strategy proposes; each proposal is also tried with small coins added while block space is
cheap, and the plan that wastes least is taken. Waste (Bitcoin Core's metric): what the inputs cost
now above the long-term feerate, plus the change's output now and its spending later, or without
change what is given away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chains.errors import ChainError
from chains.utxo import fees
from chains.utxo.coins import Coin, Payout
from chains.utxo.sources import ScriptSource
from chains.utxo.strategies import STRATEGIES, Candidate, Choice, Goal

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
    waste_sats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What block space costs: now, and in the long run (sats per 1000 vbytes).

    Up to `consolidate_max` small coins are added to a payment while now is the cheaper time.
    """

    feerate: int
    feerate_long_term: int
    consolidate_max: int = 0


def plan_spend(
    *,
    coins: Sequence[Coin],
    payouts: Sequence[Payout],
    change: Payout,
    vaults: Mapping[str, ScriptSource],
    market: Market,
    dust_sats: int,
    seed: bytes = b"",
    inputs_max: int = INPUTS_MAX,
) -> SpendPlan:
    """The least wasteful coins and change for `payouts`; the same seed gives the same plan.

    `change` says where change goes; its amount is ignored. Raises SelectionError.
    """
    for payout in payouts:
        if payout.sats < dust_sats:
            raise DustPayout(f"got a payout of {payout.sats}, expected at least {dust_sats}")
    inputs_max = min(inputs_max, INPUTS_MAX)
    weights = {name: fees.input_weight(vault) for name, vault in vaults.items()}
    pool = _candidates(coins, weights, market)
    spending = _Spending(payouts, change, weights, market, dust_sats, inputs_max)
    goal = spending.goal
    proposals = [found for way in STRATEGIES if (found := way(pool, goal, seed)) is not None]
    if not proposals:
        whole = sum(one.value for one in pool)
        if whole >= goal.target:
            raise TooManyInputs(f"got {len(pool)} small coins, expected at most {inputs_max}")
        raise InsufficientFunds(needed_sats=goal.target, usable_sats=max(whole, 0))
    plans = [spending.plan(choice) for choice in proposals]
    if market.feerate < market.feerate_long_term:
        plans += [spending.plan(spending.widened(choice, pool)) for choice in proposals]
    return min(plans, key=lambda plan: (plan.waste_sats, len(plan.coins)))


def _candidates(
    coins: Sequence[Coin], weights: Mapping[str, int], market: Market
) -> list[Candidate]:
    """Coins worth more than their own input, the most valuable first, in one fixed order."""
    found = []
    for coin in coins:
        vsize = fees.vbytes(weights[coin.place.source])
        now = fees.fee_sats(vsize, market.feerate)
        later = fees.fee_sats(vsize, market.feerate_long_term)
        if coin.sats > now:
            found.append(Candidate(value=coin.sats - now, waste=now - later, coin=coin))
    return sorted(found, key=lambda one: (-one.value, one.coin.outpoint))


class _Spending:
    """One set of payouts at one price; turns chosen coins into a plan."""

    def __init__(
        self,
        payouts: Sequence[Payout],
        change: Payout,
        weights: Mapping[str, int],
        market: Market,
        dust_sats: int,
        inputs_max: int,
    ) -> None:
        self._payouts = tuple(payouts)
        self._change = change
        self._weights = weights
        self._market = market
        self._dust_sats = dust_sats
        self._paid = sum(payout.sats for payout in payouts)
        self._weight = sum(fees.output_weight(payout.script) for payout in payouts)
        self._weight += fees.frame_weight(inputs_max, len(payouts) + 1)
        self._change_weight = fees.output_weight(change.script)
        target = self._paid + fees.fee_sats(fees.vbytes(self._weight), market.feerate)
        change_fee = fees.fee_sats(fees.vbytes(self._change_weight), market.feerate)
        later = fees.vbytes(max(weights.values(), default=0))
        self._change_cost = change_fee + fees.fee_sats(later, market.feerate_long_term)
        self.goal = Goal(target=target, slack=change_fee + dust_sats, inputs_max=inputs_max)

    def plan(self, choice: Choice) -> SpendPlan:
        """The transaction that spends these coins, with change unless it would be dust."""
        coins = tuple(one.coin for one in choice)
        waste = sum(one.waste for one in choice)
        weight = self._weight + sum(self._weights[coin.place.source] for coin in coins)
        left = sum(coin.sats for coin in coins) - self._paid
        with_change = fees.vbytes(weight + self._change_weight)
        change_sats = left - fees.fee_sats(with_change, self._market.feerate)
        if change_sats < self._dust_sats:
            vsize = fees.vbytes(weight)
            return SpendPlan(
                coins=coins,
                outputs=self._payouts,
                change_units=0,
                fee_sats=left,
                vsize=vsize,
                waste_sats=waste + left - fees.fee_sats(vsize, self._market.feerate),
            )
        return SpendPlan(
            coins=coins,
            outputs=(*self._payouts, replace(self._change, sats=change_sats)),
            change_units=change_sats,
            fee_sats=left - change_sats,
            vsize=with_change,
            waste_sats=waste + self._change_cost,
        )

    def widened(self, choice: Choice, pool: Sequence[Candidate]) -> Choice:
        """The same coins and the smallest others: to be spent some day, and today is cheap."""
        taken = {one.coin.outpoint for one in choice}
        room = min(self._market.consolidate_max, self.goal.inputs_max - len(choice))
        others = [one for one in reversed(pool) if one.coin.outpoint not in taken]
        return (*choice, *others[: max(room, 0)])

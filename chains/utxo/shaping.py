"""Plans that say which coins to spend or how change is cut: pure, never dust."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chains.utxo import fees
from chains.utxo.coins import Coin, Payout
from chains.utxo.selection import DustPayout, InsufficientFunds, SpendPlan
from chains.utxo.sources import ScriptSource


def plan_exact(
    *,
    coins: Sequence[Coin],
    payouts: Sequence[Payout],
    vaults: Mapping[str, ScriptSource],
    feerate: int,
    dust_sats: int,
) -> SpendPlan:
    """Spend exactly these coins on exactly these payouts; what is left is the fee.

    Raises DustPayout, or InsufficientFunds when the rest pays less than `feerate`.
    """
    for payout in payouts:
        if payout.sats < dust_sats:
            raise DustPayout(f"got a payout of {payout.sats}, expected at least {dust_sats}")
    total, paid = sum(coin.sats for coin in coins), sum(payout.sats for payout in payouts)
    sources = [vaults[coin.place.source] for coin in coins]
    vsize = fees.transaction_vsize(sources, [payout.script for payout in payouts])
    needed = paid + fees.fee_sats(vsize, feerate)
    if total < needed:
        raise InsufficientFunds(needed_sats=needed, usable_sats=total)
    return SpendPlan(
        coins=tuple(coins),
        outputs=tuple(payouts),
        change_units=0,
        fee_sats=total - paid,
        vsize=vsize,
        waste_sats=total - needed,
    )


def split_change(
    plan: SpendPlan, sizes: Sequence[int], *, feerate: int, dust_sats: int
) -> tuple[SpendPlan, int]:
    """The same payment with its change cut into coins of `sizes` and a rest, as far as it goes.

    Returns the plan, its change outputs last, and how many they are. The rest is never below the
    smallest size cut nor dust, and what more outputs cost comes out of it.
    """
    if not plan.change_units:
        return plan, 0
    change = plan.outputs[-1]
    weight = fees.output_weight(change.script)
    cuts: list[int] = []
    for size in sizes:
        rest_min = max(dust_sats, min([size, *cuts]))
        cost = fees.fee_sats(fees.vbytes(weight * (len(cuts) + 1)), feerate)
        if size < dust_sats or plan.change_units - sum(cuts) - size - cost < rest_min:
            continue
        cuts.append(size)
    if not cuts:
        return plan, 1
    added = fees.vbytes(weight * len(cuts))
    cost = fees.fee_sats(added, feerate)
    rest = plan.change_units - sum(cuts) - cost
    pieces = tuple(replace(change, sats=sats) for sats in (*cuts, rest))
    split = replace(
        plan,
        outputs=(*plan.outputs[:-1], *pieces),
        change_units=plan.change_units - cost,
        fee_sats=plan.fee_sats + cost,
        vsize=plan.vsize + added,
    )
    return split, len(pieces)

"""What choosing coins costs: a fixed year of 5,000 deposits and 2,000 payments under moving fees.

The figure is the fees paid and what it will cost, at the long-term rate, to spend the coins that
are left. Every way of choosing sees the same deposits, payments and fee curve.
"""

import random  # noqa: TID251 - a fixed story, from a fixed seed
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from chains.types import OutPoint
from chains.utxo import fees
from chains.utxo.coins import Coin, OwnPlace, Payout
from chains.utxo.descriptors import Template
from chains.utxo.selection import Market, plan_spend
from tests.bench.timing import BenchRow
from tests.utxo_world import vault

DEPOSITS = 5_000
PAYMENTS = 2_000
DUST_SATS = 546
LONG_TERM = 12_000
CONSOLIDATE_MAX = 8
WSH = vault(Template.WSH_MULTI)
VAULTS = {WSH.name: WSH}
PLACE = OwnPlace(source=WSH.name, branch=1, index=0)
CHANGE = Payout(script=WSH.script_pubkey_at(1, 0), sats=0)
PAYEE = b"\x00\x14" + bytes(20)
INPUT_VBYTES = fees.vbytes(fees.input_weight(WSH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way of choosing cost in the end, and the smallest change it ever made."""

    fees_sats: int
    coins_left: int
    change_sats_min: int

    @property
    def cost_sats(self) -> int:
        """Fees paid, and spending what is left at the long-term rate."""
        return self.fees_sats + self.coins_left * fees.fee_sats(INPUT_VBYTES, LONG_TERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Coins to spend, what comes back as change, and the fee."""

    coins: Sequence[Coin]
    change_sats: int
    fee_sats: int


Choose = Callable[[Sequence[Coin], int, int], Chosen]
"""Coins, amount to pay and feerate in; the choice out."""


def events() -> Iterator[tuple[int, int]]:
    """The fixed story: deposits (positive) and payments (negative), each with the feerate then."""
    draw = random.Random(20260101)
    total = DEPOSITS + PAYMENTS
    paying = set(draw.sample(range(total // 10, total), PAYMENTS))
    for at in range(total):
        wave = abs(at * 14 % (2 * total) - total) * 40_000 // total
        feerate = 1_000 + wave + draw.randrange(3_000)
        size = draw.choice((10_000, 100_000, 1_000_000, 10_000_000))
        amount = size + draw.randrange(9 * size)
        yield (-amount * 2 if at in paying else amount), feerate


def play(choose: Choose, story: Sequence[tuple[int, int]]) -> Outcome:
    """Live through the story. Raises SelectionError if a payment cannot be made."""
    coins: dict[OutPoint, Coin] = {}
    fees_sats, smallest = 0, 10**18
    for at, (amount, feerate) in enumerate(story):
        made = amount
        if amount < 0:
            chosen = choose(tuple(coins.values()), -amount, feerate)
            for coin in chosen.coins:
                del coins[coin.outpoint]
            fees_sats += chosen.fee_sats
            made = chosen.change_sats
        if made:
            place = OutPoint(f"{at:064x}", 0)
            coins[place] = Coin(outpoint=place, sats=made, place=PLACE, raw_tx=b"")
            smallest = min(smallest, made) if amount < 0 else smallest
    return Outcome(fees_sats=fees_sats, coins_left=len(coins), change_sats_min=smallest)


def ours(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    """The product's own selection."""
    plan = plan_spend(
        coins=coins,
        payouts=[Payout(script=PAYEE, sats=amount)],
        change=CHANGE,
        vaults=VAULTS,
        market=Market(
            feerate=feerate, feerate_long_term=LONG_TERM, consolidate_max=CONSOLIDATE_MAX
        ),
        dust_sats=DUST_SATS,
    )
    return Chosen(coins=plan.coins, change_sats=plan.change_units, fee_sats=plan.fee_sats)


def largest_first(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    """From the largest down until amount and fee are covered."""
    return _in_order(sorted(coins, key=lambda coin: -coin.sats), amount, feerate)


def smallest_first(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    """From the smallest up; coins that cost more than they bring are left."""
    worth = [coin for coin in coins if coin.sats > fees.fee_sats(INPUT_VBYTES, feerate)]
    return _in_order(sorted(worth, key=lambda coin: coin.sats), amount, feerate)


def bitcoinlib_rule(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    """What `bitcoinlib.wallets.Wallet.select_inputs` picks, without its database.

    One coin within the dust of the amount, else the smallest one above it, else the fewest of the
    largest below it. The library tries every combination for the last: that never ends on a wallet
    of this size, but the first that it would find are these.
    """
    wanted = amount + _fee(1, feerate)
    above = sorted((coin for coin in coins if coin.sats >= wanted), key=lambda coin: coin.sats)
    if above:
        return _settled(above[:1], amount, feerate)
    return largest_first(coins, amount, feerate)


def _in_order(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    count, value = 0, 0
    while value < amount + _fee(count, feerate):
        value += coins[count].sats
        count += 1
    return _settled(coins[:count], amount, feerate)


def _settled(coins: Sequence[Coin], amount: int, feerate: int) -> Chosen:
    value = sum(coin.sats for coin in coins)
    with_change = _fee(len(coins), feerate, fees.output_weight(CHANGE.script))
    change = value - amount - with_change
    if change < DUST_SATS:
        return Chosen(coins=coins, change_sats=0, fee_sats=value - amount)
    return Chosen(coins=coins, change_sats=change, fee_sats=with_change)


def _fee(inputs: int, feerate: int, more_weight: int = 0) -> int:
    weight = inputs * fees.input_weight(WSH) + fees.output_weight(PAYEE) + more_weight
    return fees.fee_sats(fees.vbytes(weight + fees.frame_weight(inputs, 2)), feerate)


def rows() -> list[BenchRow]:
    """Ours beside three other ways."""
    story = list(events())
    outcome = play(ours, story)
    row = BenchRow(
        work="choosing coins: fees paid and still to pay, 5,000 deposits, 2,000 payments",
        ours=outcome.cost_sats,
        peer="",
        theirs=1,
        unit="sats",
        aim_ratio=1.0,
    )
    peers = (
        ("largest first", largest_first),
        ("smallest first", smallest_first),
        ("bitcoinlib's rule", bitcoinlib_rule),
    )
    note = f"{outcome.coins_left} coins left, smallest change {outcome.change_sats_min} sats"
    found = [replace(row, peer=name, theirs=play(way, story).cost_sats) for name, way in peers]
    return [replace(found[0], note=note), *found[1:]]

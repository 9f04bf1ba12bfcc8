"""What batching saves: the network's fee for one withdrawal, in a batch and by itself.

The same 500 withdrawals from the same 200 coins at one feerate; only how many share a transaction
differs.
"""

from dataclasses import replace

from chains.types import OutPoint
from chains.utxo.coins import Coin, Payout
from chains.utxo.selection import Market, plan_spend
from tests.bench.bench_select import CHANGE, DUST_SATS, PAYEE, PLACE, VAULTS
from tests.bench.timing import BenchRow

WITHDRAWALS = 500
COINS = 200
FEERATE = 10_000
AMOUNT_SATS = 100_000
COIN_SATS = 2_000_000


def fee_each(batch: int) -> int:
    """Sats of fee a withdrawal, with `batch` of them in a transaction."""
    coins = {
        OutPoint(f"{n:064x}", 0): Coin(
            outpoint=OutPoint(f"{n:064x}", 0), sats=COIN_SATS, place=PLACE, raw_tx=b""
        )
        for n in range(COINS)
    }
    paid = 0
    for at in range(0, WITHDRAWALS, batch):
        plan = plan_spend(
            coins=list(coins.values()),
            payouts=[Payout(script=PAYEE, sats=AMOUNT_SATS)] * min(batch, WITHDRAWALS - at),
            change=CHANGE,
            vaults=VAULTS,
            market=Market(feerate=FEERATE, feerate_long_term=FEERATE),
            dust_sats=DUST_SATS,
        )
        for coin in plan.coins:
            del coins[coin.outpoint]
        if plan.change_units:
            made = OutPoint(f"{COINS + at:064x}", 0)
            coins[made] = Coin(outpoint=made, sats=plan.change_units, place=PLACE, raw_tx=b"")
        paid += plan.fee_sats
    return -(-paid // WITHDRAWALS)


def rows() -> list[BenchRow]:
    """Batches of 10 and 100 beside one withdrawal a transaction."""
    alone = fee_each(1)
    row = BenchRow(
        work="fee of one withdrawal in batches of 100, 2-of-3 at 10 sats per vbyte",
        ours=fee_each(100),
        peer="one by one",
        theirs=alone,
        unit="sats",
        aim_ratio=0.5,
    )
    tens = replace(row, work=row.work.replace("100", "10", 1), ours=fee_each(10))
    return [row, tens]

"""How many confirmed coins of which size shall lie ready, and what is missing. Pure.

A burst of withdrawals can only be paid at once from coins that are confirmed: with one big coin
the second payment waits for the change of the first.
"""

from collections.abc import Sequence

from wallet.settings import CoinClass


def missing_sizes(classes: Sequence[CoinClass], held: Sequence[int]) -> list[int]:
    """The sizes of coins that are missing, the largest first, one entry a coin.

    Each coin held counts once, for the largest class it fills that still wants one.
    """
    wanted = {one.units: one.count for one in classes}
    sizes = sorted(wanted, reverse=True)
    for coin in sorted(held, reverse=True):
        for size in sizes:
            if coin >= size and wanted[size] > 0:
                wanted[size] -= 1
                break
    return [size for size in sizes for _ in range(wanted[size])]


def cuts(classes: Sequence[CoinClass], held: Sequence[int], change_outputs_max: int) -> list[int]:
    """Sizes that a change should be cut into: what is missing, smallest first, bounded.

    The rest of the change is an output too, so one less is cut. The smallest first: they are the
    cheapest way to one more payment at a time.
    """
    missing = sorted(missing_sizes(classes, held))
    return missing[: max(change_outputs_max - 1, 0)]

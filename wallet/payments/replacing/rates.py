"""What a replacement must offer so that nodes take it, and the most that it may: pure numbers.

UTXO fees are sats of a whole transaction (BIP-125: at least the old fee and the relay of its own
size, at a higher rate); EVM fees are wei for each unit of gas, both fields raised (EIP-1559 pools).
"""

from dataclasses import dataclass

from chains.utxo.fees import fee_sats

PPM = 1_000_000
"""Parts per million in a whole."""


class AtCap(Exception):
    """The least that nodes would take is above what may be offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How a bump is sized: `step_ppm` is what we add, `least_ppm` what EVM nodes ask for.

    `relay_rate` is what UTXO nodes ask for relaying a replacement, sats per 1000 vbytes.
    """

    step_ppm: int
    least_ppm: int
    relay_rate: int


def utxo_fee(
    *, step: Step, old_sats: int, old_vsize: int, vsize: int, rate: int, cap_sats: int
) -> int:
    """The fee of a replacement of `vsize` vbytes: `rate` now, and a step above the old one.

    Raises AtCap.
    """
    same_rate = -(-old_sats * vsize // old_vsize)
    least = max(old_sats, same_rate) + max(1, fee_sats(vsize, step.relay_rate))
    wanted = max(least, fee_sats(vsize, rate), _raised(max(old_sats, same_rate), step.step_ppm))
    if least > cap_sats:
        raise AtCap(f"got at least {least} sats, expected at most {cap_sats}")
    return min(wanted, cap_sats)


def evm_fees(
    *, step: Step, old: tuple[int, int], now: tuple[int, int], cap_wei: int
) -> tuple[int, int]:
    """(max fee, priority fee) of a replacement, in wei for each unit of gas. Raises AtCap.

    `old` and `now` are pairs of the same: of the version before, and what the chain asks now.
    """
    least = tuple(max(one + 1, _raised(one, step.least_ppm)) for one in old)
    wanted = [
        max(floor, asked, _raised(before, step.step_ppm))
        for floor, asked, before in zip(least, now, old, strict=True)
    ]
    if least[0] > cap_wei:
        raise AtCap(f"got at least {least[0]} wei, expected at most {cap_wei}")
    max_fee = min(wanted[0], cap_wei)
    return max_fee, max(least[1], min(wanted[1], max_fee))


def _raised(units: int, ppm: int) -> int:
    """A number and a share of it more, rounded up."""
    return -(-units * (PPM + ppm) // PPM)

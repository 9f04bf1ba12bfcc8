"""The fee of an escrow: basis points of what was released, in whole units. Pure arithmetic."""

BASIS_POINTS = 10_000
"""Basis points in a whole."""

FEE_BASIS_POINTS_MAX = 1_000
"""No fee is more than a tenth of what is released."""


def fee_units(released_units: int, basis_points: int) -> int:
    """The fee of all that was released so far, rounded down: the payee never pays a unit more."""
    return released_units * basis_points // BASIS_POINTS


def fee_of_next(released_units: int, next_units: int, basis_points: int) -> int:
    """What the next release pays: in whatever parts money is released, the fees add up the same."""
    after = fee_units(released_units + next_units, basis_points)
    return after - fee_units(released_units, basis_points)

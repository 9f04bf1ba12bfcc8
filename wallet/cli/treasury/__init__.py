"""`glaytos-wallet treasury`: what staff approve and carry, bounds, pauses, breaks, gathers."""

from wallet.cli.treasury.gathers import app

__all__ = ["app"]

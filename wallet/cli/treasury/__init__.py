"""`glaytos-wallet treasury`: what staff approve and carry, the hot bounds, and pauses."""

from wallet.cli.treasury.pauses import app

__all__ = ["app"]

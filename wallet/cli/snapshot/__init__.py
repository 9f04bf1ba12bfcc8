"""`glaytos-wallet snapshot`: images of the ledger, joining from one, and going back to one."""

from wallet.cli.snapshot.rollbacks import app

__all__ = ["app"]

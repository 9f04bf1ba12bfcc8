"""`glaytos-wallet assets`: gateways, what they registered, trust lines, freezes, issues."""

from wallet.cli.assets.accounts import app

__all__ = ["app"]

"""Codecs and node clients of the block chains. Knows no user, ledger, policy or key."""

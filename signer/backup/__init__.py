"""Backups of a seed: SLIP-39 shares, the card that checks them, and BIP-39 words."""

"""Signed bytes on their way to the chain: every attempt written down before a node sees them."""

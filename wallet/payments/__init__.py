"""Payments: one transaction on a chain each, from its bytes before signing to its booking."""

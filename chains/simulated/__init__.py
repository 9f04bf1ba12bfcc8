"""Deterministic chains in this process: nodes that answer RPC, and what can go wrong with them."""

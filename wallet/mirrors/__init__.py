"""Mirrors: images of the ledger at a height, joining from one, and going back to one.

An image holds the state at its height, not the transfers that led there: who joins from it reads
accounts, balances and open holds, and replays only the heights that came after.
"""

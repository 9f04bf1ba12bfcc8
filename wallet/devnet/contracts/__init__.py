"""Contracts of the development chain: Vyper sources and their committed output."""

"""Registered assets: who issues them, who trusts them and how far, and what is frozen."""

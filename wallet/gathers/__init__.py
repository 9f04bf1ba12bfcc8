"""Gathering: what lies on EVM deposit addresses moves to the hot account when that is worth it."""

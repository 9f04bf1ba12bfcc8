"""Tokens of deposits: what really arrived, whose code said so, and what moved without a word."""

"""Contracts that production uses: source, committed bytecode, and how one is made of the other."""

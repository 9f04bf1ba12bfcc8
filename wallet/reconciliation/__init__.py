"""Statements by block and wallet, what they cannot explain, and the books beside them."""

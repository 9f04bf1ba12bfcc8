"""The parts of a user's account (spot, margin, contract) and moving money between them."""

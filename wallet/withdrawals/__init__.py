"""Withdrawals: from a user's request to the hold, the queue and the final state."""

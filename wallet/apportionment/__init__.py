"""Sharing a loss out over those who gained: who bears how much, to the last unit."""

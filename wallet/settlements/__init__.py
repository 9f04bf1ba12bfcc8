"""Settling what a matching engine did: many transfers between users in one call."""

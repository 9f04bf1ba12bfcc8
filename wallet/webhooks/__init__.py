"""Signed webhooks: every event at least once to whoever registered, from the events table."""

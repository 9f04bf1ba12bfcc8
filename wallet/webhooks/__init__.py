"""Signed webhooks: every event, at least once, to whoever registered; the events table is the outbox."""

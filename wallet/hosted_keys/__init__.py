"""Hosted keys (W5): blobs that only their owners can open, and payments that only they can sign."""

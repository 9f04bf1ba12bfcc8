"""Requests that must not be signed, each made from one that is accepted."""

"""Tests. A package by name, because a dependency installs a top-level `tests` of its own."""

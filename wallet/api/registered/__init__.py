"""The routes of gateways and what they registered: assets, trust lines, freezes, issues."""

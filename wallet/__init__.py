"""The online service: ledger, deposits, withdrawals, treasury and API. Holds no private key."""

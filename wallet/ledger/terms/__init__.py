"""The terms that ledger accounts are kept on: the rules, and what was stated of whom."""

"""Deposits: follow each chain block by block, record what reached us, credit it once."""

"""The hot vault's coins as a stock: how many of which size, and which are left alone."""

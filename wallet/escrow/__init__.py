"""Money of one user held for another until a trade between them is done, given up or decided."""

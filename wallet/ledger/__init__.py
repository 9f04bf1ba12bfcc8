"""What users own and where the money is: double entry in base units. Knows no chain and no API."""

"""What users own and where the money is: double entry in base units. Talks to no node."""

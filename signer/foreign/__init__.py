"""What other wallets ask to be signed: shown here in words, and never signed as it comes."""

"""Real BTC, LTC and ETH nodes for development, a faucet, tokens and a Safe."""

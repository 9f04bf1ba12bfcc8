"""From an order to the exact bytes that signers are asked to sign, one builder for each family."""

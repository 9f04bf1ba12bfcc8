"""Bitcoin Secure Multisig Setup (BIP-129): records that make a vault, and who wrote them."""

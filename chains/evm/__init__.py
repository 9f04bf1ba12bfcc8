"""The EVM family: Ethereum and chains like it, ERC-20 tokens and Safe vaults by configuration."""

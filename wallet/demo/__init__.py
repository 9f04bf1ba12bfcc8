"""The story of the product on three real chains, told step by step and checked at the end."""

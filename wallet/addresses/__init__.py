"""The exchange's users and every address of ours. Derives from public keys only; pays nobody."""

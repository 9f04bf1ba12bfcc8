"""The way to the signers: sealed requests out, verified answers back."""

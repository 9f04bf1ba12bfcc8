"""`python -m signer` and the `glaytos-signer` command."""

from signer.cli import main

if __name__ == "__main__":
    main()

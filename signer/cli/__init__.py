"""What a keyholder types: one module for each group of commands, loaded when one is called."""

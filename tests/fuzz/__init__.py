"""Entry points for fuzzing what reads bytes from outside; every `fuzz_*.py` here is one."""

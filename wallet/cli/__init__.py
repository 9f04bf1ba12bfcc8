"""The command line: each module offers one command as `app`."""

"""Pure checks of what a request really does; they raise Refused and never sign."""

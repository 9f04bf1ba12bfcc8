"""One payment in several versions: bytes that conflict, so that at most one of them pays."""

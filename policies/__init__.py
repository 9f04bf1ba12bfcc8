"""Pure decisions: facts in, decision with reasons out. No clock, no I/O, no other package of ours."""

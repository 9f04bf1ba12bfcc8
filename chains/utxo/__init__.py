"""The Bitcoin family: one set of codecs and one node client, told apart by parameters only."""

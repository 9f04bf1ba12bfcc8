"""Treasury: how much stays hot, what moves between hot and cold, and who said yes to it."""

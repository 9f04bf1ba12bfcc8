"""What is owed: accounts cut into salted shares, and trees of them as files."""

"""What block space costs, by many sources, and what it used to cost."""

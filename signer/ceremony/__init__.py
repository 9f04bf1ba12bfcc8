"""Key ceremonies: a plan, its rules, and a transcript signed by the people who were there."""

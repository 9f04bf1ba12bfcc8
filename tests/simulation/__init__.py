"""A whole deployment on simulated chains, driven by seeded schedules of work and misfortune."""

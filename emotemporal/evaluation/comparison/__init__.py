"""Methods on the same clips, every difference with its interval; and the report of it."""

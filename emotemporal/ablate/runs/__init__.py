"""A grid as runs: read, planned, each started as a process of its own."""

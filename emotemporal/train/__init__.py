"""The one loop, and the two jobs that use it."""

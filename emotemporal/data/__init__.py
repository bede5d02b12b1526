"""Data sets to batches."""

"""Intervals, tests and sizes of differences."""

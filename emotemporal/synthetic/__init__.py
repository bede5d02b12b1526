"""Faces we draw ourselves, in the data sets' own layouts, with exact truth over time."""

"""One reader a data set: its files as a validated table."""

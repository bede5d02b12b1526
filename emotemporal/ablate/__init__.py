"""Studies: folds and grids trained, gathered into one table."""

"""The shipped run, ablation and sweep configs, as package data."""

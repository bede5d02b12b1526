"""Changes to face crops: for training, and to see what a network stands."""

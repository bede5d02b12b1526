"""Source to labelled picture, one frame at a time."""

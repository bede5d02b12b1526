"""Where in a frame the face is: detect, track, crop, follow."""

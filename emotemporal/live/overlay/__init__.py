"""What one sees: the picture, its faces labelled."""

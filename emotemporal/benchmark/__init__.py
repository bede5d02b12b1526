"""How fast: interleaved repetitions, medians with their spread, and the limits they are held to."""

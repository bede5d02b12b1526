"""How steady and how prompt labels are, and which smoother to take for it."""

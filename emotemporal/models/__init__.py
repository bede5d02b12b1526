"""Encoder, temporal heads, and the checkpoint that carries them."""

"""Streams of changing expressions, made out of stills."""

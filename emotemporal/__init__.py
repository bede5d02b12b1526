"""Emotion recognition over space and time, from faces in video.

What the models say is the label that annotators would give an expression, not what a person feels.
Importing this package costs nothing; heavy libraries are imported by the rooms that use them.
"""

__version__ = "0.1.0"

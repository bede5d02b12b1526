"""Source to labelled picture, one frame at a time.

>>> from emotemporal.live import recognise                # doctest: +SKIP
>>> table = recognise("film.mp4").to_frame()              # doctest: +SKIP
"""

from emotemporal.inference.predictor import Judgement
from emotemporal.live.recogniser import RecogniseConfig, Recogniser, Recognition, recognise

__all__ = ["Judgement", "RecogniseConfig", "Recogniser", "Recognition", "recognise"]

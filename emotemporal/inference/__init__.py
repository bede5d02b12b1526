"""Model and preprocessing as one: engines, predictors, smoothing.

>>> engine, meta = load_engine("gru.safetensors")            # doctest: +SKIP
>>> prediction = predict_clip(engine, meta, face_clip)       # doctest: +SKIP
"""

from emotemporal.inference.engine import Engine
from emotemporal.inference.load import load_engine
from emotemporal.inference.predictor import Judgement, StreamConfig, StreamPredictor, predict_clip

__all__ = [
    "Engine",
    "Judgement",
    "StreamConfig",
    "StreamPredictor",
    "load_engine",
    "predict_clip",
]

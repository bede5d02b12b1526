"""The `fer` package on a video, in the Python that has it. Run as a script; needs nothing of ours.

    python fer_side.py VIDEO FOLDER_WITH_FER_OR_EMPTY

For each line on standard input the video is gone through once, decoding included, and one line of
JSON says how long that took and what was seen. fer runs its network in TensorFlow's TFLite; where
TensorFlow is missing, the same interpreter is taken from `ai-edge-litert`.
"""

from __future__ import annotations

import json
import sys
import time
import types


def main(video: str, folder: str) -> None:
    """Answer each line until the input ends."""
    if folder:
        sys.path.insert(0, folder)
    told = ""
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        told = _stand_in()
    import cv2
    from fer.fer import FER

    judge = FER()
    for _ in sys.stdin:
        capture, started, frames = cv2.VideoCapture(video), time.perf_counter(), []
        while True:
            is_there, image = capture.read()
            if not is_there:
                break
            frames.append(
                [
                    [[float(x) for x in face["box"]], face["emotions"]]
                    for face in judge.detect_emotions(image)
                ]
            )
        seconds = time.perf_counter() - started
        sys.stdout.write(json.dumps({"seconds": seconds, "frames": frames, "note": told}) + "\n")
        sys.stdout.flush()


def _stand_in() -> str:
    from ai_edge_litert.interpreter import Interpreter

    fake = types.ModuleType("tensorflow")
    fake.lite = types.SimpleNamespace(Interpreter=Interpreter)  # type: ignore[attr-defined]
    keras, models = (
        types.ModuleType("tensorflow.keras"),
        types.ModuleType("tensorflow.keras.models"),
    )
    models.load_model = None  # type: ignore[attr-defined]  # of the Keras file, which is not asked for
    sys.modules |= {
        "tensorflow": fake,
        "tensorflow.keras": keras,
        "tensorflow.keras.models": models,
    }
    return "its TFLite network by ai-edge-litert, without TensorFlow"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")

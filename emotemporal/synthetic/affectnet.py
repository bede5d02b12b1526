"""A drawn AffectNet: many people, one picture each, in either of the official layouts."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from emotemporal.labels import AFFECTNET_8
from emotemporal.synthetic.claim import claim, finish, write_bytes, write_text
from emotemporal.synthetic.expressions import ACTION_UNITS
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.portraits import DrawnImage, SyntheticAffectNetConfig, draw_image
from emotemporal.synthetic.workers import draw_all

CSV_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)


@dataclass(frozen=True)
class _Job:
    root: Path
    config: SyntheticAffectNetConfig
    split: Literal["train", "validation"]
    index: int


Row = dict[str, str]


def write_affectnet(root: Path, config: SyntheticAffectNetConfig, workers: int = 1) -> None:
    """Draw an AffectNet into a folder, in the layout that its readers know.

    Beside it `truth.csv` tells the intensity and the action units of every picture. The same
    config gives the same bytes, whatever the number of workers. Drawn already, it is left alone;
    broken off, it is drawn to its end.

    Args:
        root: Folder; made if it is not there.
        config: What to draw.
        workers: Processes that draw. A script that asks for more than one needs the usual
            `if __name__ == "__main__"`.

    Raises:
        FileExistsError: The folder holds something else.
    """
    record = root / "synthetic_affectnet.json"
    if not claim(record, config, root.is_dir() and any(root.iterdir())):
        return
    jobs = [_Job(root, config, "train", i) for i in range(config.num_images)]
    jobs += [_Job(root, config, "validation", i) for i in range(config.num_validation)]
    rows = list(draw_all(_draw_and_write, jobs, workers, "drawing AffectNet"))
    if config.layout == "csv":
        for split, name in (("train", "training.csv"), ("validation", "validation.csv")):
            chosen = [row for job, row in zip(jobs, rows, strict=True) if job.split == split]
            write_text(root / name, _to_csv(CSV_COLUMNS, chosen))
    truth_columns = ("file", "emotion", "intensity", *ACTION_UNITS)
    write_text(root / "truth.csv", _to_csv(truth_columns, rows))
    finish(record, config)


def _draw_and_write(job: _Job) -> Row:
    drawn = draw_image(job.config, job.split, job.index)
    place = _write_csv_image if job.config.layout == "csv" else _write_npy_image
    file, row = place(job, drawn)
    units = {unit: f"{drawn.actions.get(unit, 0.0):.4f}" for unit in ACTION_UNITS}
    return (
        row
        | {"file": file, "emotion": drawn.emotion.value, "intensity": f"{drawn.intensity:.4f}"}
        | units
    )


def _write_csv_image(job: _Job, drawn: DrawnImage) -> tuple[str, Row]:
    digest = hashlib.sha224(f"{job.config.seed}/{job.split}/{job.index}".encode()).hexdigest()
    name = f"{int(digest[:4], 16) % 40 + 1}/{digest}.jpg"
    path = job.root / "Manually_Annotated_Images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, _encode_jpeg(drawn.picture))
    valence, arousal = drawn.valence_arousal
    box = drawn.box
    x, y = max(0, math.floor(box.x1)), max(0, math.floor(box.y1))
    row = {
        "subDirectory_filePath": name,
        "face_x": str(x),
        "face_y": str(y),
        "face_width": str(min(round(box.x2), job.config.image_px) - x),
        "face_height": str(min(round(box.y2), job.config.image_px) - y),
        "facial_landmarks": ";".join(f"{value:.2f}" for value in drawn.landmarks.ravel()),
        "expression": str(AFFECTNET_8.index(drawn.emotion)),
        "valence": f"{valence:.6f}",
        "arousal": f"{arousal:.6f}",
    }
    return f"Manually_Annotated_Images/{name}", row


def _write_npy_image(job: _Job, drawn: DrawnImage) -> tuple[str, Row]:
    folder = job.root / ("train_set" if job.split == "train" else "val_set")
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "images" / f"{job.index}.jpg", _encode_jpeg(drawn.picture))
    valence, arousal = drawn.valence_arousal
    # The release keeps numbers as strings inside the arrays, and so must we.
    arrays: Mapping[str, np.ndarray] = {
        "exp": np.array(str(AFFECTNET_8.index(drawn.emotion))),
        "val": np.array(f"{valence:.6f}"),
        "aro": np.array(f"{arousal:.6f}"),
        "lnd": drawn.landmarks.ravel(),
    }
    for kind, array in arrays.items():
        content = io.BytesIO()
        np.save(content, array)
        write_bytes(folder / "annotations" / f"{job.index}_{kind}.npy", content.getvalue())
    return f"{folder.name}/images/{job.index}.jpg", {}


def _encode_jpeg(picture: Picture) -> bytes:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    is_encoded, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert is_encoded
    return content.tobytes()


def _to_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

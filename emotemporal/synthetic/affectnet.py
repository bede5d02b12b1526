"""A drawn AffectNet: many people, one picture each, in either of the official layouts."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float

from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.synthetic.claim import claim, finish, write_bytes, write_text
from emotemporal.synthetic.expressions import ACTION_UNITS, Actions, sample_expression
from emotemporal.synthetic.faces import draw_face, face_box
from emotemporal.synthetic.identity import sample_identity
from emotemporal.synthetic.landmarks import landmarks_68
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.scenery import SUPERSAMPLING, develop, sample_scenery
from emotemporal.synthetic.timeline import MovementConfig, perform
from emotemporal.synthetic.workers import draw_all
from emotemporal.types import Box

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
CIRCUMPLEX: Mapping[Emotion, tuple[float, float]] = {
    Emotion.NEUTRAL: (0.0, 0.0),
    Emotion.HAPPINESS: (0.8, 0.35),
    Emotion.SADNESS: (-0.7, -0.35),
    Emotion.SURPRISE: (0.2, 0.8),
    Emotion.FEAR: (-0.35, 0.8),
    Emotion.DISGUST: (-0.7, 0.4),
    Emotion.ANGER: (-0.6, 0.75),
    Emotion.CONTEMPT: (-0.55, 0.3),
}
"""Valence and arousal at full intensity: the quadrants of J. A. Russell, "A circumplex model of
affect", 1980; the numbers are ours."""


@dataclass(frozen=True)
class SyntheticAffectNetConfig:
    """What a drawn AffectNet holds. Emotions are equally frequent.

    Raises:
        ValueError: Too few or too small pictures, or intensities out of order.
    """

    num_images: int = 2000
    """For training."""
    num_validation: int = 400
    layout: Literal["csv", "npy"] = "csv"
    image_px: int = 192
    """Side of a picture. In the npy layout the picture is the face; AffectNet's is 224."""
    min_intensity: float = 0.3
    """The weakest expression drawn; the strongest is 1. A neutral face goes up to a tenth."""
    max_noise_std: float = 6.0
    """Of the camera's noise, in grey levels."""
    movement: MovementConfig = field(
        default_factory=lambda: MovementConfig(
            yaw_deg=18, pitch_deg=9, roll_deg=12, shift=0.25, zoom=0.15, speech_share=0.35
        )
    )
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_images < 1 or self.num_validation < 0:
            raise ValueError(
                f"num_images is {self.num_images} and num_validation {self.num_validation}; "
                "at least 1 and 0"
            )
        if not 64 <= self.image_px <= 640:
            raise ValueError(f"image_px is {self.image_px}; 64 to 640 can be drawn")
        if not 0.1 < self.min_intensity <= 1:
            raise ValueError(
                f"min_intensity is {self.min_intensity}; more than 0.1, which a neutral face "
                "reaches, and at most 1"
            )


@dataclass(frozen=True, eq=False)
class DrawnImage:
    """One picture and everything that is true of it."""

    picture: Picture
    emotion: Emotion
    intensity: float
    actions: Actions
    box: Box
    landmarks: Float[np.ndarray, "68 2"]

    @property
    def valence_arousal(self) -> tuple[float, float]:
        """How pleasant and how aroused the expression looks, each -1 to 1."""
        valence, arousal = CIRCUMPLEX[self.emotion]
        return valence * self.intensity, arousal * self.intensity


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


def draw_image(
    config: SyntheticAffectNetConfig, split: Literal["train", "validation"], index: int
) -> DrawnImage:
    """Draw one picture of the set; it depends on nothing but these arguments."""
    generator = np.random.default_rng([config.seed, 1, int(split == "validation"), index])
    emotion = AFFECTNET_8.emotions[index % len(AFFECTNET_8)]
    is_neutral = emotion is Emotion.NEUTRAL
    intensity = float(
        generator.uniform(0, 0.1) if is_neutral else generator.uniform(config.min_intensity, 1)
    )
    identity = sample_identity(generator)
    # A neutral face shows a trace of anything: what tells it from the others is how little.
    shown = Emotion(str(generator.choice(list(AFFECTNET_8.names[1:])))) if is_neutral else emotion
    strengths = sample_expression(shown, generator)
    moment = np.array([0.0, 0.5, 1.0])
    performance = perform(moment, [(strengths, np.full(3, intensity))], config.movement, generator)
    size = config.image_px
    scenery = sample_scenery((size, size), config.max_noise_std, generator)
    canvas = scenery.background.copy()
    fit = 0.29 if config.layout == "csv" else 0.39
    centre = SUPERSAMPLING * size * (0.5 if config.layout == "csv" else 0.46)
    pose = performance.pose_at(1, (SUPERSAMPLING * size * 0.5, centre), SUPERSAMPLING * size * fit)
    actions = performance.actions_at(1)
    lines = draw_face(canvas, identity, actions, pose, scenery.light, performance.gaze_at(1))
    box = face_box(pose, 1 / SUPERSAMPLING)
    return DrawnImage(
        picture=develop(canvas, scenery, generator),
        emotion=emotion,
        intensity=0.0 if is_neutral else intensity,
        actions=actions,
        box=box,
        landmarks=landmarks_68(lines) / SUPERSAMPLING,
    )


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

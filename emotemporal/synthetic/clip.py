"""A drawn clip with the truth about each of its frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from emotemporal.labels import Emotion
from emotemporal.synthetic.claim import write_text
from emotemporal.synthetic.expressions import ACTION_UNITS
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.timeline import Performance
from emotemporal.types import Box

TRUTH_COLUMNS = (
    "frame",
    "time_s",
    "emotion",
    "intensity",
    *ACTION_UNITS,
    "speech",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "x1",
    "y1",
    "x2",
    "y2",
)


@dataclass(frozen=True, eq=False)
class DrawnClip:
    """The frames of one clip, what was performed in them and where the face is."""

    frames: Sequence[Picture]
    performance: Performance
    boxes: Sequence[Box]
    emotion: Emotion


def reverse(clip: DrawnClip, emotion: Emotion) -> DrawnClip:
    """Return the clip played backwards, as a clip of `emotion`. Its frames are the same ones."""
    performance = clip.performance
    backwards = {
        f.name: getattr(performance, f.name)[::-1]
        for f in fields(performance)
        if f.name not in ("times_s", "actions")
    }
    actions = {unit: values[::-1] for unit, values in performance.actions.items()}
    return DrawnClip(
        frames=clip.frames[::-1],
        performance=replace(performance, actions=actions, **backwards),
        boxes=clip.boxes[::-1],
        emotion=emotion,
    )


def write_truth(path: Path, clip: DrawnClip) -> None:
    """Write what is true of every frame as CSV, one row a frame."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRUTH_COLUMNS)
    done = clip.performance
    is_neutral = clip.emotion is Emotion.NEUTRAL
    intensity = np.zeros(len(done)) if is_neutral else done.intensity
    for i, box in enumerate(clip.boxes):
        actions = done.actions_at(i)
        numbers = [intensity[i], *(actions.get(unit, 0.0) for unit in ACTION_UNITS)]
        numbers += [done.speech[i], done.yaw_deg[i], done.pitch_deg[i], done.roll_deg[i]]
        place = (box.x1, box.y1, box.x2, box.y2)
        row = [i, f"{done.times_s[i]:.6f}", clip.emotion.value]
        writer.writerow([*row, *(f"{n:.4f}" for n in numbers), *(f"{n:.2f}" for n in place)])
    write_text(path, text.getvalue())

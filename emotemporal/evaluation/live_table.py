"""A live run's table against the truth of its video: were the labels right, prompt and steady?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from emotemporal.data.frames import read_frame
from emotemporal.evaluation.metrics import Interval, wilson_interval
from emotemporal.evaluation.stability.changes import measure_stream
from emotemporal.evaluation.stability.figures import Stability, summarise
from emotemporal.labels import Emotion, parse_emotion
from emotemporal.types import Target

_BOX = ("x1", "y1", "x2", "y2")
_TICK_COLUMNS = ("time_s", "track_id", *_BOX, "shown", "is_uncertain")
_FACE_COLUMNS = ("time_s", "face", *_BOX, "emotion")
_MIN_OVERLAP = 0.3  # intersection over union from which a track is taken to be on a face


@dataclass(frozen=True)
class LiveScore:
    """How a live run did on a video whose truth is known."""

    right: Interval
    """Share of model ticks whose label was the true one."""
    uar: float
    """Mean over emotions of the share of their ticks that were right."""
    num_ticks: int
    num_faces_found: int
    num_faces: int
    stability: Stability


def judge_live_table(table: Path, truth: Path) -> LiveScore:
    """Hold `live --csv` against a truth table of `time_s, face, x1, y1, x2, y2, emotion`.

    Each tick of a track belongs to the face that its box covers best just then.

    Raises:
        ValueError: A column is missing, a table is empty, or no track lay on a face for long.
    """
    ticks = _read(table, _TICK_COLUMNS)
    faces = _read(truth, _FACE_COLUMNS)
    ticks["face"] = _match(ticks, faces)
    ticks["truth"] = _true_emotions(ticks, faces)
    known = ticks[ticks["face"] >= 0]
    if known.empty:
        raise ValueError(f"no track of {table} lies on a face of {truth}: do they belong together?")
    is_right = known["shown"] == known["truth"]
    streams = [
        measure_stream(
            track["time_s"].to_numpy(dtype=np.float64),
            [parse_emotion(name) if name else None for name in track["shown"]],
            _targets(faces[faces["face"] == track["face"].mode().iloc[0]]),
            track["is_uncertain"].to_numpy() == 1,
        )
        for _, track in known.groupby("track_id")
        if len(track) > 1
    ]
    if not streams:
        raise ValueError(f"no track of {table} lasts for two ticks: there is nothing to measure")
    return LiveScore(
        right=wilson_interval(int(is_right.sum()), len(is_right)),
        uar=float(is_right.groupby(known["truth"]).mean().mean()),
        num_ticks=len(known),
        num_faces_found=int(known["face"].nunique()),
        num_faces=int(faces["face"].nunique()),
        stability=summarise(streams),
    )


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    rows = read_frame(path, dtype={"shown": str}, keep_default_na=False)
    missing = [name for name in columns if name not in rows.columns]
    if missing or rows.empty:
        found = f"lacks the columns {', '.join(missing)}" if missing else "has no rows"
        raise ValueError(f"{path} {found}; it needs {', '.join(columns)}, a row a face and time")
    return rows


def _match(ticks: pd.DataFrame, faces: pd.DataFrame) -> list[int]:
    """Return the face that each tick's box covers best at that time, -1 for none."""
    frames = dict(iter(faces.groupby("time_s")))
    times = np.sort(faces["time_s"].unique())
    nearest = times[[int(np.abs(times - time).argmin()) for time in ticks["time_s"]]]
    found = []
    for (_, tick), time in zip(ticks.iterrows(), nearest, strict=True):
        overlaps = _overlap(tick, frames[time])
        best = int(overlaps.argmax())
        found.append(int(frames[time]["face"].iloc[best]) if overlaps[best] >= _MIN_OVERLAP else -1)
    return found


def _overlap(tick: pd.Series, faces: pd.DataFrame) -> np.ndarray:
    width = np.minimum(tick["x2"], faces["x2"]) - np.maximum(tick["x1"], faces["x1"])
    height = np.minimum(tick["y2"], faces["y2"]) - np.maximum(tick["y1"], faces["y1"])
    shared = np.clip(width, 0, None) * np.clip(height, 0, None)
    own = (tick["x2"] - tick["x1"]) * (tick["y2"] - tick["y1"])
    theirs = (faces["x2"] - faces["x1"]) * (faces["y2"] - faces["y1"])
    return (shared / (own + theirs - shared)).to_numpy(dtype=np.float64)


def _true_emotions(ticks: pd.DataFrame, faces: pd.DataFrame) -> list[str]:
    by_face = {face: rows.sort_values("time_s") for face, rows in faces.groupby("face")}
    truths = []
    for time, face in zip(ticks["time_s"], ticks["face"], strict=True):
        if face < 0:
            truths.append("")
            continue
        rows = by_face[face]
        at = max(0, int(np.searchsorted(rows["time_s"].to_numpy(), time, side="right")) - 1)
        truths.append(str(rows["emotion"].iloc[at]))
    return truths


def _targets(rows: pd.DataFrame) -> Sequence[Target]:
    """Turn a face's row a frame into one target a stretch of equal emotion."""
    times = rows["time_s"].to_numpy(dtype=np.float64)
    emotions = rows["emotion"].astype(str).to_numpy()
    starts = [0, *(i for i in range(1, len(times)) if emotions[i] != emotions[i - 1])]
    ends = [*(times[i] for i in starts[1:]), float(times[-1]) + 1e-3]
    return [
        Target(float(times[start]), float(end), Emotion(emotions[start]))
        for start, end in zip(starts, ends, strict=True)
    ]

"""Tables of `emotemporal predict` as timelines, one row a video: what was said, and how surely.

    python draw_timelines.py timelines.png CLIP.csv TAKES.csv ...

Nothing but the tables is read, so no face can come into the picture. Titles of RAVDESS takes say
what the actor was asked to show.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from emotemporal.labels import Emotion
from emotemporal.live.overlay.palette import COLOURS

mpl.use("Agg")
import matplotlib.pyplot as plt

_RAVDESS = ("", "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def main(picture: Path, tables: list[Path]) -> None:
    """Draw the videos of all tables under one another, on one scale of time."""
    rows = pd.concat([pd.read_csv(table) for table in tables])
    videos = list(rows.groupby("source", sort=False))
    figure, axes = plt.subplots(
        len(videos), 1, figsize=(9, 1.15 * len(videos) + 0.9), sharex=True, layout="constrained"
    )
    for axis, (source, video) in zip(np.atleast_1d(axes), videos, strict=True):
        _draw(axis, video, rows["time_s"].max())
        axis.set_title(_title(Path(str(source)).stem), loc="left", fontsize=9)
    np.atleast_1d(axes)[-1].set_xlabel("time, s")
    marks = [Patch(color=_rgb(emotion), label=emotion.value) for emotion in Emotion]
    marks.append(Patch(facecolor="white", edgecolor="grey", hatch="////", label="uncertain"))
    figure.legend(handles=marks, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(picture, dpi=130)


def _draw(axis: Axes, video: pd.DataFrame, span_s: float) -> None:
    """Bands are smoothed probabilities; the bar above them is the label on show."""
    times = video["time_s"].to_numpy()
    ends = np.append(times[1:], times[-1] + np.median(np.diff(times)))
    shares = [video[f"smoothed_{emotion}"].to_numpy() for emotion in Emotion]
    axis.stackplot(times, shares, colors=[_rgb(emotion) for emotion in Emotion], step="post")
    for start, end, shown, doubt in zip(
        times, ends, video["shown"], video["is_uncertain"], strict=True
    ):
        colour = "white" if pd.isna(shown) else _rgb(Emotion(shown))
        axis.add_patch(plt.Rectangle((start, 1.08), end - start, 0.3, color=colour, lw=0))
        if doubt:
            axis.add_patch(
                plt.Rectangle((start, 1.08), end - start, 0.3, fill=False, hatch="////", lw=0)
            )
    _name_segments(axis, times, ends, video["shown"].fillna(""), span_s)
    axis.set(ylim=(0, 1.4), yticks=[0, 1], yticklabels=["0", "1"])
    axis.spines[["top", "right"]].set_visible(False)


def _name_segments(
    axis: Axes, times: np.ndarray, ends: np.ndarray, shown: pd.Series, span_s: float
) -> None:
    """Write each label that fits into its bar, so that no colour need be told apart."""
    segment = (shown != shown.shift()).cumsum().to_numpy()
    for number in np.unique(segment):
        inside = segment == number
        start, end = times[inside][0], ends[inside][-1]
        if end - start > 0.08 * span_s:
            name, plate = shown[inside].iloc[0], {"facecolor": "white", "lw": 0, "pad": 1.2}
            axis.text(start + 0.01 * span_s, 1.23, name, fontsize=7.5, va="center", bbox=plate)


def _title(stem: str) -> str:
    parts = stem.split("-")
    if len(parts) != 7:
        return stem
    return f"RAVDESS {stem}: asked for {_RAVDESS[int(parts[2])]}"


def _rgb(emotion: Emotion) -> tuple[float, float, float]:
    red, green, blue = COLOURS[emotion]
    return red / 255, green / 255, blue / 255


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])

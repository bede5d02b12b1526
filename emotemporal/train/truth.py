"""Truth over time, where it is known: what a clip shows when, in place of one label a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emotemporal.data.frames import read_frame
from emotemporal.labels import LabelSpace, parse_emotion
from emotemporal.train.features import ClipFeatures
from emotemporal.types import Target

_COLUMNS = ("source", "start_s", "end_s", "emotion")


def read_truth(path: Path) -> dict[str, tuple[Target, ...]]:
    """Read a CSV of `source,start_s,end_s,emotion`, a row an interval, in the video's seconds.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A column is missing, or a row is not an interval of a known emotion.
    """
    if not path.is_file():
        raise FileNotFoundError(f"truth names {path}, which is not a file")
    rows = read_frame(path, dtype={"source": str, "emotion": str})
    missing = [name for name in _COLUMNS if name not in rows.columns]
    if missing:
        raise ValueError(
            f"{path} lacks the columns {', '.join(missing)}; it needs {','.join(_COLUMNS)}"
        )
    truth: dict[str, tuple[Target, ...]] = {}
    for number, row in enumerate(rows.to_dict("records"), start=2):
        try:
            target = Target(
                float(row["start_s"]), float(row["end_s"]), parse_emotion(str(row["emotion"]))
            )
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
        source = str(row["source"])
        truth[source] = (*truth.get(source, ()), target)
    return truth


def shares_shown(targets: Sequence[Target], labels: LabelSpace) -> Float[np.ndarray, " k"]:
    """Return for how large a share of the known time each emotion is shown; other ones left out."""
    lasts_s = np.zeros(len(labels))
    for target in targets:
        if target.emotion in labels:
            lasts_s[labels.index(target.emotion)] += target.end_s - target.start_s
    return lasts_s / max(lasts_s.sum(), 1e-12)


def with_truth(
    clips: Sequence[ClipFeatures], truth: dict[str, tuple[Target, ...]], path: Path
) -> list[ClipFeatures]:
    """Return the clips with the targets that `truth` gives them.

    Raises:
        ValueError: A clip has none; sources are named as in the prepared data set.
    """
    missing = [clip.source for clip in clips if clip.source not in truth]
    if missing:
        raise ValueError(
            f"{path} tells nothing of {len(missing)} clips, such as {missing[0]}; "
            f"it knows {', '.join(sorted(truth)[:3])} ..."
        )
    return [replace(clip, targets=truth[clip.source]) for clip in clips]

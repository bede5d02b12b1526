"""What is written down of streams: a row each, and a row a segment with the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from emotemporal.data.prepared import read_record
from emotemporal.data.streams.plan import Segment, is_change
from emotemporal.data.streams.stills import Stills
from emotemporal.labels import Emotion
from emotemporal.storage import file_digest

TRUTH_FILE = "truth.csv"
"""Of a folder of streams: a row a segment."""


def stream_row(
    segments: Sequence[Segment], stills: Stills, source: str, **more: object
) -> dict[str, object]:
    """Return a stream's row of `clips.csv`; `stills` names every picture it shows."""
    rows = sorted({shown.row for segment in segments for shown in segment.stills})
    return {
        "emotion": _longest(segments).value,
        "subject": "",
        "take": "",
        "source": source,
        **more,
        "duration_s": segments[-1].end_s,
        "num_cuts": len(segments) - 1,
        "num_changes": sum(is_change(*cut) for cut in pairwise(segments)),
        "stills": ";".join(str(stills.table.rows["path"].iloc[row]) for row in rows),
    }


def truth_rows(
    segments: Sequence[Segment], stills: Stills, source: str
) -> Iterator[dict[str, object]]:
    """Give a row a segment: what is true when, which stills show it, and how it came.

    `still_group` is alike for twins: who resamples stills resamples groups.
    """
    paths = stills.table.rows["path"]
    for number, segment in enumerate(segments):
        one, two = segment.stills[0], segment.stills[1] if len(segment.stills) > 1 else None
        yield {
            "source": source,
            "segment": number,
            "start_s": segment.start_s,
            "end_s": segment.end_s,
            "emotion": segment.emotion.value,
            "transition": segment.transition,
            "blend_s": segment.blend_s,
            "is_change": number > 0 and is_change(segments[number - 1], segment),
            "still": paths.iloc[one.row],
            "still_group": int(stills.groups[one.row]),
            "is_mirrored": one.is_mirrored,
            "weight": one.weight,
            "second_still": paths.iloc[two.row] if two else "",
            "second_group": int(stills.groups[two.row]) if two else "",
            "second_mirrored": two.is_mirrored if two else "",
        }


def read_segments(folder: Path) -> pd.DataFrame:
    """Read the truth table that `streams` wrote: a row a segment.

    Raises:
        ValueError: It is not the one that was written.
    """
    path = folder / TRUTH_FILE
    record = read_record(folder) or {}
    if not path.is_file() or file_digest(path) != record.get("truth_digest"):
        raise ValueError(f"{path} is missing or was changed after 'streams'; run it again")
    return pd.read_csv(path, keep_default_na=False)


def _longest(segments: Sequence[Segment]) -> Emotion:
    lasts_s: dict[Emotion, float] = {}
    for segment in segments:
        lasts_s[segment.emotion] = lasts_s.get(segment.emotion, 0.0) + segment.lasts_s
    return max(lasts_s, key=lambda emotion: lasts_s[emotion])

"""What happened in each piece of a set of streams: while which still was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from einops import rearrange
from jaxtyping import Bool, Float, Int

from emotemporal.evaluation.stability.replay import Replay


@dataclass(frozen=True, eq=False)
class PieceCounts:
    """What happened in each piece of a set of streams, under one setting.

    A change happens in the piece that it leads to.
    """

    duration_s: Float[np.ndarray, " p"]
    num_spurious: Float[np.ndarray, " p"]
    confusion: Float[np.ndarray, "p k k"]
    """Ticks by true label (row) and label on show; last is what shows nothing."""
    change_piece: Int[np.ndarray, " c"]
    """Of changes that were not pre-set."""
    wait_s: Float[np.ndarray, " c"]
    """Their lag, or how long they could have been detected."""
    is_detected: Bool[np.ndarray, " c"]


def count_pieces(replayed: Replay) -> PieceCounts:
    """Sort what happened by the piece in which it did."""
    streams = replayed.streams
    size = len(streams.labels) + 1
    offset, parts = 0, []
    for i, (stream, found) in enumerate(zip(streams.streams, replayed.stabilities(), strict=True)):
        origin_s = float(stream.prediction.times_s[0])
        starts_s = np.array([piece.start_s for piece in stream.pieces]) - origin_s
        measured = replayed.is_measured[:, i]
        at_tick = _piece_at(starts_s, streams.times_s[measured])
        cells = at_tick * size**2 + replayed.cells[measured, i]
        counts = np.bincount(cells, minlength=len(starts_s) * size**2)
        changes = [change for change in found.changes if change.outcome != "pre_set"]
        at_change = _piece_at(starts_s, np.array([change.time_s for change in changes]))
        at_spurious = _piece_at(starts_s, np.array(found.spurious_s))
        ends_s = np.append(starts_s[1:], starts_s[0] + found.duration_s)
        parts.append(
            PieceCounts(
                duration_s=np.maximum(ends_s - starts_s, 0.0),
                num_spurious=np.bincount(at_spurious, minlength=len(starts_s)).astype(float),
                confusion=rearrange(
                    counts.astype(float), "(p true said) -> p true said", true=size, said=size
                ),
                change_piece=at_change + offset,
                wait_s=np.array(
                    [c.until_s - c.time_s if c.lag_s is None else c.lag_s for c in changes]
                ),
                is_detected=np.array([c.lag_s is not None for c in changes], dtype=bool),
            )
        )
        offset += len(starts_s)
    return PieceCounts(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in PieceCounts.__dataclass_fields__
        )
    )


def _piece_at(
    starts_s: Float[np.ndarray, " p"], times_s: Float[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    places = np.searchsorted(starts_s, times_s + 1e-9, side="right") - 1
    return np.clip(places, 0, None).astype(np.int64)

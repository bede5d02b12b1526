"""Streams to judge smoothers on: prepared ones whose truth changes, judged once and kept."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from jaxtyping import Float
from tqdm import tqdm

from emotemporal.config import config_digest, differences
from emotemporal.data.arrays import read_array
from emotemporal.data.prepared import PreparedSet
from emotemporal.data.streams.table import read_segments
from emotemporal.evaluation.metrics import restrict
from emotemporal.evaluation.stability.replay import JudgedStream, Piece, StreamSet
from emotemporal.faces.crop import CropConfig
from emotemporal.inference.caution import Caution, find_caution
from emotemporal.inference.load import LoadedModel
from emotemporal.inference.predictor import StreamConfig, predict_clip
from emotemporal.inference.prior import wanted_prior
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.models.meta import CheckpointError, CheckpointMeta
from emotemporal.reading import UnreadableError
from emotemporal.storage import write_atomically
from emotemporal.timing import ClipRate
from emotemporal.types import FaceClip, StreamPrediction

_log = logging.getLogger(__name__)


@runtime_checkable
class StreamSource(Protocol):
    """Face clips whose truth changes over time, and what each stretch of them is made of."""

    @property
    def name(self) -> str:
        """What to call it in a report."""

    @property
    def fingerprint(self) -> str:
        """Of its content: another one is judged anew."""

    @property
    def crop(self) -> CropConfig:
        """How its faces were cut out."""

    def __len__(self) -> int: ...

    def load(self, i: int) -> tuple[FaceClip, Sequence[Piece]]:
        """Read one stream, and what it is made of, in time order."""


@dataclass(frozen=True)
class StreamsJudgeConfig:
    """How labels come on show where they are measured, as in live use."""

    prior: str = StreamConfig.prior
    """How often emotions are taken to occur: `training`, `uniform`, or a JSON file of shares."""
    min_probability: float | None = StreamConfig.min_probability
    """Below this top probability an answer is uncertain, and the last label stays. None takes what
    live use would: the checkpoint's own threshold, or 0.35."""
    warm_up_s: float = StreamConfig.warm_up_s
    """Nothing shows, and nothing is measured, for this long at a stream's start; of every method
    alike, though live use asks it only of a head with memory."""

    def __post_init__(self) -> None:
        StreamConfig(
            self.prior, warm_up_s=self.warm_up_s, min_probability=self.min_probability
        )  # refuses what live use would


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """A checkpoint that is ready to judge, and under what."""

    name: str
    model: LoadedModel
    config: StreamsJudgeConfig

    @property
    def meta(self) -> CheckpointMeta:
        """The checkpoint's description."""
        return self.model.meta

    def caution(self, labels: LabelSpace) -> Caution:
        """Return which of its answers among `labels` are uncertain, as live use has it."""
        prior = wanted_prior(self.config.prior, self.meta)
        found = find_caution(self.meta, prior, self.config.min_probability, "")
        if found.weights is None:
            return found
        weights = np.asarray(found.weights)[labels.indices_in(self.meta.labels)]
        return replace(found, weights=tuple(weights.tolist()))

    def key(self, source: StreamSource) -> str:
        """Return a digest of all that its probabilities on `source` depend on."""
        prior = wanted_prior(self.config.prior, self.meta)
        return config_digest([self.model.digest, source.fingerprint, list(prior)])


def judge_streams(
    model: JudgedModel, source: StreamSource, labels: LabelSpace, cache: Path
) -> StreamSet:
    """Judge every stream on the model's clock, or read from `cache` what was judged before.

    Probabilities are raw: calibrated, under the prior, restricted to `labels`, unsmoothed.

    Raises:
        CheckpointError: The faces were cut out otherwise than the checkpoint demands.
        ValueError: A stream's truth is unknown, or shows what is not among `labels`.
    """
    _require_same_crop(model, source)
    folder = cache / model.key(source)
    streams = []
    for i in tqdm(
        range(len(source)), desc=f"{model.name} on {source.name}", unit="stream", disable=None
    ):
        clip, pieces = source.load(i)
        prediction = _judge(model, clip, folder / f"{i:05d}.npy")
        probabilities = restrict(prediction.probabilities, model.meta.labels, labels)
        streams.append(
            JudgedStream(
                f"{source.name} {i}",
                StreamPrediction(i, prediction.times_s, probabilities, labels, prediction.truth),
                pieces,
            )
        )
    return StreamSet(
        streams, ClipRate(model.meta.clip_rate_hz), model.caution(labels), model.config.warm_up_s
    )


def _judge(model: JudgedModel, clip: FaceClip, file: Path) -> StreamPrediction:
    kept = _read(file)
    if kept is None:
        prediction = predict_clip(model.model.engine, model.meta, clip, model.config.prior)
        kept = np.column_stack([prediction.times_s, prediction.probabilities])
        content = io.BytesIO()
        np.save(content, kept)
        write_atomically(file, content.getvalue())
    return StreamPrediction(0, kept[:, 0], kept[:, 1:], model.meta.labels, clip.targets)


def _read(file: Path) -> Float[np.ndarray, "t columns"] | None:
    if not file.is_file():
        return None
    try:
        return read_array(file)
    except UnreadableError as error:
        _log.warning("%s is damaged (%s) and is made again", file, error)
        return None


def _require_same_crop(model: JudgedModel, source: StreamSource) -> None:
    if source.crop != model.meta.crop:
        told = "\n  ".join(differences(source.crop.to_json(), model.meta.crop.to_json(), "crop."))
        raise CheckpointError(
            f"the faces of {source.name} were cut out otherwise (there) than {model.name} "
            f"demands (here):\n  {told}\nMake the streams with the checkpoint's crop."
        )


@dataclass(frozen=True, eq=False)
class PreparedStreams:
    """What `streams` made; of another prepared set, each clip is one piece.

    Raises:
        ValueError: On reading, if the table of segments is not the one that was written.
    """

    prepared: PreparedSet

    @property
    def name(self) -> str:
        """The folder's name: sets of one kind differ in it."""
        return self.prepared.folder.name

    @property
    def fingerprint(self) -> str:
        """The set's."""
        return self.prepared.fingerprint

    @property
    def crop(self) -> CropConfig:
        """The set's."""
        return self.prepared.crop

    def __len__(self) -> int:
        return len(self.prepared)

    def load(self, i: int) -> tuple[FaceClip, Sequence[Piece]]:
        """Read one stream, and its segments with their stills."""
        clip = self.prepared.load(i)
        pieces = self._pieces.get(clip.source)
        whole = Piece(float(clip.times_s[0]), float(clip.times_s[-1]), (clip.source,))
        return clip, pieces or [whole]

    @cached_property
    def stills(self) -> frozenset[str]:
        """Every picture that is shown; empty where the set does not say."""
        if self._truth is None:
            return frozenset()
        return frozenset({*self._truth["still"], *self._truth["second_still"]} - {""})

    @property
    def emotions(self) -> frozenset[Emotion]:
        """Every emotion that its streams show."""
        if self._truth is not None:
            return frozenset(Emotion(name) for name in self._truth["emotion"])
        clips = (self.prepared.load(i) for i in range(len(self)))
        return frozenset(target.emotion for clip in clips for target in clip.targets)

    @cached_property
    def _truth(self) -> pd.DataFrame | None:
        is_made = self.prepared.kind == "streams"
        return read_segments(self.prepared.folder) if is_made else None

    @cached_property
    def _pieces(self) -> dict[str, list[Piece]]:
        pieces: dict[str, list[Piece]] = {}
        if self._truth is not None:
            for row in self._truth.to_dict("records"):
                groups = (str(row["still_group"]), str(row["second_group"]))
                units = tuple(group for group in groups if group)
                piece = Piece(float(row["start_s"]), float(row["end_s"]), units)
                pieces.setdefault(str(row["source"]), []).append(piece)
        return pieces

"""The clips that a study is of: from one prepared folder or several, with who is shown in them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from emotemporal.data.augmentation.shifts import cover_mouth
from emotemporal.data.clip_twins import ClipSignature, clip_twins, sign_prepared
from emotemporal.data.prepared import PreparedSet, load_prepared
from emotemporal.labels import AFFECTNET_8, Emotion, LabelSpace, parse_label_space
from emotemporal.models.emotion_net import EmotionNet
from emotemporal.models.meta import CheckpointMeta
from emotemporal.storage import digest
from emotemporal.train.features import ClipFeatures, Cover, ViewConfig, compute_features
from emotemporal.types import FaceClip

_log = logging.getLogger(__name__)
SHARED = "shared"
"""As `labels`: the emotions that every data set shows, by name."""


@dataclass(frozen=True, eq=False)
class Material:
    """Clips as the encoder sees them, and what their tables say; all in the same order."""

    clips: Sequence[ClipFeatures]
    rows: pd.DataFrame
    """Of each clip: emotion, subject, take, corpus, and the columns that tell who is shown."""
    labels: LabelSpace
    places: Sequence[tuple[PreparedSet, int]]
    """Where each clip's pictures are: a prepared set and a row of it."""
    remarks: tuple[str, ...]
    """What was left out, and why: stands in every output."""
    fingerprint: str

    def load(self, i: int, cover: Cover = "nothing") -> FaceClip:
        """Read a clip's pictures, covered as its features were made."""
        prepared, row = self.places[i]
        clip = prepared.load(row)
        return replace(clip, crops=cover_mouth(clip.crops)) if cover == "mouth" else clip


def open_corpora(data: str, corpora: Mapping[str, str]) -> dict[str, PreparedSet]:
    """Open one prepared folder, under no name, or several under theirs."""
    folders = corpora or {"": data}
    return {name: load_prepared(Path(folder)) for name, folder in folders.items()}


def gather_material(
    corpora: Mapping[str, PreparedSet], labels: str, takes: str, features: FeatureMaker
) -> Material:
    """Compute or read every clip's features, and keep those that the study is of.

    Emotions meet by name. Of several data sets, subjects, takes and sources begin with the data
    set's name, so that one's actor 01 is not the other's.

    Args:
        corpora: Name -> prepared set; one alone has no name.
        labels: A label space, or `shared`.
        takes: A pattern such as `common*`; empty for all.
        features: How features are made.

    Raises:
        ValueError: No clip is left, or no emotion is shown in all data sets.
        CheckpointError: The clips were cropped otherwise than the checkpoint demands.
    """
    space = _shared_labels(corpora) if labels == SHARED else parse_label_space(labels)
    clips: list[ClipFeatures] = []
    places: list[tuple[PreparedSet, int]] = []
    tables = []
    for name, prepared in corpora.items():
        prefix = f"{name}/" if name else ""
        found = features.make(prepared)
        clips += [
            replace(
                clip,
                subject=prefix + clip.subject,
                take=prefix + clip.take if clip.take else "",
                source=prefix + clip.source,
            )
            for clip in found
        ]
        places += [(prepared, i) for i in range(len(prepared))]
        tables.append(prepared.rows.assign(corpus=name or prepared.name))
    rows = pd.concat(tables, ignore_index=True)
    rows = rows.assign(
        subject=[clip.subject for clip in clips],
        take=[clip.take for clip in clips],
        source=[clip.source for clip in clips],
    )
    is_wanted = np.array([_is_take(clip.take, takes) for clip in clips], dtype=bool)
    is_labelled = np.array([clip.emotion in space for clip in clips], dtype=bool)
    kept = np.flatnonzero(is_wanted & is_labelled)
    remarks = _left_out(rows, is_wanted, is_labelled, takes, space)
    for remark in remarks:
        _log.warning("%s", remark)
    if not len(kept):
        known = ", ".join(sorted(set(rows["take"]))[:5])
        raise ValueError(
            f"no clip is left: takes {takes or 'all'}, labels {', '.join(space.names)}. The data "
            f"has takes such as {known or '(none)'}; folders of an earlier version know no common "
            "sentences: run 'emotemporal prepare' into a new one"
        )
    return Material(
        clips=[clips[i] for i in kept],
        rows=rows.iloc[kept].reset_index(drop=True),
        labels=space,
        places=[places[i] for i in kept],
        remarks=tuple(remarks),
        fingerprint=_fingerprint(corpora),
    )


@dataclass(frozen=True, eq=False)
class FeatureMaker:
    """A frozen encoder and how clips are shown to it."""

    net: EmotionNet
    meta: CheckpointMeta
    views: ViewConfig
    folder: Path
    device: str
    cover: Cover

    def make(self, prepared: PreparedSet) -> list[ClipFeatures]:
        """Return every clip's features."""
        return compute_features(
            self.net, self.meta, prepared, self.views, self.folder, self.device, self.cover
        )


def twins_of(material: Material, folder: Path) -> Int[np.ndarray, " n"]:
    """Number the clips so that those that show the same have one number."""
    signed: dict[str, list[ClipSignature]] = {}
    for prepared, _ in material.places:
        if prepared.fingerprint not in signed:
            signed[prepared.fingerprint] = sign_prepared(prepared, folder)
    signatures = [signed[prepared.fingerprint][row] for prepared, row in material.places]
    return clip_twins(signatures, [clip.subject for clip in material.clips])


def _shared_labels(corpora: Mapping[str, PreparedSet]) -> LabelSpace:
    shown = [set(prepared.rows["emotion"]) for prepared in corpora.values()]
    shared = [
        emotion for emotion in AFFECTNET_8.emotions if emotion.value in set.intersection(*shown)
    ]
    if len(shared) < 2:
        told = "; ".join(
            f"{name or 'data'} shows {', '.join(sorted(some))}"
            for name, some in zip(corpora, shown, strict=True)
        )
        raise ValueError(f"fewer than two emotions are shown in every data set: {told}")
    return LabelSpace(tuple(shared))


def _left_out(
    rows: pd.DataFrame,
    is_wanted: np.ndarray,
    is_labelled: np.ndarray,
    takes: str,
    space: LabelSpace,
) -> list[str]:
    told = []
    if takes:
        told.append(f"Only takes {takes}: {int(is_wanted.sum())} of {len(rows)} clips.")
    dropped = rows[is_wanted & ~is_labelled]
    if len(dropped):
        counts = Counter(zip(dropped["corpus"], dropped["emotion"], strict=True))
        some = ", ".join(f"{n} of {emotion} in {name}" for (name, emotion), n in counts.items())
        told.append(
            f"{len(dropped)} clips show none of {', '.join(space.names)} and were left out: {some}."
        )
    kept = rows[is_wanted & is_labelled]
    for name, own in kept.groupby("corpus", sort=False):
        shown = {Emotion(value) for value in own["emotion"]}
        if missing := [emotion.value for emotion in space.emotions if emotion not in shown]:
            told.append(f"{name} has no clip of {', '.join(missing)}.")
    return told


def _is_take(take: str, pattern: str) -> bool:
    return not pattern or fnmatchcase(take.rpartition("/")[2], pattern)


def _fingerprint(corpora: Mapping[str, PreparedSet]) -> str:
    if set(corpora) == {""}:
        return corpora[""].fingerprint
    return digest("\n".join(f"{n} {p.fingerprint}" for n, p in corpora.items()).encode())

"""Which clips a head is trained on, and which choose its best epoch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emotemporal.data.prepared import PreparedSet, load_prepared
from emotemporal.labels import LabelSpace
from emotemporal.train.heads import HeadConfig
from emotemporal.train.truth import shares_shown

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows to train on of one prepared data set; rows to judge by of the same or of another."""

    prepared: PreparedSet
    train: Sequence[int]
    judging: PreparedSet
    judged: Sequence[int]

    @property
    def fingerprints(self) -> str:
        """Of the data, all of it."""
        if self.judging is self.prepared:
            return self.prepared.fingerprint
        return f"{self.prepared.fingerprint}, validation {self.judging.fingerprint}"

    def counts(self, labels: LabelSpace) -> Float[np.ndarray, " k"]:
        """Return how many training clips show each emotion; of streams, how large parts do."""
        if self.prepared.kind == "streams":
            shares = [shares_shown(self.prepared.targets(i), labels) for i in self.train]
            return np.asarray(np.sum(shares, axis=0))
        return np.bincount(self.classes(labels), minlength=len(labels)).astype(float)

    def classes(self, labels: LabelSpace) -> list[int]:
        """Return each training clip's emotion, by its place in `labels`."""
        emotions = self.prepared.rows["emotion"]
        return [labels.names.index(str(emotions.iloc[i])) for i in self.train]


def choose_clips(
    folder: Path,
    labels: LabelSpace,
    held_out: Sequence[str] = (),
    validation: Sequence[str] = (),
    validation_folder: Path | None = None,
) -> Chosen:
    """Open the prepared data, and return which of it is for what.

    Raises:
        FileNotFoundError: A folder is no prepared data set.
        ValueError: A subject is unknown, nobody is left to train on, or the two folders share a
            source, a subject or a still.
    """
    prepared = load_prepared(folder)
    train, judged = choose_rows(prepared, labels, held_out, validation)
    if validation_folder is None:
        return Chosen(prepared, train, prepared, judged)
    judging = load_prepared(validation_folder)
    _refuse_shared(prepared, judging)
    return Chosen(prepared, train, judging, choose_rows(judging, labels, (), ())[0])


def choose_rows(
    prepared: PreparedSet, labels: LabelSpace, held_out: Sequence[str], validation: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Return the clips to train on and those that choose the epoch, by subject.

    Raises:
        ValueError: A subject is unknown, or nobody is left to train on.
    """
    subjects = prepared.rows["subject"].astype(str)
    unknown = sorted({*held_out, *validation} - set(subjects))
    if unknown:
        raise ValueError(
            f"{prepared.folder} has no subject {', '.join(unknown)}; "
            f"it has {', '.join(sorted(set(subjects)))}"
        )
    is_known = prepared.rows["emotion"].isin(labels.names)
    if not is_known.all():
        _log.warning("%d clips show none of %s: left out", (~is_known).sum(), labels.names)
    is_judged = subjects.isin(validation) & is_known
    is_train = ~subjects.isin([*held_out, *validation]) & is_known
    if not is_train.any():
        raise ValueError("nobody is left to train on; hold fewer subjects out")
    return np.flatnonzero(is_train).tolist(), np.flatnonzero(is_judged).tolist()


def refuse_one_answer(chosen: Chosen, head: HeadConfig) -> None:
    """Refuse to judge streams by one answer a stream, which they have not.

    Raises:
        ValueError: `head` says so; what to set is told.
    """
    is_one = head.judge_by == "clips" or head.model.answer == "last"
    if "streams" in (chosen.prepared.kind, chosen.judging.kind) and is_one:
        raise ValueError(
            "streams change what they show and have no one answer: set head.judge_by to frames "
            "and head.model.answer to mean"
        )


def _refuse_shared(prepared: PreparedSet, judging: PreparedSet) -> None:
    for what, names in _named(prepared).items():
        if shared := sorted(names & _named(judging)[what]):
            raise ValueError(
                f"{prepared.folder} and {judging.folder} share {len(shared)} {what}, such as "
                f"{shared[0]}: what chooses the epoch must not be trained on. Prepare parts that "
                "share none (of stills, 'emotemporal streams --part 1/2' and '--part 2/2')."
            )


def _named(prepared: PreparedSet) -> dict[str, set[str]]:
    rows = prepared.rows
    stills: Sequence[str] = list(rows.get("stills", []))
    return {
        "sources": set(rows["source"]),
        "subjects": set(rows["subject"]) - {""},
        "stills": {still for listed in stills for still in listed.split(";")} - {""},
    }

"""What `prepare` and `streams` make: face clips on disk, and what is known of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from emotemporal.data.arrays import read_arrays
from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion
from emotemporal.reading import UnreadableError, read_json, read_json_object
from emotemporal.storage import digest, write_atomically, write_json
from emotemporal.types import FaceClip, Target

FORMAT_VERSION = 1
TEXT_COLUMNS = ("file", "emotion", "subject", "take", "split", "source", "stills")
_TARGETS = ("targets_from_s", "targets_to_s", "targets_emotion")
"""Arrays of a clip that shows several emotions one after the other."""
Kind = Literal["clips", "streams"]
NUMBER_COLUMNS = ("start_s", "end_s", "source_row", "num_frames", "duration_s", "detected_share")


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """Face clips with a row each: file, emotion, subject, take, split, source, num_frames, ...

    Columns of the data set that tell who is shown (sex, age) are text, empty if not known.

    An emotion, subject, take or split that is not known is the empty string. A stream shows
    several emotions one after the other; its row names the one that shows longest.
    """

    folder: Path
    name: str
    rows: pd.DataFrame
    crop: CropConfig
    detector: str
    fingerprint: str
    """SHA-256 of the rows, which hold the digest of each clip."""
    kind: Kind = "clips"
    """`clips` show one emotion each; `streams`, made of stills, change between several."""

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, i: int) -> FaceClip:
        """Read one clip.

        Raises:
            ValueError: The file is missing or damaged.
        """
        row = self.rows.iloc[i]
        crops, times_s = self._arrays(i, "crops", "times_s")
        return FaceClip(crops, times_s, self.targets(i), str(row["subject"]), str(row["source"]))

    def targets(self, i: int) -> list[Target]:
        """Read what one clip shows when, without its crops.

        Raises:
            ValueError: The file is missing or damaged.
        """
        if self.kind == "streams":
            told = (array.tolist() for array in self._arrays(i, *_TARGETS))
            return [Target(a, b, Emotion(name)) for a, b, name in zip(*told, strict=True)]
        if not (emotion := str(self.rows["emotion"].iloc[i])):
            return []
        (times_s,) = self._arrays(i, "times_s")
        last_s = float(times_s[-1]) + frame_period_s(times_s)
        return [Target(float(times_s[0]), last_s, Emotion(emotion))]

    def _arrays(self, i: int, *names: str) -> list[np.ndarray]:
        path = self.folder / str(self.rows["file"].iloc[i])
        try:
            return read_arrays(path, *names)
        except (OSError, UnreadableError) as error:
            job = "prepare" if self.kind == "clips" else "streams"
            raise ValueError(
                f"{path}: missing or damaged ({error}); delete it and its file in rows/, and run "
                f"'emotemporal {job}' again"
            ) from error


def write_clip(folder: Path, file: str, clip: FaceClip, with_targets: bool) -> str:
    """Write a clip, lossless, and return its digest; equal clips have equal bytes.

    Without targets, what it shows is the emotion that its row names, throughout.
    """
    arrays: dict[str, Any] = {"crops": clip.crops, "times_s": clip.times_s}
    if with_targets:
        told = (
            np.array([target.start_s for target in clip.targets]),
            np.array([target.end_s for target in clip.targets]),
            np.array([target.emotion.value for target in clip.targets]),
        )
        arrays |= dict(zip(_TARGETS, told, strict=True))
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    write_atomically(folder / file, data.getvalue())
    return digest(data.getvalue())


@contextmanager
def at_work_in(out: Path, job: str) -> Iterator[None]:
    """Hold a folder while a job fills it; make it if it is not there.

    Raises:
        ValueError: Another process is at work in it.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"{out}: another '{job}' is at work in it") from error


def claim_folder(out: Path, record: Mapping[str, Any]) -> None:
    """Make `out` this config's, or refuse where it is another's.

    Raises:
        ValueError: It was filled otherwise; what differs is named.
    """
    earlier = read_record(out)
    if earlier is None:
        write_json(out / "prepare.json", record)
        return
    skip = {"is_complete", "clips_digest", "failures", "config_checksum"}
    differ = [key for key in record if key not in skip and earlier.get(key) != record[key]]
    if differ:
        told = "; ".join(f"{key} was {earlier.get(key)}, is {record[key]}" for key in differ)
        raise ValueError(
            f"{out} was prepared otherwise: {told}. Choose another folder, or delete this one."
        )


def is_done(out: Path, key: str) -> bool:
    """Return whether a job has left its record in rows/, written last, and all that it names."""
    path = out / "rows" / f"{key}.json"
    if not path.is_file():
        return False
    try:
        return all((out / clip["file"]).is_file() for clip in read_json(path))
    except (UnreadableError, TypeError, KeyError):  # damaged: it is done again
        return False


def frame_period_s(times_s: np.ndarray) -> float:
    """Return the usual time from frame to frame; of a single frame, a film's."""
    return float(np.median(np.diff(times_s))) if len(times_s) > 1 else 0.04


def load_prepared(folder: Path) -> PreparedSet:
    """Open a folder that `prepare` has filled.

    Raises:
        FileNotFoundError: It is none, or not finished.
        ValueError: Another format version, or a table that is not the one that was written.
    """
    told = read_record(folder)
    if told is None or not told.get("is_complete"):
        if told is None:
            raise FileNotFoundError(
                f"{folder}: a prepared data set is not there. 'emotemporal prepare' makes one of "
                "videos, 'emotemporal streams' of stills"
            )
        job = "streams" if told.get("kind") == "streams" else "prepare"
        raise FileNotFoundError(
            f"{folder}: a prepared data set was not finished. Run 'emotemporal {job}' on it again."
        )
    table = (folder / "clips.csv").read_bytes()
    if digest(table) != told.get("clips_digest"):
        raise ValueError(f"{folder}/clips.csv was changed after 'prepare'; run it again")
    columns = table.decode().partition("\n")[0].split(",")
    is_stream = told.get("kind") == "streams"
    text = TEXT_COLUMNS if is_stream else [c for c in columns if c not in NUMBER_COLUMNS]
    rows = pd.read_csv(
        folder / "clips.csv",
        dtype=dict.fromkeys(text, object),
        keep_default_na=False,
        na_values={"start_s": [""], "end_s": [""]},
    )
    for file in rows["file"]:
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise ValueError(f"{folder}/clips.csv names {file!r}, which lies outside")
    try:
        return PreparedSet(
            folder,
            told["name"],
            rows,
            CropConfig.from_json(told["follow"]["crop"]),
            told["detector"],
            told["clips_digest"],
            told.get("kind", "clips"),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableError(f"{folder}/prepare.json is damaged ({error!r})") from error


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what `prepare` noted about its work; None where it has not begun.

    Raises:
        ValueError: The note is of another format version.
    """
    path = folder / "prepare.json"
    if not path.is_file():
        return None
    told = read_json_object(path)
    if told.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {told.get('format_version')}, this program reads "
            f"{FORMAT_VERSION}; prepare into a new folder"
        )
    return told

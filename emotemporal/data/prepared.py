"""Reading what `prepare` made: face clips on disk, and what is known of them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion
from emotemporal.storage import digest
from emotemporal.types import FaceClip, Target

FORMAT_VERSION = 1
TEXT_COLUMNS = ("file", "emotion", "subject", "take", "split", "source")


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """Face clips with a row each: file, emotion, subject, take, split, source, num_frames, ...

    An emotion, subject, take or split that is not known is the empty string.
    """

    folder: Path
    name: str
    rows: pd.DataFrame
    crop: CropConfig
    detector: str
    fingerprint: str
    """SHA-256 of the rows, which hold the digest of each clip."""

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, i: int) -> FaceClip:
        """Read one clip.

        Raises:
            ValueError: The file is missing or damaged.
        """
        row = self.rows.iloc[i]
        path = self.folder / str(row["file"])
        try:
            with np.load(path, allow_pickle=False) as arrays:
                crops, times_s = arrays["crops"], arrays["times_s"]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: missing or damaged ({error}); delete it and its file in rows/, and run "
                "'emotemporal prepare' again"
            ) from error
        targets = []
        if row["emotion"]:
            last_s = float(times_s[-1]) + frame_period_s(times_s)
            targets = [Target(float(times_s[0]), last_s, Emotion(str(row["emotion"])))]
        return FaceClip(crops, times_s, targets, str(row["subject"]), str(row["source"]))


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
    if told is None or not told["is_complete"]:
        state = "was not finished" if told else "is not there"
        raise FileNotFoundError(
            f"{folder}: a prepared data set {state}. Run 'emotemporal prepare' on it (again)."
        )
    table = (folder / "clips.csv").read_bytes()
    if digest(table) != told["clips_digest"]:
        raise ValueError(f"{folder}/clips.csv was changed after 'prepare'; run it again")
    rows = pd.read_csv(
        folder / "clips.csv",
        dtype=dict.fromkeys(TEXT_COLUMNS, object),
        keep_default_na=False,
        na_values={"start_s": [""], "end_s": [""]},
    )
    crop = CropConfig.from_json(told["follow"]["crop"])
    return PreparedSet(folder, told["name"], rows, crop, told["detector"], told["clips_digest"])


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return what `prepare` noted about its work; None where it has not begun.

    Raises:
        ValueError: The note is of another format version.
    """
    path = folder / "prepare.json"
    if not path.is_file():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if told.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format version {told.get('format_version')}, this program reads "
            f"{FORMAT_VERSION}; prepare into a new folder"
        )
    return told

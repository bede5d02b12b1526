"""CREMA-D: 91 actors say twelve sentences in six emotions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from emotemporal.data.files import list_files, nothing_found
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.labels import CREMAD_CODES
from emotemporal.reading import read_loose_table
from emotemporal.video.source import VIDEO_SUFFIXES

_NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX|X)"
)

_DEMOGRAPHICS = "VideoDemographics.csv"
_GROUPS = {"Sex": "sex", "Age": "age", "Race": "race", "Ethnicity": "ethnicity"}


def read_cremad(root: Path) -> DatasetTable:
    """Read `VideoFlash/1001_DFA_ANG_XX.flv`, in whatever folder and container the clips are.

    A take is sentence and level. The label is what the actor was asked for, not what viewers saw.
    Who the actors are is read from `VideoDemographics.csv` where it lies in `root` or beside it;
    ages become groups of ten years.
    """
    paths = list_files(root, VIDEO_SUFFIXES)
    actors, problems = _demographics(root)
    records: list[dict[str, object]] = []
    for number, path in enumerate(paths):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None or match["emotion"] not in CREMAD_CODES:
            reason = (
                "not a CREMA-D name: actor, sentence, one of "
                f"{', '.join(CREMAD_CODES)} and level, such as 1001_DFA_ANG_XX"
            )
            remedy = "Rename it as its authors did, or move it out of the folder."
            problems.append(Problem(path, reason, remedy, is_fatal=True))
            continue
        records.append(
            {
                "path": path,
                "emotion": CREMAD_CODES[match["emotion"]].value,
                "subject": match["actor"],
                "take": f"{match['sentence']}_{match['level']}",
                "source_row": number,
                **actors.get(match["actor"], {}),
            }
        )
    if not paths:
        problems.append(nothing_found(root, "VideoFlash/1001_DFA_ANG_XX.flv and so on"))
    groups = tuple(_GROUPS.values()) if actors else ()
    return make_table("cremad", root, "videos", records, problems, groups)


def _demographics(root: Path) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Return what the authors' table says of each actor, and what is wrong with it."""
    found = [path for path in (root / _DEMOGRAPHICS, root.parent / _DEMOGRAPHICS) if path.is_file()]
    if not found:
        reason = "is not there: actors' sex, age and race are not known"
        remedy = "Put it into the root, from the data set's repository, to use --group_by."
        return {}, [Problem(_DEMOGRAPHICS, reason, remedy, is_fatal=False)]
    columns, rows = read_loose_table(found[0])
    if missing := [column for column in ("ActorID", *_GROUPS) if column not in columns]:
        reason = f"has the columns {columns}; {', '.join(missing)} missing"
        return {}, [Problem(_DEMOGRAPHICS, reason, "Fetch it again.", is_fatal=True)]
    return {(row["ActorID"] or "").strip(): _groups_of(row) for _, row in rows}, []


def _groups_of(row: Mapping[str, str]) -> dict[str, str]:
    told = {ours: (row[theirs] or "").strip().lower() for theirs, ours in _GROUPS.items()}
    if told["age"].isdigit():
        decade = int(told["age"]) // 10 * 10
        told["age"] = f"{decade}-{decade + 9}"
    return told

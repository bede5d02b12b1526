"""CREMA-D: 91 actors say twelve sentences in six emotions."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from emotemporal.data.files import VIDEO_SUFFIXES, list_files, nothing_found
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.labels import CREMAD_CODES

_NAME = re.compile(
    r"(?P<actor>1\d{3})_(?P<sentence>[A-Z]{3})_(?P<emotion>[A-Z]{3})_(?P<level>LO|MD|HI|XX|X)"
)


def read_cremad(root: Path) -> DatasetTable:
    """Read `VideoFlash/1001_DFA_ANG_XX.flv`, in whatever folder and container the clips are.

    A take is sentence and level. The label is what the actor was asked for, not what viewers saw.
    """
    paths = list_files(root, VIDEO_SUFFIXES)
    problems: list[Problem] = []
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
            }
        )
    if not paths:
        problems.append(nothing_found(root, "VideoFlash/1001_DFA_ANG_XX.flv and so on"))
    return make_table("cremad", root, "videos", records, problems)

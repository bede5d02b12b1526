"""RAVDESS: 24 actors say two statements in eight emotions, one of which, calm, is not ours."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Literal

from emotemporal.data.files import list_files, nothing_found
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.labels import RAVDESS_CODES, Emotion
from emotemporal.video.source import VIDEO_SUFFIXES

Calm = Literal["drop", "neutral", "refuse"]
_NAME = re.compile(
    r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<rest>0[12]-0[12]-0[12])"
    r"-(?P<actor>\d\d)"
)

_CALM, _SONG = "02", "02"


def read_ravdess(root: Path, calm: Calm = "drop", with_songs: bool = False) -> DatasetTable:
    """Read `Actor_XX/MM-CC-EE-II-SS-RR-AA.mp4`, wherever the actors' folders lie.

    With sound (01) and without (02), the pictures of a take are the same: one of them is kept. Who
    has an even number is a woman, an odd one a man.

    Args:
        root: The folder above the actors' folders.
        calm: What becomes of calm: left out, taken as neutral, or refused.
        with_songs: Keep what is sung beside what is spoken.
    """
    problems: list[Problem] = []
    records: dict[tuple[str, str], dict[str, object]] = {}
    counts = {"calm": 0, "song": 0, "twin": 0}
    paths = list_files(root, VIDEO_SUFFIXES)
    for number, path in enumerate(paths):
        match = _NAME.fullmatch(PurePosixPath(path).stem)
        if match is None:
            reason = "not a RAVDESS name: seven pairs of digits, such as 01-01-03-01-02-01-07"
            remedy = "Rename it as its authors did, or move it out of the folder."
            problems.append(Problem(path, reason, remedy, is_fatal=True))
            continue
        is_calm = match["emotion"] == _CALM
        take = f"{match['channel']}-{match['emotion']}-{match['rest']}"
        key = (match["actor"], take)
        if match["channel"] == _SONG and not with_songs:
            counts["song"] += 1
        elif is_calm and calm != "neutral":
            counts["calm"] += 1
        elif key in records:
            counts["twin"] += 1
        else:
            emotion = Emotion.NEUTRAL if is_calm else RAVDESS_CODES[match["emotion"]]
            records[key] = {
                "path": path,
                "emotion": emotion.value,
                "subject": match["actor"],
                "take": take,
                "sex": "male" if int(match["actor"]) % 2 else "female",
                "source_row": number,
            }
    if not paths:
        problems.append(nothing_found(root, "Actor_01/01-01-01-01-01-01-01.mp4 and so on"))
    problems += _told(counts, calm)
    return make_table("ravdess", root, "videos", list(records.values()), problems, ("sex",))


def _told(counts: dict[str, int], calm: Calm) -> list[Problem]:
    problems = []
    if counts["song"]:
        reason = f"{counts['song']} sung clips left out"
        problems.append(
            Problem("songs", reason, "Keep them with --with_songs true.", is_fatal=False)
        )
    if counts["twin"]:
        reason = f"{counts['twin']} clips left out: the same pictures as a clip that is kept"
        problems.append(Problem("takes", reason, "As it should be.", is_fatal=False))
    if counts["calm"]:
        is_refused = calm == "refuse"
        reason = f"{counts['calm']} clips are calm, which is none of the eight emotions"
        remedy = "Choose --calm drop or --calm neutral." if is_refused else "They are left out."
        problems.append(Problem("calm", reason, remedy, is_fatal=is_refused))
    return problems

"""SAVEE: 480 clips of four men, seven emotions; all namings that are in circulation."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from emotemporal.data.files import list_files, nothing_found
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.labels import SAVEE_CODES
from emotemporal.video.source import VIDEO_SUFFIXES

# Two letters first: 'sa' and 'su' would else be an 's' that SAVEE does not have.
_NAME = re.compile(r"(?:(?P<subject>[A-Za-z]+)[_-])?(?P<code>sa|su|a|d|f|h|n)0*(?P<number>\d+)")
NUM_COMMON_SENTENCES = 3
_MEN = frozenset({"DC", "JE", "JK", "KL"})
_FOLDERS = frozenset({"audiovisualclip", "savee", "alldata", "all"})


def read_savee(root: Path) -> DatasetTable:
    """Read `AudioVisualClip/DC/a1.avi`, also nested, padded (`a01`) or flat (`DC_a01.avi`).

    A take is a sentence. Of each emotion's, in the order in which the authors list them, the first
    three are common to all emotions (`common1` to `common3`); the others are emotion and number:
    what one speaker says in `a4` another does too.

    Source: S. Haq and P. J. B. Jackson, "Multimodal emotion recognition", in W. Wang (ed.), Machine
    Audition, 2010; http://kahlan.eps.surrey.ac.uk/savee/.
    """
    paths = list_files(root, VIDEO_SUFFIXES)
    problems: list[Problem] = []
    records: list[dict[str, object]] = []
    seen: dict[tuple[str, str, str], str] = {}
    for number, path in enumerate(paths):
        record = _record(path, number)
        if isinstance(record, Problem):
            problems.append(record)
            continue
        key = (str(record["subject"]), str(record["emotion"]), str(record["take"]))
        if key in seen:
            reason = f"the same clip of the same speaker as {seen[key]}"
            problems.append(Problem(path, reason, "Keep one of the two.", is_fatal=True))
        seen[key] = path
        records.append(record)
    if not paths:
        problems.append(nothing_found(root, "AudioVisualClip/DC/a1.avi and so on"))
    return make_table("savee", root, "videos", records, problems, groups=("sex",))


def _record(path: str, number: int) -> dict[str, object] | Problem:
    pure = PurePosixPath(path)
    match = _NAME.fullmatch(pure.stem)
    if match is None:
        return Problem(
            path,
            "cannot tell the emotion: SAVEE names are one of "
            f"{', '.join(sorted(SAVEE_CODES))} and a number, such as sa7.avi",
            "Rename the file as its authors did, or move it out of the folder.",
            is_fatal=True,
        )
    subject = match["subject"] or pure.parent.name
    if not subject or subject.lower() in _FOLDERS:
        return Problem(
            path,
            "cannot tell the speaker: no folder and no prefix names one",
            "Put each speaker's clips into a folder of their own: DC, JE, JK, KL.",
            is_fatal=True,
        )
    sentence = int(match["number"])
    is_common = 1 <= sentence <= NUM_COMMON_SENTENCES
    return {
        "path": path,
        "emotion": SAVEE_CODES[match["code"]].value,
        "subject": subject,
        "take": f"common{sentence}" if is_common else f"{match['code']}{sentence}",
        "sex": "male" if subject.upper() in _MEN else "",
        "source_row": number,
    }

"""Your own images, one folder an emotion."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from emotemporal.data.files import (
    list_files,
    nothing_found,
    split_of_folder,
    summarise,
)
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.labels import AFFECTNET_8, parse_emotion
from emotemporal.video.source import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def read_folder(root: Path) -> DatasetTable:
    """Read `[<split>/]<emotion>/<image>`; folders may be called "happy", "Happiness", "1_happy".

    Whom the images show is not known: a folder of your own that shows people more than once
    belongs into a manifest with subjects.
    """
    paths = list_files(root, IMAGE_SUFFIXES)
    problems: list[Problem] = []
    records: list[dict[str, object]] = []
    unknown: dict[str, int] = {}
    for number, path in enumerate(paths):
        folders = PurePosixPath(path).parts[:-1]
        name = folders[-1] if folders else ""
        try:
            emotion = parse_emotion(name).value
        except ValueError:
            unknown[name or "."] = unknown.get(name or ".", 0) + 1
            continue
        splits = [split for part in folders[:-1] if (split := split_of_folder(part)) is not None]
        records.append(
            {
                "path": path,
                "emotion": emotion,
                "split": splits[0] if splits else None,
                "source_row": number,
            }
        )
    for name, count in sorted(unknown.items()):
        reason = f"a folder of {count} images whose name is no emotion"
        remedy = f"Name it as one of {', '.join(AFFECTNET_8.names)}, or move it away."
        problems.append(Problem(name, reason, remedy, is_fatal=True))
    videos = list_files(root, VIDEO_SUFFIXES)
    if videos:
        reason = f"{len(videos)} videos are not read here ({summarise(videos)})"
        remedy = "List them in a manifest (datasets/own.md)."
        problems.append(Problem(str(root), reason, remedy, is_fatal=not paths))
    elif not paths:
        problems.append(nothing_found(root, "a folder an emotion, with images"))
    return make_table("folder", root, "images", records, problems)

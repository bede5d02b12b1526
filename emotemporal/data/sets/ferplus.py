"""FER+: FER2013's grey 48 px images with ten votes each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from emotemporal.data.files import keep_later, nothing_found
from emotemporal.data.table import VOTE_COLUMNS, DatasetTable, Problem, Split, make_table
from emotemporal.labels import AFFECTNET_8
from emotemporal.reading import UnreadableError, read_table

VoteRule = Literal["strict", "votes", "majority"]
SingleVotes = Literal["keep", "drop"]
_USAGES: Mapping[str, tuple[Split, str]] = {
    "Training": ("train", "FER2013Train"),
    "PublicTest": ("validation", "FER2013Valid"),
    "PrivateTest": ("test", "FER2013Test"),
}
_NAMES = AFFECTNET_8.names
_NOT_EMOTIONS = ("unknown", "NF")


def read_ferplus(
    root: Path, vote_rule: VoteRule = "strict", single_votes: SingleVotes = "keep"
) -> DatasetTable:
    """Read `fer2013new.csv` and the folders beside it, joined by the images' names.

    Args:
        root: The folder that holds the list and `FER2013Train`, `FER2013Valid`, `FER2013Test`.
        vote_rule: `strict` keeps an image if more than half of its votes go to one of the eight
            emotions. `votes` keeps every image with a vote for an emotion, unless most of its
            votes say "unknown" or "no face"; without a strict majority it has votes and no name.
            `majority` keeps what `strict` keeps and forgets the votes: one emotion an image.
        single_votes: `drop` takes an emotion's vote away where it is the only one for it, as an
            outlier (as Barsoum et al. 2016 do; their section 3), unless no other vote is left. The
            majority is that of all votes either way.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give FER+'s own with --root.")
    path = root / "fer2013new.csv"
    if not path.is_file():
        problem = nothing_found(root, "fer2013new.csv and FER2013Train, FER2013Valid, FER2013Test")
        return make_table("ferplus", root, "images", [], [problem])
    columns, rows = read_table(path)
    missing = sorted({"Usage", "Image name", *_NAMES, *_NOT_EMOTIONS} - set(columns))
    if missing:
        reason = f"there is no column {', '.join(missing)}"
        problem = Problem("fer2013new.csv:1", reason, "Get the list again.", is_fatal=True)
        return make_table("ferplus", root, "images", [], [problem])
    named = [(number, row) for number, row in rows if row["Image name"]]
    # Later first, then the rule: a name's later row counts even where the rule drops it.
    records, problems = keep_later([_record(number, row) for number, row in named])
    kept = [record for record in records if _is_kept(record, vote_rule)]
    if single_votes == "drop":
        kept = [{**record, **_without_single_votes(record)} for record in kept]
    problems = [*problems, *_told(len(rows) - len(named), len(records) - len(kept), vote_rule)]
    dropped = (*_NOT_EMOTIONS, *(VOTE_COLUMNS if vote_rule == "majority" else ()))
    for record in kept:
        for column in dropped:
            del record[column]
    return make_table("ferplus", root, "images", kept, problems)


def _record(number: int, row: Mapping[str, str]) -> dict[str, object]:
    try:
        votes = {name: int(row[name]) for name in (*_NAMES, *_NOT_EMOTIONS)}
        split, folder = _USAGES[row["Usage"]]
    except (KeyError, ValueError) as error:
        raise UnreadableError(
            f"fer2013new.csv, row {number}: a vote that is no number, or an unknown usage ({error})"
        ) from error
    # One list row has nine votes: more than half of those cast, not of ten.
    half = sum(votes.values()) / 2
    return {
        "path": f"{folder}/{row['Image name']}",
        "emotion": next((name for name in _NAMES if votes[name] > half), None),
        "split": split,
        "source_row": number,
        **dict(zip(VOTE_COLUMNS, (float(votes[name]) for name in _NAMES), strict=True)),
        **{name: votes[name] > half for name in _NOT_EMOTIONS},
    }


def _is_kept(record: Mapping[str, object], vote_rule: VoteRule) -> bool:
    if vote_rule != "votes":
        return record["emotion"] is not None
    is_no_face = any(bool(record[name]) for name in _NOT_EMOTIONS)
    return not is_no_face and any(record[column] for column in VOTE_COLUMNS)


def _without_single_votes(record: Mapping[str, object]) -> Mapping[str, float]:
    left = {column: record[column] for column in VOTE_COLUMNS}
    supported = {column: 0.0 if votes == 1 else votes for column, votes in left.items()}
    return cast("Mapping[str, float]", supported if any(supported.values()) else left)


def _told(num_unnamed: int, num_dropped: int, vote_rule: VoteRule) -> list[Problem]:
    rule = "mostly unknown or no face" if vote_rule == "votes" else "without a strict majority"
    reasons = [
        (num_unnamed, f"{num_unnamed} rows name no image (all votes: no face)"),
        (num_dropped, f"{num_dropped} images {rule} left out"),
    ]
    return [
        Problem("fer2013new.csv", reason, "As it should be.", is_fatal=False)
        for count, reason in reasons
        if count
    ]

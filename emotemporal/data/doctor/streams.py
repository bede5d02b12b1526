"""What `doctor` says of streams: counts, what cuts tell, what is missing, and how they look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from jaxtyping import UInt8
from scipy.stats import binomtest

from emotemporal.data.doctor.report import DoctorReport, Section
from emotemporal.data.prepared import PreparedSet, load_prepared
from emotemporal.data.streams.table import TRUTH_FILE, read_segments
from emotemporal.data.table import DatasetTable, Problem, make_table
from emotemporal.data.twins import Twins
from emotemporal.preprocess import PreprocessConfig, preprocess
from emotemporal.storage import digest
from emotemporal.video.image import write_image

_LEAST_P = 1e-3  # one good set in a thousand would be refused
_CELLS = 20
_CELL_PX = 80
_TEXT_PX = 16


def examine_streams(
    folder: Path, show: int, show_file: Path, look: PreprocessConfig
) -> DoctorReport:
    """Look over what `streams` made: every file, the counts, and what a cut says.

    Raises:
        FileNotFoundError: The folder is no finished set of streams.
        ValueError: It is one of clips, or its tables were changed.
    """
    prepared = load_prepared(folder)
    if prepared.kind != "streams":
        raise ValueError(f"{folder} holds clips that 'prepare' made; look at the data set's own")
    truth = read_segments(folder)
    problems = [*_damaged(prepared), *_telling_cuts(truth)]
    sections = [_emotions(truth), _cuts(truth), _frames(prepared), _stills(prepared, truth)]
    if show:
        show_streams(prepared, show, show_file, look)
        size = look.size_px
        told = f"{show_file}: a stream a line, as the network sees it, {size} x {size} px"
        sections.append(Section("Pictures", (told,)))
    num_bad = sum(problem.path_or_row.endswith(".npz") for problem in problems)
    alone = np.arange(len(prepared))
    twins = Twins(alone, alone, np.zeros((0, 2), dtype=np.int64))
    return DoctorReport(_table(prepared, problems), twins, tuple(sections), num_bad)


def show_streams(prepared: PreparedSet, count: int, path: Path, look: PreprocessConfig) -> None:
    """Draw a line a stream of equally distant moments, with what is true beside each.

    Raises:
        ValueError: A picture of that name cannot be written, or a stream is damaged.
    """
    lines = [_line(prepared, i, look) for i in range(min(count, len(prepared)))]
    write_image(path, np.concatenate(lines, axis=0))


def _line(prepared: PreparedSet, i: int, look: PreprocessConfig) -> UInt8[np.ndarray, "h w 3"]:
    clip = prepared.load(i)
    times_s = np.linspace(0, clip.times_s[-1], _CELLS, endpoint=False)
    frames = np.searchsorted(clip.times_s, times_s, side="right") - 1
    cells = []
    for time_s, view in zip(times_s, preprocess(clip.crops[frames], look), strict=True):
        # Nearest: the pixels that the network gets, not a smoothed idea of them.
        face = cv2.resize(view, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_NEAREST)
        shown = next(t.emotion for t in clip.targets if time_s < t.end_s)
        text = np.full((_TEXT_PX, _CELL_PX, 3), 255, dtype=np.uint8)
        label = f"{shown.value} {time_s:.1f}"
        cv2.putText(text, label, (2, 11), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(np.concatenate([face, text], axis=0))
    return np.concatenate(cells, axis=1)


def _damaged(prepared: PreparedSet) -> list[Problem]:
    remedy = "Delete it and its file in rows/, and run 'emotemporal streams' again."
    return [
        Problem(file, "it is missing or was changed", remedy, is_fatal=True)
        for file, written in zip(prepared.rows["file"], prepared.rows["digest"], strict=True)
        if not (path := prepared.folder / file).is_file() or digest(path.read_bytes()) != written
    ]


def _telling_cuts(truth: pd.DataFrame) -> list[Problem]:
    cuts = truth[truth["segment"] > 0]
    if cuts.empty or binomtest(int(cuts["is_change"].sum()), len(cuts), 0.5).pvalue >= _LEAST_P:
        return []
    share = cuts["is_change"].mean()
    reason = f"{share:.1%} of {len(cuts)} cuts lead to another emotion: a cut tells the label"
    return [Problem(TRUTH_FILE, reason, "Make streams with --plan.same_share 0.5.", is_fatal=True)]


def _emotions(truth: pd.DataFrame) -> Section:
    lasts_s = (truth["end_s"] - truth["start_s"]).groupby(truth["emotion"]).sum()
    lines = [f"{'emotion':<11}{'segments':>9}{'seconds':>9}{'share':>7}{'stills':>8}"]
    for emotion, rows in truth.groupby("emotion"):
        stills = {*rows["still"], *rows["second_still"]} - {""}
        share = lasts_s[emotion] / lasts_s.sum()
        lines.append(
            f"{emotion:<11}{len(rows):>9}{lasts_s[emotion]:>9.0f}{share:>7.1%}{len(stills):>8}"
        )
    return Section("Counts", tuple(lines))


def _cuts(truth: pd.DataFrame) -> Section:
    cuts = truth[truth["segment"] > 0]
    lines = [
        _share("cuts", cuts),
        *(
            _share(told, cuts[cuts["transition"] == kind])
            for kind, told in (("cut", "of these sudden"), ("blend", "of these blended"))
        ),
    ]
    blends_s = cuts.loc[cuts["transition"] == "blend"].groupby("is_change")["blend_s"].mean()
    lines += [
        f"mean blend to {'another' if changes else 'the same'} emotion: {mean_s:.3f} s"
        for changes, mean_s in blends_s.items()
    ]
    return Section("Cuts", tuple(lines))


def _share(what: str, cuts: pd.DataFrame) -> str:
    if cuts.empty:
        return f"0 {what}"
    num = int(cuts["is_change"].sum())
    interval = binomtest(num, len(cuts)).proportion_ci(method="wilson")
    share = f"{num / len(cuts):.1%} [{interval.low:.1%}, {interval.high:.1%}]"
    return f"{len(cuts)} {what}, to another emotion {num}: {share}"


def _frames(prepared: PreparedSet) -> Section:
    rows = prepared.rows
    lost = 1 - float(np.average(rows["detected_share"], weights=rows["duration_s"]))
    minutes = float(rows["duration_s"].sum()) / 60
    return Section(
        "Frames",
        (
            f"{int(rows['num_frames'].sum())} of {prepared.crop.size_px} px in {minutes:.1f} "
            f"minutes; {lost:.1%} missing",
        ),
    )


def _stills(prepared: PreparedSet, truth: pd.DataFrame) -> Section:
    shown = pd.concat([truth["still"], truth["second_still"]])
    counts = shown[shown != ""].value_counts()
    streams = prepared.rows["stills"].str.split(";").explode().value_counts()
    most = f"the most used {counts.index[0]} {counts.iloc[0]} times"
    told = f"{len(counts)} stills in {len(truth)} segments; {most}; in {streams.iloc[0]} streams"
    return Section("Stills", (told,))


def _table(prepared: PreparedSet, problems: Sequence[Problem]) -> DatasetTable:
    rows = prepared.rows.rename(columns={"file": "path"})
    columns = ["path", "emotion", "subject", "take", "split", "source_row"]
    records = [{str(k): v for k, v in row.items()} for row in rows[columns].to_dict("records")]
    return make_table("streams", prepared.folder, "videos", records, problems)

"""The commands: a line of help, what runs each, and shorter words for its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from emotemporal import jobs


@dataclass(frozen=True)
class Command:
    """One job: its line in the help, what runs it, and shorter words for its options."""

    summary: str
    run: Callable[[Sequence[str]], int]
    aliases: Mapping[str, str]
    """Options that may be written shorter."""
    positional: str | None = None
    """The option that leading words without dashes belong to."""


_DATA = {"--dataset": "--data.name"} | {
    f"--{name}": f"--data.{name}"
    for name in (
        "root",
        "layout",
        "digit_order",
        "has_header",
        "vote_rule",
        "single_votes",
        "calm",
        "with_songs",
        "manifest",
        "split_file",
        "exclude",
        "max_bad_share",
        "shared_twins",
    )
}
"""What data sets are told, by every job that reads one: `--root DIR` for `--data.root DIR`."""

_STILLS = _DATA | {f"--{name}": f"--stills.{name}" for name in ("split", "part", "twin_free_of")}


COMMANDS: Mapping[str, Command] = {
    "demo": Command(
        "the main job on data it draws itself: train, compare, live", jobs.run_demo, {}
    ),
    "doctor": Command(
        "say what is in a data set and what is wrong with it", jobs.run_doctor, _DATA, "--data.name"
    ),
    "split": Command(
        "make train, validation and test by subject and twins", jobs.run_split, _DATA, "--data.name"
    ),
    "prepare": Command(
        "find the faces in a video data set, once", jobs.run_prepare, _DATA, "--data.name"
    ),
    "streams": Command(
        "make streams of changing expressions out of stills",
        jobs.run_streams,
        _STILLS,
        "--data.name",
    ),
    "pretrain": Command("train a frame encoder on images", jobs.run_pretrain, _DATA, "--data.name"),
    "finetune": Command("train a temporal head on prepared clips", jobs.run_finetune, {}),
    "calibrate": Command(
        "find a checkpoint's temperature and thresholds",
        jobs.run_calibrate,
        _DATA,
        "--data.name",
    ),
    "evaluate": Command(
        "judge a checkpoint on a data set", jobs.run_evaluate, _DATA, "--data.name"
    ),
    "compare": Command("frame models against clip models, with statistics", jobs.run_compare, {}),
    "null_check": Command(
        "how often a comparison's tests find a difference where none is", jobs.run_null_check, {}
    ),
    "crossval": Command("finetune over folds of speakers, encoder and all", jobs.run_crossval, {}),
    "smoothing": Command(
        "find the steadiest smoother at each lag; what --max_lag picks from", jobs.run_smoothing, {}
    ),
    "export": Command(
        "write a checkpoint for ONNX Runtime, as int8, or smaller", jobs.run_export, _DATA
    ),
    "benchmark": Command(
        "how fast: live, encoder, decode, data or train, in one table", jobs.run_benchmark, _DATA
    ),
    "ablate": Command(
        "named changes against a base, in one table", jobs.run_ablate, {"--set": "--set+"}, "--grid"
    ),
    "predict": Command(
        "a table of probabilities over time, of files", jobs.run_predict, {}, "--paths"
    ),
    "live": Command(
        "follow, judge and draw faces of a camera or a file", jobs.run_live, {}, "--source"
    ),
    "record": Command(
        "a test set of your own: emotions acted on cue, with truth", jobs.run_record, {}
    ),
    "serve": Command("a page in the browser that judges a camera or a file", jobs.run_serve, {}),
}

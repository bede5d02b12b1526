"""The jobs, and what runs each. What one can be told stands in its config dataclass.

Each imports its room when it is asked for, and not before: help, and a wrong word, cost nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


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


def _demo(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.demo import DemoConfig, demo

    print(demo(parse_config(DemoConfig, words, "emotemporal demo")))
    return 0


def _doctor(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.data.doctor import DoctorConfig, doctor

    config = parse_config(DoctorConfig, _name_picture(words), "emotemporal doctor")
    report = doctor(config)
    print(report)
    return 0 if report.is_usable else 2


def _name_picture(words: Sequence[str]) -> list[str]:
    """Let `--show 32 batch.png` say how many and where; the number alone leaves the default."""
    named = list(words)
    for i, word in enumerate(words[:-2]):
        if word == "--show" and not words[i + 2].startswith("-"):
            named.insert(i + 2, "--show_file")
    return named


def _split(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.data.splits import SplitConfig, make_splits

    print(make_splits(parse_config(SplitConfig, words, "emotemporal split")))
    return 0


def _prepare(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.data.prepare import PrepareJobConfig, prepare_dataset

    print(prepare_dataset(parse_config(PrepareJobConfig, words, "emotemporal prepare")))
    return 0


def _streams(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.data.streams import StreamsConfig, make_streams

    print(make_streams(parse_config(StreamsConfig, words, "emotemporal streams")))
    return 0


def _pretrain(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.train.pretrain import PretrainConfig, pretrain

    config = parse_config(PretrainConfig, words, "emotemporal pretrain")
    pretrain(config)
    print(f"checkpoint: {config.run.out}/best.safetensors")
    return 0


def _finetune(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.train.finetune import FinetuneConfig, finetune

    config = parse_config(FinetuneConfig, words, "emotemporal finetune")
    finetune(config)
    print(f"checkpoint: {config.run.out}/best.safetensors")
    return 0


def _evaluate(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
    from emotemporal.evaluation.outcome import as_text

    print(as_text(evaluate(parse_config(EvaluateConfig, words, "emotemporal evaluate"))))
    return 0


def _calibrate(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.evaluation.calibrate import CalibrateConfig, calibrate

    print(calibrate(parse_config(CalibrateConfig, words, "emotemporal calibrate")))
    return 0


def _compare(words: Sequence[str]) -> int:
    from emotemporal.ablate.compare import CompareConfig, compare
    from emotemporal.config import parse_config
    from emotemporal.evaluation.report import as_text

    config = parse_config(CompareConfig, words, "emotemporal compare")
    print(as_text(compare(config)))
    print(f"report: {config.out}/report.html")
    return 0


def _null_check(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.evaluation.null_check import NullCheckConfig, check_null

    print(check_null(parse_config(NullCheckConfig, words, "emotemporal null_check")))
    return 0


def _crossval(words: Sequence[str]) -> int:
    from emotemporal.ablate.crossval import CrossvalConfig, crossval
    from emotemporal.config import parse_config

    config = parse_config(CrossvalConfig, words, "emotemporal crossval")
    print(crossval(config))
    print(f"predictions: {config.out}/predictions")
    return 0


def _ablate(words: Sequence[str]) -> int:
    from emotemporal.ablate.ablate import AblateConfig, ablate, ablate_one, write_sweep
    from emotemporal.ablate.formats import as_text
    from emotemporal.config import parse_config

    config = parse_config(AblateConfig, words, "emotemporal ablate")
    if config.sweep_file:
        print(f"sweep: {write_sweep(config)}")
        return 0
    if config.only:
        return 1 if ablate_one(config) else 0
    ablation = ablate(config)
    print(as_text(ablation))
    return 1 if ablation.failures else 0


def _predict(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.live.predict import PredictConfig, predict

    config = parse_config(PredictConfig, words, "emotemporal predict")
    summary = predict(config)
    is_table_on_stdout = config.csv is None and config.out is None
    print(summary, file=sys.stderr if is_table_on_stdout else sys.stdout)
    return 0 if summary.is_complete else 1


def _live(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.live.runner import LiveConfig, run_live

    print(run_live(parse_config(LiveConfig, words, "emotemporal live")))
    return 0


def _record(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.live.record import RecordConfig, record

    # `--prompts` alone asks for the usual ones.
    is_bare = [
        word == "--prompts" and (not after or after.startswith("-"))
        for word, after in zip(words, [*words[1:], ""], strict=True)
    ]
    named = [word for word, bare in zip(words, is_bare, strict=True) if not bare]
    summary = record(parse_config(RecordConfig, named, "emotemporal record"))
    print(summary)
    return 0 if summary.is_complete else 75  # run it again


def _serve(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.live.serve.config import ServeConfig
    from emotemporal.live.serve.run import serve

    serve(parse_config(ServeConfig, words, "emotemporal serve"))
    return 0


def _smoothing(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.evaluation.smoothing_report import as_text
    from emotemporal.evaluation.smoothing_study import SmoothingStudyConfig, run_smoothing_study

    config = parse_config(SmoothingStudyConfig, words, "emotemporal smoothing")
    print(as_text(run_smoothing_study(config)))
    print(f"report: {config.out}/report.html")
    return 0


def _export(words: Sequence[str]) -> int:
    from emotemporal.config import parse_config
    from emotemporal.export.job import ExportConfig, export

    print(export(parse_config(ExportConfig, words, "emotemporal export")))
    return 0


def _benchmark(words: Sequence[str]) -> int:
    from emotemporal.benchmark.job import HELP, benchmark

    if words and words[0] in ("-h", "--help"):
        print(HELP)
        sys.exit(0)
    print(benchmark(words))
    return 0


COMMANDS: Mapping[str, Command] = {
    "demo": Command("the main job on data it draws itself: train, compare, live", _demo, {}),
    "doctor": Command(
        "say what is in a data set and what is wrong with it", _doctor, _DATA, "--data.name"
    ),
    "split": Command(
        "make train, validation and test by subject and twins", _split, _DATA, "--data.name"
    ),
    "prepare": Command("find the faces in a video data set, once", _prepare, _DATA, "--data.name"),
    "streams": Command(
        "make streams of changing expressions out of stills", _streams, _STILLS, "--data.name"
    ),
    "pretrain": Command("train a frame encoder on images", _pretrain, _DATA),
    "finetune": Command("train a temporal head on prepared clips", _finetune, {}),
    "calibrate": Command("find a checkpoint's temperature and thresholds", _calibrate, _DATA),
    "evaluate": Command("judge a checkpoint on a data set", _evaluate, _DATA),
    "compare": Command("frame models against clip models, with statistics", _compare, {}),
    "null_check": Command(
        "how often a comparison's tests find a difference where none is", _null_check, {}
    ),
    "crossval": Command("finetune over folds of speakers, encoder and all", _crossval, {}),
    "smoothing": Command(
        "find the steadiest smoother at each lag; what --max_lag picks from", _smoothing, {}
    ),
    "export": Command("write a checkpoint for ONNX Runtime, as int8, or smaller", _export, _DATA),
    "benchmark": Command(
        "how fast: live, encoder, decode, data or train, in one table", _benchmark, _DATA
    ),
    "ablate": Command(
        "named changes against a base, in one table", _ablate, {"--set": "--set+"}, "--grid"
    ),
    "predict": Command("a table of probabilities over time, of files", _predict, {}, "--paths"),
    "live": Command("follow, judge and draw faces of a camera or a file", _live, {}),
    "record": Command("a test set of your own: emotions acted on cue, with truth", _record, {}),
    "serve": Command("a page in the browser that judges a camera or a file", _serve, {}),
}

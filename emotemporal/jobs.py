"""What each command does with its words: parse its config, run it, print what came out.

Each imports its room when it is asked for, and not before: help, and a wrong word, cost nothing.
All return the exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def run_demo(words: Sequence[str]) -> int:
    """Run `demo`."""
    from emotemporal.config import parse_config
    from emotemporal.demo import DemoConfig, demo

    print(demo(parse_config(DemoConfig, words, "emotemporal demo")))
    return 0


def run_doctor(words: Sequence[str]) -> int:
    """Run `doctor`."""
    from emotemporal.config import parse_config
    from emotemporal.data.doctor.examine import DoctorConfig, doctor

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


def run_split(words: Sequence[str]) -> int:
    """Run `split`."""
    from emotemporal.config import parse_config
    from emotemporal.data.splits import SplitConfig, make_splits

    print(make_splits(parse_config(SplitConfig, words, "emotemporal split")))
    return 0


def run_prepare(words: Sequence[str]) -> int:
    """Run `prepare`."""
    from emotemporal.config import parse_config
    from emotemporal.data.prepare import PrepareJobConfig, prepare_dataset

    print(prepare_dataset(parse_config(PrepareJobConfig, words, "emotemporal prepare")))
    return 0


def run_streams(words: Sequence[str]) -> int:
    """Run `streams`."""
    from emotemporal.config import parse_config
    from emotemporal.data.streams.make import StreamsConfig, make_streams

    print(make_streams(parse_config(StreamsConfig, words, "emotemporal streams")))
    return 0


def run_pretrain(words: Sequence[str]) -> int:
    """Run `pretrain`."""
    from emotemporal.config import parse_config
    from emotemporal.train.pretrain import PretrainConfig, pretrain

    config = parse_config(PretrainConfig, words, "emotemporal pretrain")
    pretrain(config)
    print(f"checkpoint: {config.run.out}/best.safetensors")
    return 0


def run_finetune(words: Sequence[str]) -> int:
    """Run `finetune`."""
    from emotemporal.config import parse_config
    from emotemporal.train.finetune import FinetuneConfig, finetune

    config = parse_config(FinetuneConfig, words, "emotemporal finetune")
    finetune(config)
    print(f"checkpoint: {config.run.out}/best.safetensors")
    return 0


def run_evaluate(words: Sequence[str]) -> int:
    """Run `evaluate`."""
    from emotemporal.config import parse_config
    from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
    from emotemporal.evaluation.outcome import as_text

    print(as_text(evaluate(parse_config(EvaluateConfig, words, "emotemporal evaluate"))))
    return 0


def run_calibrate(words: Sequence[str]) -> int:
    """Run `calibrate`."""
    from emotemporal.config import parse_config
    from emotemporal.evaluation.calibration.calibrate import CalibrateConfig, calibrate

    print(calibrate(parse_config(CalibrateConfig, words, "emotemporal calibrate")))
    return 0


def run_compare(words: Sequence[str]) -> int:
    """Run `compare`."""
    from emotemporal.ablate.compare import CompareConfig, compare
    from emotemporal.config import parse_config
    from emotemporal.evaluation.comparison.report import as_text

    config = parse_config(CompareConfig, words, "emotemporal compare")
    print(as_text(compare(config)))
    print(f"report: {config.out}/report.html")
    return 0


def run_null_check(words: Sequence[str]) -> int:
    """Run `null_check`."""
    from emotemporal.config import parse_config
    from emotemporal.evaluation.comparison.null_check import NullCheckConfig, check_null

    print(check_null(parse_config(NullCheckConfig, words, "emotemporal null_check")))
    return 0


def run_crossval(words: Sequence[str]) -> int:
    """Run `crossval`."""
    from emotemporal.ablate.crossval import CrossvalConfig, crossval
    from emotemporal.config import parse_config

    config = parse_config(CrossvalConfig, words, "emotemporal crossval")
    print(crossval(config))
    print(f"predictions: {config.out}/predictions")
    return 0


def run_ablate(words: Sequence[str]) -> int:
    """Run `ablate`."""
    from emotemporal.ablate.ablate import AblateConfig, ablate, ablate_one, write_sweep
    from emotemporal.ablate.report.formats import as_text
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


def run_predict(words: Sequence[str]) -> int:
    """Run `predict`."""
    from emotemporal.config import parse_config
    from emotemporal.live.predict import PredictConfig, predict

    config = parse_config(PredictConfig, words, "emotemporal predict")
    summary = predict(config)
    is_table_on_stdout = config.csv is None and config.out is None
    print(summary, file=sys.stderr if is_table_on_stdout else sys.stdout)
    return 0 if summary.is_complete else 1


def run_live(words: Sequence[str]) -> int:
    """Run `live`."""
    from emotemporal.config import parse_config
    from emotemporal.live.runner import LiveConfig, run_live

    print(run_live(parse_config(LiveConfig, words, "emotemporal live")))
    return 0


def run_record(words: Sequence[str]) -> int:
    """Run `record`."""
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


def run_serve(words: Sequence[str]) -> int:
    """Run `serve`."""
    from emotemporal.config import parse_config
    from emotemporal.live.serve.config import ServeConfig
    from emotemporal.live.serve.run import serve

    serve(parse_config(ServeConfig, words, "emotemporal serve"))
    return 0


def run_smoothing(words: Sequence[str]) -> int:
    """Run `smoothing`."""
    from emotemporal.config import parse_config
    from emotemporal.evaluation.stability.report import as_text
    from emotemporal.evaluation.stability.study import SmoothingStudyConfig, run_smoothing_study

    config = parse_config(SmoothingStudyConfig, words, "emotemporal smoothing")
    print(as_text(run_smoothing_study(config)))
    print(f"report: {config.out}/report.html")
    return 0


def run_export(words: Sequence[str]) -> int:
    """Run `export`."""
    from emotemporal.config import parse_config
    from emotemporal.export.job import ExportConfig, export

    print(export(parse_config(ExportConfig, words, "emotemporal export")))
    return 0


def run_benchmark(words: Sequence[str]) -> int:
    """Run `benchmark`."""
    from emotemporal.benchmark.job import HELP, benchmark

    if words and words[0] in ("-h", "--help"):
        print(HELP)
        sys.exit(0)
    print(benchmark(words))
    return 0

"""`smoothing`: which filter steadies a network's labels best at what lag, tuned, then tested."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emotemporal.config import to_plain
from emotemporal.data.prepared import load_prepared
from emotemporal.evaluation.stability.card import make_card
from emotemporal.evaluation.stability.grid import ChoiceConfig, GridConfig
from emotemporal.evaluation.stability.own_takes import TRUTH_FILE, OwnTakes
from emotemporal.evaluation.stability.report import write_study
from emotemporal.evaluation.stability.results import (
    MethodSets,
    SmoothingStudy,
    StudyRules,
    study_streams,
)
from emotemporal.evaluation.stability.stream_sets import (
    JudgedModel,
    PreparedStreams,
    StreamsJudgeConfig,
    StreamSource,
    judge_streams,
)
from emotemporal.evaluation.stability.takes import ConcatenatedTakes, TakesConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.inference.card import card_path, fingerprint_of, write_card
from emotemporal.inference.load import LoadedModel, load_model
from emotemporal.labels import Emotion, LabelSpace, parse_label_space
from emotemporal.run_folder import git_commit

_log = logging.getLogger(__name__)

_PLACES = ("tune", "test", "takes", "checkpoint", "learned", "out")
"""Where things lie on this machine. A card travels, and tells them by fingerprint."""


@dataclass(frozen=True)
class SmoothingStudyConfig:
    """Measure smoothers and learned filters on streams; write the checkpoint's smoothing card.

    Every setting is chosen on the streams of `tune`, frozen, and reported on those of `test`.
    """

    tune: str
    """A folder that `streams` filled: settings are chosen on it."""
    test: str
    """Another one, which shares no picture with it: figures are of it."""
    out: str
    """Report, tables, and what the networks said, so that a second run takes seconds."""
    checkpoint: str | None = None
    """The frame model whose answers are smoothed; none takes the one that ships."""
    learned: list[str] = field(default_factory=list)
    """Checkpoints with a memory, as finetune makes them: their labels are chosen by the same
    rules, without a smoother."""
    takes: str | None = None
    """A prepared set of labelled clips: each speaker's are put one after the other and judged with
    the same frozen settings. Or a folder that `record` filled: each take is a stream."""
    labels: str | None = None
    """Among which emotions to judge, such as `neutral,happiness,fear`; by default those that the
    streams to tune on show. Others are masked and the rest renormalised."""
    judge: StreamsJudgeConfig = field(default_factory=StreamsJudgeConfig)
    grid: GridConfig = field(default_factory=GridConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    bootstrap: BootstrapConfig = field(default_factory=lambda: BootstrapConfig(2000))
    orders: TakesConfig = field(default_factory=TakesConfig)
    write_cards: bool = True
    """Put each checkpoint's card beside it, where `live --max_lag` finds it; there is a copy in
    `out` in any case."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        if Path(self.tune).resolve() == Path(self.test).resolve():
            raise ValueError(
                f"tune and test are both {self.tune}; what is chosen must not be what is reported"
            )

    @property
    def rules(self) -> StudyRules:
        """What is tried, what it must keep to, and how intervals are made."""
        return StudyRules(self.grid, self.choice, self.bootstrap)


def run_smoothing_study(config: SmoothingStudyConfig) -> SmoothingStudy:
    """Judge, tune, freeze, test, and write report and cards.

    Raises:
        FileNotFoundError: A folder or a checkpoint is missing.
        CheckpointError: A checkpoint cannot be used on these streams.
        ValueError: Streams whose truth is unknown, shared pictures, or no setting fast enough.
    """
    # Of what ships, the file that training wrote: int8 beside it has the same card.
    own = load_model(config.checkpoint, "auto" if config.checkpoint else "torch", config.device)
    return study_models(config, own, [load_model(p, "auto", config.device) for p in config.learned])


def study_models(
    config: SmoothingStudyConfig, frame_model: LoadedModel, learned: Sequence[LoadedModel]
) -> SmoothingStudy:
    """Do what `run_smoothing_study` does, with networks that are open already."""
    tune, test = (PreparedStreams(load_prepared(Path(f))) for f in (config.tune, config.test))
    _refuse_shared(tune, test)
    models = [JudgedModel("frame model", frame_model, config.judge)]
    models += [JudgedModel(_name(m, learned), m, config.judge) for m in learned]
    if frame_model.meta.model.head != "frame":
        _log.warning("%s has a memory: simple smoothers add to what it does", frame_model.path)
    labels = _labels(config, models, tune)
    takes = _takes(config, labels, frame_model.meta.crop)
    cache = Path(config.out) / "judged"

    def judge(source: StreamSource) -> MethodSets:
        first, *others = (judge_streams(model, source, labels, cache) for model in models)
        names = [model.name for model in models[1:]]
        return MethodSets(first, dict(zip(names, others, strict=True)))

    study = study_streams(
        judge(tune),
        judge(test),
        judge(takes) if takes else None,
        config.rules,
        {
            "commit": git_commit(),
            "checkpoints": {model.name: model.model.digest for model in models},
            "tune_fingerprint": tune.fingerprint,
            "test_fingerprint": test.fingerprint,
            "takes_fingerprint": takes.fingerprint if takes else None,
            "config": {k: v for k, v in to_plain(config).items() if k not in _PLACES},
        },
    )
    write_study(study, Path(config.out))
    _write_cards(config, models, study)
    return study


def _refuse_shared(tune: PreparedStreams, test: PreparedStreams) -> None:
    shared = sorted(tune.stills & test.stills)
    if shared or tune.fingerprint == test.fingerprint:
        told = f"{len(shared)} pictures, such as {shared[0]}" if shared else "all streams"
        raise ValueError(
            f"{tune.prepared.folder} and {test.prepared.folder} share {told}; settings tuned on "
            "one would be tested on themselves. Make the streams of different parts or splits"
        )


def _name(model: LoadedModel, learned: Sequence[LoadedModel]) -> str:
    """Return a learned filter's name: its file's, with the folder's where two are called alike."""
    stem = model.path.stem
    is_alone = sum(other.path.stem == stem for other in learned) == 1
    return f"learned {stem if is_alone else f'{model.path.absolute().parent.name}/{stem}'}"


def _labels(
    config: SmoothingStudyConfig, models: Sequence[JudgedModel], tune: PreparedStreams
) -> LabelSpace:
    if config.labels is not None:
        labels = parse_label_space(config.labels)
    else:
        labels = LabelSpace(tuple(e for e in Emotion if e in tune.emotions))
    for model in models:
        labels.indices_in(model.meta.labels)
        if masked := [e.value for e in model.meta.labels.emotions if e not in labels]:
            _log.info("%s: %s masked, the rest renormalised", model.name, ", ".join(masked))
    return labels


def _takes(
    config: SmoothingStudyConfig, labels: LabelSpace, crop: CropConfig
) -> ConcatenatedTakes | OwnTakes | None:
    if config.takes is None:
        return None
    folder = Path(config.takes)
    takes: ConcatenatedTakes | OwnTakes
    if (folder / TRUTH_FILE).is_file():
        takes = OwnTakes(folder, labels, crop)
    else:
        takes = ConcatenatedTakes(load_prepared(folder), labels, config.orders)
    if takes.num_left_out:
        _log.info("%s: %d clips of other emotions left out", takes.name, takes.num_left_out)
    return takes


def _write_cards(
    config: SmoothingStudyConfig, models: Sequence[JudgedModel], study: SmoothingStudy
) -> None:
    for model in models:
        method = None if model is models[0] else model.name
        below = model.caution(LabelSpace.from_names(study.labels)).uncertain_below
        fingerprint = fingerprint_of(model.meta)
        card = make_card(study, method, fingerprint, config.judge.prior, below)
        path = card_path(model.model.path)
        write_card(card, Path(config.out) / "cards" / path.name)
        if config.write_cards:
            write_card(card, path)
            _log.info("smoothing card: %s", path)

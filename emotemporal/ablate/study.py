"""What a comparison is of: its settings, and the clips, labels and folds that they give."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emotemporal.ablate.nested import as_rows
from emotemporal.baselines.frame_votes import FRAME_VOTES, FrameVoteConfig
from emotemporal.config import to_yaml
from emotemporal.data.prepare import load_prepared
from emotemporal.evaluation.protocols import Fold, ProtocolConfig, make_folds
from emotemporal.evaluation.statistics import BootstrapConfig
from emotemporal.labels import Emotion, LabelSpace, parse_emotion, parse_label_space
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.meta import ModelConfig
from emotemporal.storage import file_digest
from emotemporal.train.features import ClipFeatures, ViewConfig, compute_features
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig, refuse_encoder_options

_log = logging.getLogger(__name__)


def _frame_head() -> HeadConfig:
    return HeadConfig(
        model=ModelConfig(head="frame"),
        optim=OptimConfig(epochs=20, batch_size=16, learning_rate=1e-2),
    )


def _gru_head() -> HeadConfig:
    return HeadConfig(
        model=ModelConfig(head="gru", hidden_dim=128, dropout=0.2),
        optim=OptimConfig(epochs=60, batch_size=16, learning_rate=3e-3),
    )


@dataclass(frozen=True)
class CompareConfig:
    """Compare frame models with clip models on the same clips, folds and frozen encoder."""

    checkpoint: str
    """The frame encoder, from 'pretrain'."""
    data: str
    """The folder that 'prepare' made."""
    out: str = "runs/compare"
    labels: str = "savee7"
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    frame: HeadConfig = field(default_factory=_frame_head)
    """The frame head whose frames vote: middle frame, mean, majority, EMA, hidden-Markov."""
    heads: dict[str, HeadConfig] = field(default_factory=lambda: {"gru": _gru_head()})
    """The clip methods by the name that tables give them, each a head and its training."""
    nested: bool = True
    """Choose each head's rate and number of epochs inside the training subjects of each fold; else
    train with the settings as they stand, and say in the report that they were fixed beforehand."""
    votes: FrameVoteConfig = field(default_factory=FrameVoteConfig)
    rate_factors: tuple[float, ...] = (1.0,)
    """Each head's learning rate times these is tried inside the training subjects; the one with
    the best mean UAR is refitted on them all."""
    views: ViewConfig = field(default_factory=ViewConfig)
    num_seeds: int = 3
    seed: int = 0
    """The first seed; the others follow it."""
    pair: str = ""
    """Two emotions with a comma, whose clips are each other's backwards (synthetic data)."""
    note: str = ""
    """Printed at the head of every output."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    cache: str = "runs/features"
    device: str = "cpu"
    workers: int = 1
    """Processes, each training one fold on one core."""
    tracking: TrackingConfig = field(default_factory=TrackingConfig)

    def __post_init__(self) -> None:
        if self.num_seeds < 1 or not self.rate_factors or self.workers < 1:
            raise ValueError("num_seeds, rate_factors and workers: at least one of each")
        if self.frame.model.head != "frame":
            raise ValueError(
                f"frame.model.head is {self.frame.model.head!r}; frames that vote need 'frame'"
            )
        if not self.nested and self.rate_factors != (1.0,):
            raise ValueError(
                f"rate_factors are {self.rate_factors}, but nested false chooses nothing: leave "
                "them out, or set nested to true"
            )
        self._refuse_bad_heads()
        parse_pair(self.pair)

    def __hash__(self) -> int:
        # By content: of its fields one is a dictionary, which has no hash of its own.
        return hash(to_yaml(self))

    def _refuse_bad_heads(self) -> None:
        refuse_encoder_options(self.frame.optim)
        rate_hz = self.frame.sampling.clip_rate_hz
        for name, head in self.heads.items():
            if name in ("frame", *FRAME_VOTES) or not re.fullmatch(r"[\w-]+", name):
                raise ValueError(
                    f"heads has one named {name!r}; a name is letters, digits, _ and -, and none "
                    f"of frame, {', '.join(FRAME_VOTES)}"
                )
            if head.sampling.clip_rate_hz != rate_hz:
                raise ValueError(
                    f"frame.sampling.clip_rate_hz is {rate_hz}, {name}'s "
                    f"{head.sampling.clip_rate_hz}; all are judged on the same frames"
                )
            refuse_encoder_options(head.optim)


@dataclass(frozen=True, eq=False)
class Study:
    """The clips that are judged, as the encoder sees them, and the folds that judge them."""

    clips: Sequence[ClipFeatures]
    labels: LabelSpace
    folds: Sequence[Fold]
    data_fingerprint: str
    encoder_digest: str


def load_study(config: CompareConfig) -> Study:
    """Compute the features, or read them, and make the folds.

    Raises:
        ValueError: The data cannot make the folds.
        CheckpointError: The clips were cropped otherwise than the checkpoint demands.
    """
    labels = parse_label_space(config.labels)
    prepared = load_prepared(Path(config.data))
    net, meta = load_checkpoint(Path(config.checkpoint))
    at_rate = replace(meta, clip_rate_hz=config.frame.sampling.clip_rate_hz)
    cache_folder = Path(config.cache)
    clips = compute_features(net, at_rate, prepared, config.views, cache_folder, config.device)
    kept = [clip for clip in clips if clip.emotion in labels]
    if len(kept) < len(clips):
        _log.warning("%d clips show none of %s: left out", len(clips) - len(kept), labels.names)
    folds = make_folds(as_rows(kept), config.protocol)
    unjudged = sorted(set(range(len(kept))) - {int(i) for fold in folds for i in fold.test})
    if unjudged:
        raise ValueError(
            f"{config.protocol.name} judges {len(unjudged)} clips in no fold, such as "
            f"{kept[unjudged[0]].source}: nobody would be left to train on. Deal in fewer groups."
        )
    return Study(
        clips=kept,
        labels=labels,
        folds=folds,
        data_fingerprint=prepared.fingerprint,
        encoder_digest=file_digest(Path(config.checkpoint)),
    )


def seeds_of(config: CompareConfig) -> range:
    """Return the seeds that each head is trained with."""
    return range(config.seed, config.seed + config.num_seeds)


def parse_pair(text: str) -> tuple[Emotion, Emotion] | None:
    """Read two emotions with a comma; nothing is no pair.

    Raises:
        ValueError: Not two, or not emotions.
    """
    if not text:
        return None
    names = text.split(",")
    if len(names) != 2:
        raise ValueError(f"pair is {text!r}; give two emotions with a comma, or nothing")
    return parse_emotion(names[0]), parse_emotion(names[1])

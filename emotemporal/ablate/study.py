"""What a comparison is of: its settings, and the clips, labels and folds that they give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emotemporal.ablate.material import (
    SHARED,
    FeatureMaker,
    Material,
    gather_material,
    open_corpora,
    twins_of,
)
from emotemporal.ablate.tuned_votes import VoteGrid
from emotemporal.ablate.video3d_row import Video3DRowConfig
from emotemporal.baselines.frame_votes import FRAME_VOTES, FrameVoteConfig
from emotemporal.config import to_yaml
from emotemporal.evaluation.comparison.by_group import group_values
from emotemporal.evaluation.folds import Fold, check_twins
from emotemporal.evaluation.protocols import ProtocolConfig, make_folds
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.labels import Emotion, LabelSpace, parse_emotion
from emotemporal.models.checkpoint import load_checkpoint
from emotemporal.models.meta import ModelConfig
from emotemporal.storage import file_digest
from emotemporal.train.features import ClipFeatures, Cover, ViewConfig
from emotemporal.train.heads import HeadConfig, refuse_more_than_features
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig

CLIP_LENGTH = "clip_length"
RESERVED = ("frame", CLIP_LENGTH, "x3d_s", "x3d_xs", *FRAME_VOTES)
"""What a head cannot be called: other rows are."""


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
    data: str = ""
    """The folder that 'prepare' made."""
    corpora: dict[str, str] = field(default_factory=dict)
    """In place of `data`, several such folders by name, for leave_one_corpus_out."""
    out: str = "runs/compare"
    labels: str = "savee7"
    """A label space, or `shared`: the emotions that every one of the corpora shows."""
    takes: str = ""
    """Only clips whose take fits this pattern: `common*` are SAVEE's sentences that are said in
    every emotion."""
    cover: Cover = "nothing"
    """`mouth`: no method sees mouth, jaw and chin, so that none can read lips."""
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    frame: HeadConfig = field(default_factory=_frame_head)
    """The frame head whose frames vote: middle frame, mean, majority, EMA, hidden-Markov."""
    heads: dict[str, HeadConfig] = field(default_factory=lambda: {"gru": _gru_head()})
    """The clip methods by the name that tables give them, each a head and its training."""
    nested: bool = True
    """Choose each head's rate and number of epochs inside the training subjects of each fold; else
    train with the settings as they stand, and say in the report that they were fixed beforehand."""
    inner: ProtocolConfig = field(default_factory=ProtocolConfig)
    """How the training side is divided to choose by; with many subjects take `subject_groups`."""
    votes: FrameVoteConfig = field(default_factory=FrameVoteConfig)
    """Time constants of EMA and hidden-Markov where nothing is chosen (nested false)."""
    vote_grid: VoteGrid = field(default_factory=VoteGrid)
    """Time constants that are tried inside the training subjects."""
    clip_length: bool = True
    """Add a judge that knows nothing but how long a clip is."""
    video3d: Video3DRowConfig = field(default_factory=Video3DRowConfig)
    """A 3-D network from random weights, on the face clips themselves."""
    group_by: str = ""
    """Columns that tell who is shown, with commas (sex,age): gaps between groups are audited."""
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
        if bool(self.data) == bool(self.corpora):
            raise ValueError(
                f"data is {self.data!r} and corpora {self.corpora}; give one folder as data, or "
                "several by name as corpora"
            )
        self._refuse_bad_corpora()
        self._refuse_bad_heads()
        parse_pair(self.pair)

    def __hash__(self) -> int:
        # By content: of its fields one is a dictionary, which has no hash of its own.
        return hash(to_yaml(self))

    @property
    def group_columns(self) -> tuple[str, ...]:
        """The columns of `group_by`."""
        return tuple(name.strip() for name in self.group_by.split(",") if name.strip())

    def _refuse_bad_corpora(self) -> None:
        if self.corpora and len(self.corpora) < 2:
            raise ValueError("corpora has one folder; give it as data")
        if bad := [name for name in self.corpora if not re.fullmatch(r"[\w-]+", name)]:
            raise ValueError(f"corpora are named {bad}; a name is letters, digits, _ and -")
        is_by_corpus = "leave_one_corpus_out" in (self.protocol.name, self.inner.name)
        if not self.corpora and (is_by_corpus or self.labels == SHARED):
            raise ValueError(
                "leave_one_corpus_out and labels shared need several data sets: name prepared "
                "folders as corpora"
            )

    def _refuse_bad_heads(self) -> None:
        refuse_more_than_features(self.frame)
        rate_hz = self.frame.sampling.clip_rate_hz
        for name, head in self.heads.items():
            if name in RESERVED or not re.fullmatch(r"[\w-]+", name):
                raise ValueError(
                    f"heads has one named {name!r}; a name is letters, digits, _ and -, and none "
                    f"of {', '.join(RESERVED)}"
                )
            if head.sampling.clip_rate_hz != rate_hz:
                raise ValueError(
                    f"frame.sampling.clip_rate_hz is {rate_hz}, {name}'s "
                    f"{head.sampling.clip_rate_hz}; all are judged on the same frames"
                )
            refuse_more_than_features(head)


@dataclass(frozen=True, eq=False)
class Study:
    """The clips that are judged, as the encoder sees them, and the folds that judge them."""

    material: Material
    folds: Sequence[Fold]
    encoder_digest: str

    @property
    def clips(self) -> Sequence[ClipFeatures]:
        """Those that are judged."""
        return self.material.clips

    @property
    def labels(self) -> LabelSpace:
        """What is judged among."""
        return self.material.labels

    @property
    def data_fingerprint(self) -> str:
        """Of the prepared folders."""
        return self.material.fingerprint


def load_study(config: CompareConfig) -> Study:
    """Compute the features, or read them, and make the folds.

    Raises:
        ValueError: The data cannot make the folds.
        CheckpointError: The clips were cropped otherwise than the checkpoint demands.
    """
    net, meta = load_checkpoint(Path(config.checkpoint))
    features = FeatureMaker(
        net,
        replace(meta, clip_rate_hz=config.frame.sampling.clip_rate_hz),
        config.views,
        Path(config.cache),
        config.device,
        config.cover,
    )
    corpora = open_corpora(config.data, config.corpora)
    material = gather_material(corpora, config.labels, config.takes, features)
    group_values(material.rows, config.group_columns)
    kept = material.clips
    folds = make_folds(material.rows, config.protocol)
    unjudged = sorted(set(range(len(kept))) - {int(i) for fold in folds for i in fold.test})
    if unjudged:
        raise ValueError(
            f"{config.protocol.name} judges {len(unjudged)} clips in no fold, such as "
            f"{kept[unjudged[0]].source}: nobody would be left to train on. Deal in fewer groups."
        )
    return Study(material, folds, file_digest(Path(config.checkpoint)))


def refuse_twins(study: Study, folder: Path) -> None:
    """Refuse folds that are judged on what they were trained on, under whatever name.

    Raises:
        ValueError: They are; the clips are named.
    """
    clips = study.clips
    twins = twins_of(study.material, folder)
    check_twins(study.folds, twins, [c.source for c in clips], [c.subject for c in clips])


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

"""What a comparison of methods found, as values: `compare` makes them, `report` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from emotemporal.baselines.frame_votes import FRAME_VOTES, ORDER_BLIND_VOTES
from emotemporal.evaluation.comparison.by_group import GroupAudit
from emotemporal.evaluation.comparison.trust import Trust
from emotemporal.evaluation.metrics import Interval, Metrics
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.evaluation.statistics.significance import McNemarTest, PopulationTest
from emotemporal.labels import Emotion, LabelSpace

SYNTHETIC_NOTE = (
    "Synthetic faces: the clip model wins by construction. "
    "An instrument check, not evidence about faces."
)
"""What every table on drawn faces says at its head."""


@dataclass(frozen=True)
class ComparisonConfig:
    """What is compared with what, and how it is told."""

    reference: str | None = None
    """The method that others are held against; None takes the frame baseline with the best UAR."""
    frame_baselines: tuple[str, ...] = FRAME_VOTES
    """Which methods judge single frames: candidates for the reference."""
    controls: tuple[str, ...] = ("clip_length",)
    """Which methods see no face: what they get above chance, the recordings give away."""
    order_blind: tuple[str, ...] = tuple(sorted(ORDER_BLIND_VOTES))
    """Which methods cannot tell a clip from the same clip backwards."""
    pair: tuple[Emotion, Emotion] | None = None
    """Two emotions whose clips are each other's, backwards: order-blind judges get 50 %."""
    note: str = ""
    """Printed at the head of every output."""
    protocol: str = ""
    """How the folds were made, in words; printed with what was judged."""
    trained_on_judged: bool = False
    """Speaker-dependent folds: the wording then claims nothing about new people."""
    remarks: tuple[str, ...] = ()
    """What else must be known to read the figures; printed with the caveats."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)


@dataclass(frozen=True)
class SubjectResult:
    """One subject's clips: mean over seeds, interval over that subject's clips and over seeds."""

    subject: str
    num_clips: int
    uar: Interval
    difference: Interval | None
    """To the reference's UAR on the same clips; None for the reference itself."""


@dataclass(frozen=True, eq=False)
class Difference:
    """One method against the reference, on the same clips."""

    uar: Interval
    mcnemar: McNemarTest
    holm_p: float
    """McNemar's p, adjusted for all methods of the table."""
    odds_ratio: Interval
    """Clips that only this method got right, for each that only the reference did."""
    population: PopulationTest
    population_holm_p: float | None
    """The population's p, adjusted for all methods of the table; None below ten subjects."""
    d_z: Interval | None
    """Cohen's, over subjects; None below ten."""


@dataclass(frozen=True, eq=False)
class MethodResult:
    """One row of the table."""

    name: str
    num_seeds: int
    masked: tuple[Emotion, ...]
    """What the model can say but was not allowed to here."""
    is_order_blind: bool
    accuracy: Interval
    uar: Interval
    macro_f1: Interval
    metrics: Metrics
    """Of the seed-averaged probabilities."""
    trust: Trust
    """Of the seed-averaged probabilities: proper scores and calibration, with intervals."""
    audits: tuple[GroupAudit, ...]
    """By the columns that were asked for."""
    confusion: Float[np.ndarray, "k k"]
    """Row: the truth; column: the answer; clips, mean over seeds."""
    subjects: tuple[SubjectResult, ...]
    difference: Difference | None
    """None for the reference."""
    pair_accuracy: Interval | None
    """On the time-reversed pair, between its two emotions alone; exact interval."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `report.write_comparison` writes: methods in the order given."""

    methods: tuple[MethodResult, ...]
    reference: str
    is_reference_chosen: bool
    """Whether the reference is the baseline that did best on these very clips."""
    labels: LabelSpace
    num_clips: int
    num_dropped: int
    subjects: tuple[str, ...]
    resampled: str
    """'clips' or 'subjects': whom the intervals speak about."""
    num_lone_clips: int
    num_pair_clips: int
    config: ComparisonConfig
    origin: Mapping[str, str]

    @property
    def scope(self) -> str:
        """Whom the intervals speak about, in words."""
        if self.config.trained_on_judged:
            return f"for these {len(self.subjects)} speakers, all of whom were trained on"
        if self.resampled == "subjects":
            return f"for people like these {len(self.subjects)} subjects"
        return f"for these speakers ({', '.join(self.subjects)})"

    def method(self, name: str) -> MethodResult:
        """Return the row of that name.

        Raises:
            ValueError: There is none.
        """
        for result in self.methods:
            if result.name == name:
                return result
        raise ValueError(f"no method {name!r}; there are {', '.join(m.name for m in self.methods)}")

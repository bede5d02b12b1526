"""Judges of a clip that know single frames only: what a temporal model has to beat.

Each takes one probability row a frame and gives one row for the clip. `middle_frame`,
`mean_of_frames` and `majority` do not know the order of frames: the same clip backwards gets the
same answer. `ema` and `hidden_markov` do know it: they end where a live filter would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from einops import reduce
from jaxtyping import Float

_TINY = 1e-12  # keeps a logarithm finite; far below what a float32 softmax can tell from 0


@dataclass(frozen=True)
class FrameVoteConfig:
    """Time scales of the two votes that have one. Tune them on training subjects, then freeze."""

    time_constant_s: float = 0.5
    """`ema`: after this time a frame's weight has fallen to 1/e."""
    mean_dwell_s: float = 2.0
    """`hidden_markov`: how long an emotion is taken to last."""
    evidence_s: float = 0.3
    """`hidden_markov`: neighbouring frames say the same; one independent look takes this long."""

    def __post_init__(self) -> None:
        for name in ("time_constant_s", "mean_dwell_s", "evidence_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it is a time above 0 s")


def middle_frame(probabilities: Float[np.ndarray, "t k"]) -> Float[np.ndarray, " k"]:
    """Return the middle frame's answer; of an even number, the mean of the two in the middle.

    The mean keeps the vote blind to order: the later of the two would be the earlier one backwards.
    """
    last = len(probabilities) - 1
    return reduce(probabilities[[last // 2, (last + 1) // 2]], "t k -> k", "mean")


def mean_of_frames(probabilities: Float[np.ndarray, "t k"]) -> Float[np.ndarray, " k"]:
    """Return the mean of all frames' probabilities."""
    return reduce(probabilities, "t k -> k", "mean")


def majority(probabilities: Float[np.ndarray, "t k"]) -> Float[np.ndarray, " k"]:
    """Return the share of frames that each emotion wins.

    Equal shares are told apart by the mean of frames, which weighs too little to overrule a frame.
    """
    wins = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    votes = wins + 1e-3 * mean_of_frames(probabilities)
    return votes / votes.sum()


def ema(
    probabilities: Float[np.ndarray, "t k"],
    times_s: Float[np.ndarray, " t"],
    time_constant_s: float,
) -> Float[np.ndarray, " k"]:
    """Return where an exponential moving average of the frames ends.

    The closed form of what `inference.smoothing.ExponentialSmoother` does step by step: a frame's
    weight is the time since the frame before it, decayed by its age; the first has what is left.
    """
    age_s = times_s[-1] - times_s
    kept = np.exp(-age_s / time_constant_s)
    weights = np.diff(kept, prepend=0.0)
    return weights @ probabilities


def hidden_markov(
    probabilities: Float[np.ndarray, "t k"],
    times_s: Float[np.ndarray, " t"],
    mean_dwell_s: float,
    evidence_s: float,
) -> Float[np.ndarray, " k"]:
    """Return where the forward filter of a hidden Markov chain ends.

    The chain leaves an emotion after `mean_dwell_s` on average, for any other alike; a frame's
    probabilities are its likelihood (the prior is uniform), raised to the share of an independent
    look that the time since the last frame is worth. The same as `HiddenMarkovFilter`, on a clip.
    """
    num_classes = probabilities.shape[1]
    log_likelihood = np.log(np.maximum(probabilities, _TINY))
    steps_s = np.diff(times_s)
    looks = np.minimum(1.0, np.concatenate([[evidence_s], steps_s]) / evidence_s)
    mixing = num_classes / (num_classes - 1) / mean_dwell_s
    kept = np.concatenate([[1.0], np.exp(-mixing * steps_s)])
    belief = np.full(num_classes, 1 / num_classes)
    for i in range(len(probabilities)):
        expected = kept[i] * belief + (1 - kept[i]) / num_classes
        log_belief = np.log(expected) + looks[i] * log_likelihood[i]
        belief = np.exp(log_belief - log_belief.max())
        belief = belief / belief.sum()
    return belief


_Vote = Callable[
    [Float[np.ndarray, "t k"], Float[np.ndarray, " t"], FrameVoteConfig], Float[np.ndarray, " k"]
]
_VOTES: Mapping[str, _Vote] = {
    "middle_frame": lambda p, _times, _config: middle_frame(p),
    "mean_of_frames": lambda p, _times, _config: mean_of_frames(p),
    "majority": lambda p, _times, _config: majority(p),
    "ema": lambda p, times, config: ema(p, times, config.time_constant_s),
    "hidden_markov": lambda p, times, config: hidden_markov(
        p, times, config.mean_dwell_s, config.evidence_s
    ),
}
FRAME_VOTES: tuple[str, ...] = tuple(_VOTES)
"""The votes' names, as tables carry them."""
ORDER_BLIND_VOTES: frozenset[str] = frozenset({"middle_frame", "mean_of_frames", "majority"})
"""Those that cannot tell a clip from the same clip backwards."""


def frame_votes(
    probabilities: Float[np.ndarray, "t k"],
    times_s: Float[np.ndarray, " t"],
    config: FrameVoteConfig | None = None,
) -> dict[str, Float[np.ndarray, " k"]]:
    """Return every vote's answer for one clip, by name, in the order of `FRAME_VOTES`.

    To judge in a smaller label space, restrict the frames first: a majority of frames that all
    chose an emotion outside it leaves nothing to renormalise.

    Raises:
        ValueError: No frames, not one time a frame, times that do not grow, or rows that are not
            probabilities.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    times_s = np.asarray(times_s, dtype=np.float64)
    if probabilities.ndim != 2 or len(probabilities) == 0 or len(probabilities) != len(times_s):
        raise ValueError(
            f"probabilities of shape {probabilities.shape} and {len(times_s)} times; a clip has "
            "one row of probabilities and one time a frame, and at least one frame"
        )
    # Asked so that "not a number" is refused too: no comparison with it is true.
    if not (np.all(np.isfinite(times_s)) and np.all(np.diff(times_s) > 0)):
        raise ValueError("times must grow from frame to frame")
    sums = probabilities.sum(axis=1)
    if not (np.all(probabilities >= 0) and np.allclose(sums, 1.0, atol=1e-3)):
        raise ValueError(
            f"rows are not probabilities: smallest value {probabilities.min():.4g}, sums "
            f"{sums.min():.4g} to {sums.max():.4g}; apply softmax to logits first"
        )
    config = config or FrameVoteConfig()
    return {name: vote(probabilities, times_s, config) for name, vote in _VOTES.items()}

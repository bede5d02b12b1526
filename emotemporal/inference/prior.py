"""From logits to probabilities, under the prior that is asked for. numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emotemporal.labels import LabelSpace, parse_emotion
from emotemporal.models.meta import CheckpointMeta
from emotemporal.reading import read_json_object


def adjust_prior(
    logits: Float[np.ndarray, "t k"], training_prior: Sequence[float], wanted: Sequence[float]
) -> Float[np.ndarray, "t k"]:
    """Move logits from the prior they were trained under to another.

    A network trained where neutral is frequent says neutral when in doubt. Adding the logarithm of
    the ratio of priors makes it judge as if emotions occurred as often as `wanted` says. The same
    prior twice changes nothing.

    Raises:
        ValueError: Other than one share a label, or a share of zero in one prior only.

    Source:
        Menon et al. 2021, Long-tail learning via logit adjustment, section 3.2.
    """
    trained, asked = np.asarray(training_prior, np.float64), np.asarray(wanted, np.float64)
    if trained.shape != asked.shape or trained.shape != logits.shape[-1:]:
        raise ValueError(
            f"priors have {len(trained)} and {len(asked)} shares for {logits.shape[-1]} logits"
        )
    if np.any((trained > 0) != (asked > 0)):
        raise ValueError("a share is 0 in one prior and not in the other; no shift can make up")
    is_open = trained > 0
    shift = np.zeros_like(trained)
    shift[is_open] = np.log(asked[is_open] / trained[is_open])
    return np.asarray(logits + shift)


def wanted_prior(choice: str, meta: CheckpointMeta) -> tuple[float, ...]:
    """Return the shares that an option means, in the order of the checkpoint's labels.

    Args:
        choice: `training` (as the checkpoint was trained), `uniform`, or a JSON file that gives
            each emotion its share, such as `{"neutral": 3, "fear": 1}`; shares need not sum to 1.
        meta: The checkpoint's description.

    Raises:
        ValueError: Not such a file, an emotion the model lacks or that has no share, or one that
            training never showed.
    """
    if choice == "training":
        return meta.training_prior
    wanted = _uniform(meta.labels) if choice == "uniform" else _read(Path(choice), meta.labels)
    unseen = [
        name
        for name, trained, asked in zip(meta.labels.names, meta.training_prior, wanted, strict=True)
        if trained == 0 and asked > 0
    ]
    if unseen:
        raise ValueError(
            f"prior {choice!r} asks for {', '.join(unseen)}, which the checkpoint's training data "
            "never showed; use --prior training"
        )
    return wanted


def to_probabilities(
    logits: Float[np.ndarray, "t k"], meta: CheckpointMeta, wanted: Sequence[float]
) -> Float[np.ndarray, "t k"]:
    """Return calibrated probabilities: temperature first, then the prior, then softmax."""
    calibrated = logits.astype(np.float64) / meta.temperature
    adjusted = adjust_prior(calibrated, meta.training_prior, wanted)
    powers = np.exp(adjusted - adjusted.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _uniform(labels: LabelSpace) -> tuple[float, ...]:
    return (1 / len(labels),) * len(labels)


def _read(path: Path, labels: LabelSpace) -> tuple[float, ...]:
    if not path.is_file():
        raise ValueError(f"prior is {path}; it can be 'training', 'uniform' or a JSON file")
    try:
        given = read_json_object(path)
        shares = {parse_emotion(name): float(share) for name, share in given.items()}
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} does not give each emotion its share: {error}") from error
    if set(shares) != set(labels.emotions) or not all(0 < s < np.inf for s in shares.values()):
        raise ValueError(
            f"{path} must give a positive share to each of {', '.join(labels.names)}, "
            f"and to no other; it gives {shares}"
        )
    total = sum(shares.values())
    return tuple(shares[emotion] / total for emotion in labels.emotions)

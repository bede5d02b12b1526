"""Which smoothing a run uses: what options name, what `--max_lag` picks, or the card's default."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

from emotemporal.inference.card import CardEntry, CardError, SmoothingCard, card_path, read_card
from emotemporal.inference.card_inside import find_card
from emotemporal.inference.predictor import StreamConfig
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.models.meta import CheckpointMeta

_log = logging.getLogger(__name__)


def refuse_both(smoothing: SmoothingConfig, max_lag: float | None) -> None:
    """Refuse to pick a setting where one is named, or one of no time.

    Raises:
        ValueError: `max_lag` stands beside an option of smoothing, or is not above 0.
    """
    if max_lag is None:
        return
    if not 0 < max_lag < math.inf:
        raise ValueError(f"max_lag is {max_lag}; it is in seconds, and above 0")
    if smoothing != SmoothingConfig():
        raise ValueError(
            f"--max_lag {max_lag:g} picks the smoothing, and --smoothing.* names it: give one"
        )


def pick_smoothing(
    config: StreamConfig, max_lag: float | None, checkpoint: Path, meta: CheckpointMeta
) -> StreamConfig:
    """Fill in the setting that options and card ask for, and say in one line which it is.

    Args:
        config: As options have it; if they say nothing of smoothing, the card's default is taken.
        max_lag: The longest median lag in seconds: the steadiest setting within it is picked.
        checkpoint: Its card is beside it.
        meta: Its description.

    Raises:
        FileNotFoundError: `max_lag` is given and there is no card.
        CardError: `max_lag` is given and the card cannot be used, or nothing is that fast.
    """
    if max_lag is not None:
        named = find_card(checkpoint, meta)
        # Read by its name where there is none, for the message that says how to make one.
        card = read_card(card_path(checkpoint), meta) if named is None else named
        return _take(
            config, card, card.steadiest_within(max_lag), f"steadiest within {max_lag:g} s"
        )
    if config.smoothing != SmoothingConfig():
        return config
    try:
        found = find_card(checkpoint, meta)
    except CardError as error:
        _log.warning("%s. Going on with %s", error, describe(config.smoothing))
        return config
    if found is None:
        return config
    return _take(config, found, found.entries[found.default], "the smoothing card's default")


def measured_lag_s(
    smoothing: SmoothingConfig, checkpoint: Path, meta: CheckpointMeta
) -> float | None:
    """Return the median lag that the checkpoint's card has of a setting; None if it has not."""
    try:
        card = find_card(checkpoint, meta)
    except CardError:  # `pick_smoothing` has told already
        return None
    for entry in card.entries if card is not None else ():
        if entry.smoothing == smoothing:
            return (entry.tested or entry.tuned).median_lag_s
    return None


def _take(config: StreamConfig, card: SmoothingCard, entry: CardEntry, why: str) -> StreamConfig:
    found = entry.tested or entry.tuned
    under = f", measured under prior {card.prior}" if card.prior != config.prior else ""
    _log.info(
        "smoothing: %s (%s: median lag %s, %.1f spurious switches a minute, %.0f %% of changes "
        "missed%s)",
        describe(entry.smoothing),
        why,
        _lags(entry),
        found.spurious_per_minute,
        100 * found.missed_share,
        under,
    )
    return replace(config, smoothing=entry.smoothing)


def _lags(entry: CardEntry) -> str:
    tuned = f"{entry.tuned.median_lag_s:.2f} s"
    if entry.tested is None:
        return tuned
    return f"{tuned} where tuned, {entry.tested.median_lag_s:.2f} s on other streams"


def describe(smoothing: SmoothingConfig) -> str:
    """Return a setting in a few words, such as `ema 0.3 s, margin 0.05, dwell 0.15 s`."""
    rule = smoothing.hysteresis
    filters = {
        "one_euro": f"one_euro {smoothing.one_euro.min_cutoff_hz:g} Hz + "
        f"{smoothing.one_euro.beta:g}",
        "hidden_markov": f"hidden_markov {smoothing.hidden_markov.mean_dwell_s:g} s / "
        f"{smoothing.hidden_markov.evidence_s:g} s",
        "majority": f"majority {smoothing.majority.window_s:g} s",
        "none": "none",
    }
    filtered = filters.get(smoothing.name, f"ema {smoothing.ema.time_constant_s:g} s")
    return f"{filtered}, margin {rule.margin:g}, dwell {rule.dwell_s:g} s"

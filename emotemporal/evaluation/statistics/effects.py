"""How large a difference is, beside whether there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from emotemporal.evaluation.metrics import Interval, exact_interval
from emotemporal.evaluation.statistics.bootstrap import MIN_SUBJECTS_FOR_POPULATION
from emotemporal.evaluation.statistics.significance import McNemarTest


def matched_odds_ratio(test: McNemarTest, confidence: float = 0.95) -> Interval:
    """Return how many clips only the first method got right for each that only the second did.

    The conditional odds ratio of matched pairs, with the exact interval that the binomial share of
    the discordant pairs gives; it speaks about clips, as McNemar's test does. Infinite where only
    the first was ever right alone; without discordant clips 1, from 0 to infinity.

    Source: M. W. Fagerland, S. Lydersen and P. Laake, "Recommended tests and confidence intervals
    for paired binomial proportions", Statistics in Medicine 33, 2014.
    """
    num_discordant = test.num_only_first + test.num_only_second
    if num_discordant == 0:
        return Interval(1.0, 0.0, math.inf, confidence)
    share = exact_interval(test.num_only_first, num_discordant, confidence)
    return Interval(_odds(share.estimate), _odds(share.low), _odds(share.high), confidence)


def _odds(share: float) -> float:
    return math.inf if share >= 1 else share / (1 - share)


def cohens_dz(differences: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """Return the mean difference a subject over the deviation of subjects' differences.

    Nothing below ten subjects, where it would speak about people whom nobody has measured, nor
    where all subjects differ alike. The interval inverts the noncentral t distribution.

    Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, section 2.3.5;
    G. Cumming and S. Finch, "A primer on the understanding, use, and calculation of confidence
    intervals that are based on central and noncentral distributions", Educational and Psychological
    Measurement 61, 2001.
    """
    count = len(differences)
    if count < MIN_SUBJECTS_FOR_POPULATION:
        return None
    deviation = float(np.std(differences, ddof=1))
    if deviation < 1e-12:
        return None
    size = float(np.mean(differences)) / deviation
    t = size * math.sqrt(count)
    tail = (1 - confidence) / 2
    low, high = (_noncentrality(t, count - 1, p) / math.sqrt(count) for p in (1 - tail, tail))
    return Interval(size, low, high, confidence)


def _noncentrality(t: float, freedom: int, share_below: float) -> float:
    """Return the noncentrality under which a t as small as `t` comes `share_below` of the time."""
    from scipy.optimize import brentq
    from scipy.stats import nct

    def excess(noncentrality: float) -> float:
        return float(nct.cdf(t, freedom, noncentrality)) - share_below

    # Outwards in steps of t's own deviation: far from t scipy's distribution is not a number.
    step = math.sqrt(1 + t**2 / (2 * freedom))
    low, high = t - step, t + step
    while excess(low) < 0:
        low -= step
    while excess(high) > 0:
        high += step
    return float(brentq(excess, low, high))

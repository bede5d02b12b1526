"""From a smoothing study to the card that lies beside a checkpoint."""

from __future__ import annotations

from emotemporal.evaluation.stability.figures import pareto_set
from emotemporal.evaluation.stability.grid import FAMILIES, choose
from emotemporal.evaluation.stability.replay import Score
from emotemporal.evaluation.stability.results import SmoothingStudy
from emotemporal.inference.card import CardEntry, Measured, SmoothingCard


def make_card(
    study: SmoothingStudy,
    method: str | None,
    fingerprint: str,
    prior: str,
    uncertain_below: float,
) -> SmoothingCard:
    """Return a card of a learned filter, or, for `method` None, of the frame model.

    Its entries are what no other setting beats in both lag and flicker on the streams that were
    tuned on, and its default: the steadiest one within the study's lag that misses no more changes
    than the study allows.
    """
    tuned = study.simple if method is None else study.tuned[method]
    tested = {
        name: score
        for own in (FAMILIES if method is None else (method,))
        for name, score in study.fronts[own].items()
    }
    default = choose(tuned, study.most_missed, study.rules.choice).name
    names = pareto_set({name: score.stability for name, score in tuned.items()})
    if default not in names:
        names = sorted([*names, default], key=lambda n: tuned[n].stability.median_lag_s)
    return SmoothingCard(
        fingerprint=fingerprint,
        labels=study.labels,
        prior=prior,
        min_probability=uncertain_below,
        entries=tuple(
            CardEntry(
                study.settings[name],
                measured(tuned[name]),
                measured(tested[name]) if name in tested else None,
            )
            for name in names
        ),
        default=names.index(default),
        origin=study.origin,
    )


def measured(score: Score) -> Measured:
    """Return a setting's figures as a card keeps them."""
    found = score.stability
    return Measured(
        median_lag_s=found.median_lag_s,
        p95_lag_s=found.p95_lag_s,
        spurious_per_minute=found.spurious_per_minute,
        missed_share=score.missed_share,
        macro_f1=score.macro_f1,
        uar=score.uar,
    )

"""The comparison as one page that needs no network and no other file."""

from __future__ import annotations

from emotemporal.evaluation.comparison.plots import (
    audit_plots,
    difference_plot,
    kind_of,
    pair_plot,
    recall_plot,
    subject_plot,
    uar_plot,
)
from emotemporal.evaluation.comparison.results import Comparison
from emotemporal.evaluation.comparison.tables import (
    MAX_COLUMNS,
    group_tables,
    recall_table,
    subject_differences,
    subject_table,
    trust_table,
)
from emotemporal.evaluation.comparison.wording import (
    caveats,
    contenders,
    counts,
    headline,
    pair_sentence,
    sources,
    table_header,
    table_row,
    verdict,
)
from emotemporal.evaluation.pages import fill_page
from emotemporal.evaluation.plots import confusion_plot
from emotemporal.evaluation.spelling import title


def as_html(comparison: Comparison) -> str:
    """Return the whole page."""
    best = max(contenders(comparison) or comparison.methods, key=lambda m: m.uar.estimate)
    reference = comparison.method(comparison.reference)
    shown = [reference] if best is reference else [reference, best]
    ranked = sorted(contenders(comparison), key=lambda m: -m.uar.estimate)
    plotted = ranked[: 4 if len(comparison.subjects) <= MAX_COLUMNS else 2]
    names = comparison.labels.names
    return fill_page(
        __package__,
        "comparison.html.jinja",
        note=comparison.config.note,
        headline=headline(comparison),
        reference=title(comparison.reference),
        counts=counts(comparison),
        verdicts=[verdict(m, comparison) for m in comparison.methods if m.difference],
        pair_sentence=pair_sentence(comparison),
        caveats=list(caveats(comparison)),
        sources=sources(comparison),
        header=table_header(comparison),
        rows=[(kind_of(m, comparison), table_row(m, comparison)) for m in comparison.methods],
        uar_plot=uar_plot(comparison),
        difference_plot=difference_plot(comparison),
        pair_plot=pair_plot(comparison),
        subject_plots=[(title(m.name), subject_plot(m)) for m in plotted],
        num_unplotted=len(contenders(comparison)) - len(plotted),
        has_control=any(m.name in comparison.config.controls for m in comparison.methods),
        subject_tables=[
            t for t in (subject_table(comparison), subject_differences(comparison)) if t
        ],
        audits=audit_plots(comparison, shown),
        audit_tables=group_tables(comparison),
        recall_plots=[(title(m.name), recall_plot(m, comparison)) for m in shown],
        confusions=[
            (title(m.name), confusion_plot(m.confusion, names, f"Confusion of {title(m.name)}"))
            for m in shown
        ],
        recalls=recall_table(comparison),
        trust=trust_table(comparison),
        origin=comparison.origin,
    )

"""What a study says, on outcomes made up to be clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from emotemporal.ablate.report.findings import caveats, headline, verdicts
from emotemporal.ablate.report.formats import as_latex, as_text, escape_latex
from emotemporal.ablate.report.outcomes import GAP, Ablation, Row, over_seeds
from emotemporal.ablate.report.page import as_html
from emotemporal.ablate.report.untouched import gathered, speaker_table, untouched
from emotemporal.ablate.runs.grid import BASE, Grid
from emotemporal.ablate.runs.process import Failure
from emotemporal.evaluation.comparison.compare import compare
from emotemporal.evaluation.comparison.results import ComparisonConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from tests.evaluation.judges import balanced, noisy_answers, predictions_with


def _study(skills: dict[str, float], num_planned: int = 1, **others) -> Ablation:
    """Judge changes that are right so often on 700 images; all of them trained alike."""
    targets, _ = balanced(25)
    images = [""] * len(targets)
    predictions = {
        name: [predictions_with(noisy_answers(targets, skill, seed=i), targets, images)]
        for i, (name, skill) in enumerate(skills.items())
    }
    config = ComparisonConfig(reference=BASE, bootstrap=BootstrapConfig(num_resamples=500))
    grid = Grid("g", "pretrain", {}, {name: {} for name in skills if name != BASE}, **others)
    figures = {
        "train/loss": over_seeds([1.0]),
        "train/accuracy": over_seeds([0.9]),
        "val/accuracy": over_seeds([0.6]),
        "val/uar": over_seeds([0.6]),
        GAP: over_seeds([0.3]),
    }
    rows = [
        Row(name, num_planned, [], {**figures, "steps": over_seeds([300.0 + 2 * i])}, None)
        for i, name in enumerate(skills)
    ]
    judged = {"faces": compare(predictions, config)}
    return Ablation(grid, rows, judged, [], [], {"commit": "abc"})


def test_the_headline_names_the_best_and_the_worst_change():
    found = headline(_study({BASE: 0.5, "good": 0.8, "better": 0.95, "bad": 0.1}))
    assert found.startswith("On faces, 2 of 3 raise UAR, most of all better (+")
    assert "and 1 of 3 changes lowers UAR: bad (-" in found


def test_a_study_without_a_finding_says_so():
    found = headline(_study({BASE: 0.5, "same": 0.5}))
    assert (
        found == "The one change does not differ from the base in UAR beyond the noise, on faces."
    )


def test_each_change_has_a_sentence_and_speaks_of_these_images():
    beats, falls, same = verdicts(_study({BASE: 0.5, "good": 0.9, "bad": 0.1, "same": 0.5}))
    assert beats.startswith("faces: good beats the base: +")
    assert beats.endswith("points of UAR, for these 700 images.")
    assert "bad falls short of the base" in falls
    assert "same does not differ from the base beyond the noise" in same


def test_what_the_figures_do_not_tell_is_told():
    told = "\n".join(caveats(_study({BASE: 0.5, "one": 0.5, "two": 0.5}, num_planned=2)))
    assert "one interval in twenty" in told
    assert "adjusted for the changes of one evaluation (Holm)" in told
    assert "augmented and mixed" in told
    assert "not finished, or failed" in told
    assert "Not of the base's number of steps: two." in told
    assert "resamples over images of each class" in told


def test_student_s_interval_of_three_seeds_is_the_textbook_s():
    found = over_seeds([0.1, 0.2, 0.3])
    assert found.estimate == pytest.approx(0.2)
    # t with two degrees of freedom: 4.303; standard error 0.1 / sqrt(3).
    assert found.high - found.estimate == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)
    assert over_seeds([0.4]).low == over_seeds([0.4]).high == 0.4


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("50 % & more_or_less #1", r"50 \% \& more\_or\_less \#1"),
        ("{a} ~ b^2 \\ $3", r"\{a\} \textasciitilde{} b\textasciicircum{}2 \textbackslash{} \$3"),
        ("< 0.001", "$<$ 0.001"),
        ("-1.5 [-2.0, +0.1]", "$-$1.5 [$-$2.0, +0.1]"),
        ("leave-one-out, 1e-3", "leave-one-out, 1e-3"),
    ],
)
def test_latex_prints_what_was_written(text, escaped):
    assert escape_latex(text) == escaped


def test_a_row_that_begins_with_a_bracket_is_no_option_of_the_line_before():
    assert "\n{[}odd] & " in as_latex(_study({BASE: 0.5, "[odd]": 0.5}))


def test_the_page_shows_failures_and_lets_no_name_become_markup():
    study = _study({BASE: 0.5, "<b>bold</b>": 0.9}, question="Is it <i>so</i>?")
    failed = Failure("x, seed 0", "killed <by> SIGKILL", Path("logs/x.log"))
    page = as_html(Ablation(study.grid, study.rows, study.judged, [failed], [], study.origin))
    assert "<b>bold" not in page
    assert "<i>so" not in page
    assert "killed &lt;by&gt; SIGKILL" in page


def _clip_study() -> Ablation:
    """A clip model that a change improves for one speaker, beside frame votes that stay."""
    targets, speakers = balanced(10)
    frames = predictions_with(noisy_answers(targets, 0.4, seed=9), targets, speakers)
    base = predictions_with(noisy_answers(targets, 0.5, seed=1), targets, speakers)
    better = predictions_with(noisy_answers(targets, 0.95, seed=2), targets, speakers)
    first = speakers[0]
    mixed = [b if b.subject == first else a for a, b in zip(base, better, strict=True)]
    config = ComparisonConfig(reference=BASE, bootstrap=BootstrapConfig(num_resamples=200))
    grid = Grid("g", "compare", {}, {"new": {}})
    judged = {
        "clip model": compare({BASE: [base], "new": [mixed]}, config),
        "mean of frames": compare({BASE: [frames], "new": [frames]}, config),
    }
    rows = [Row(name, 1, [], {}, None) for name in (BASE, "new")]
    return Ablation(grid, rows, judged, [], [], {"commit": "abc"})


def test_what_no_change_touches_is_told_once_and_drawn_nowhere():
    study = _clip_study()
    assert list(untouched(study.judged)) == ["mean of frames"]
    (told,) = [text for text in verdicts(study) if "mean of frames" in text]
    assert told == "mean of frames: no change touches them; they are told once."
    assert as_text(study).count("mean of frames") == 1
    page = as_html(study)
    assert "<h2>mean of frames</h2>" not in page
    assert "What no change touches" in page


def test_every_speaker_s_difference_is_shown():
    comparison = _clip_study().judged["clip model"]
    header, (row,) = speaker_table(comparison)
    assert header == ["change", *comparison.subjects]
    first, *others = (cell.split(" [")[0] for cell in row[1:])
    assert float(first) > 20
    assert {float(cell) for cell in others} == {0.0}


def test_images_of_nobody_have_no_table_of_speakers():
    assert speaker_table(_study({BASE: 0.5, "good": 0.9}).judged["faces"]) is None


def test_what_is_said_of_several_evaluations_alike_is_said_once():
    assert gathered([("a", "x"), ("b", "y"), ("c", "x")]) == ["a, c: x", "b: y"]

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from emotemporal.evaluation.comparison.compare import SYNTHETIC_NOTE, ComparisonConfig, compare
from emotemporal.evaluation.comparison.report import (
    as_csv,
    as_html,
    as_markdown,
    as_text,
    read_origin,
    write_comparison,
)
from emotemporal.evaluation.comparison.tables import (
    recall_table,
    subject_differences,
    subject_table,
    trust_table,
)
from emotemporal.evaluation.comparison.wording import headline, pair_sentence, table_row, verdict
from emotemporal.evaluation.metrics import Interval
from emotemporal.evaluation.plots import Axis, GuideLine, PlotRow, axis_around, interval_plot
from emotemporal.evaluation.protocols import ProtocolConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.labels import AFFECTNET_8, SAVEE_7, Emotion
from tests.evaluation.judges import balanced, noisy_answers, predictions_with

PAIR = (Emotion.FEAR, Emotion.SURPRISE)
CONFIG = ComparisonConfig(pair=PAIR, note=SYNTHETIC_NOTE, bootstrap=BootstrapConfig(500))
ORIGIN = {"commit": "abc123", "config": "compare.yaml <x>", "seeds": "0, 1"}


def table(skill: float = 0.95, subjects=("DC", "JE", "JK", "KL"), labels=SAVEE_7):
    targets, names = balanced(4, subjects)
    fear, surprise = (SAVEE_7.index(e) for e in PAIR)
    blind = noisy_answers(targets, 0.6, seed=0)
    blind = np.where(np.isin(targets, [fear, surprise]), fear, blind)
    return {
        "mean_of_frames": [predictions_with(blind, targets, names, labels)],
        "gru": [
            predictions_with(noisy_answers(targets, skill, seed=s), targets, names, labels)
            for s in (1, 2)
        ],
    }


@pytest.fixture(scope="module")
def comparison():
    return compare(table(), CONFIG, origin=ORIGIN)


def test_three_files_are_written_the_page_first(comparison, tmp_path):
    paths = write_comparison(comparison, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["report.html", "comparison.csv", "comparison.md"]
    assert all(path.stat().st_size > 500 for path in paths)


def test_the_note_stands_at_the_head_of_every_output(comparison):
    for text in (as_text(comparison), as_markdown(comparison), as_csv(comparison)):
        assert SYNTHETIC_NOTE in text.splitlines()[0]
    page = as_html(comparison)
    assert page.index(SYNTHETIC_NOTE) < page.index("<h1>")


class Links(HTMLParser):
    """Collects what a browser would fetch, and checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.fetched += [v for k, v in attributes if k in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_fetches_nothing_and_is_well_formed(comparison):
    parser = Links()
    page = as_html(comparison)
    parser.feed(page)
    assert parser.fetched == []
    assert parser.open == []
    assert "url(" not in page
    assert "@import" not in page
    assert "<script" not in page


def test_the_page_escapes_what_it_is_given(comparison):
    page = as_html(replace(comparison, origin={"config": "<script>alert(1)</script>"}))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_every_plot_is_valid_svg_with_a_unit_on_its_axis(comparison):
    plots = re.findall(r"<svg viewBox.*?</svg>", as_html(comparison), flags=re.DOTALL)
    titled = [plot for plot in plots if "axis-title" in plot]
    assert len(titled) == 3 + 1 + 2 + 2
    for plot in titled:
        titles = [e.text for e in ET.fromstring(plot).iter() if e.get("class") == "axis-title"]
        assert re.search(r"%|percentage points", " ".join(titles))


def test_the_csv_is_read_by_pandas_and_holds_every_figure_with_its_interval(comparison, tmp_path):
    path = write_comparison(comparison, tmp_path)[1]
    rows = pd.read_csv(path, comment="#").set_index("method")
    gru = comparison.method("gru")
    assert rows.loc["gru", "uar"] == pytest.approx(gru.uar.estimate, abs=1e-5)
    assert rows.loc["gru", "uar_difference_low"] == pytest.approx(gru.difference.uar.low, abs=1e-5)
    assert rows.loc["mean_of_frames", "pair_accuracy"] == 0.5
    assert rows.loc["mean_of_frames", "is_reference"] == 1
    assert pd.isna(rows.loc["mean_of_frames", "uar_difference"])
    assert {"uar_DC", "uar_difference_KL", "macro_f1_high", "ece"} <= set(rows.columns)


def test_origin_stands_in_every_file(comparison):
    for text in (as_markdown(comparison), as_csv(comparison), as_html(comparison)):
        assert "abc123" in text
        assert "0, 1" in text


def test_a_gain_is_worded_for_these_speakers(comparison):
    assert re.match(r"GRU beats mean of frames: \+\d+\.\d \[\+", headline(comparison))
    assert "for these speakers (DC, JE, JK, KL)" in headline(comparison)
    assert "0.125" in as_text(comparison)


def test_a_clip_model_that_gains_nothing_is_reported_as_such():
    found = headline(compare(table(skill=0.55), CONFIG))
    assert "does not differ from mean of frames beyond the noise" in found
    worse = headline(compare(table(skill=0.1), replace(CONFIG, pair=None)))
    assert "falls short of mean of frames" in worse


def test_an_order_blind_judge_off_half_condemns_the_pair(comparison):
    assert "is off" not in pair_sentence(comparison)
    suspicious = replace(CONFIG, order_blind=("mean_of_frames", "gru"))
    assert "GRU should, and is off" in pair_sentence(compare(table(), suspicious))


def test_without_a_pair_nothing_is_said_of_one():
    plain = compare(table(), replace(CONFIG, pair=None, note=""))
    assert pair_sentence(plain) == ""
    assert "pair" not in as_text(plain).splitlines()[2]
    assert 'class="note"' not in as_html(plain)


def test_one_method_alone_is_written_too(tmp_path):
    alone = compare({"mean_of_frames": table()["mean_of_frames"]}, CONFIG)
    assert headline(alone) == "Only mean of frames was measured; there is nothing to compare."
    write_comparison(alone, tmp_path)


def test_masks_drops_and_single_seeds_are_told():
    targets = np.array([0, 1, 2, 3, 4, 5, 6, 7] * 8)
    names = ["DC", "JE"] * 32
    rows = [predictions_with(targets, targets, names, AFFECTNET_8)]
    config = ComparisonConfig(bootstrap=BootstrapConfig(500))
    text = as_text(compare({"majority": rows, "gru": rows}, config, SAVEE_7))
    assert "contempt masked" in text
    assert "8 clips show an emotion outside them" in text
    assert "one training seed" in text


def test_ten_subjects_have_their_population_p_on_the_page():
    many = compare(table(subjects=tuple(f"s{i}" for i in range(10))), CONFIG)
    sentence = verdict(many.method("gru"), many)
    assert "over subjects p = 0.002, Holm-adjusted" in sentence
    assert "for people like these 10 subjects" in sentence
    for text in (as_html(many), as_markdown(many), as_text(many)):
        assert "p over subjects (Holm)" in text
        assert "d_z" in text


def test_below_ten_subjects_no_output_has_a_population_p_or_d_z(comparison):
    for text in (as_html(comparison), as_markdown(comparison), as_text(comparison)):
        assert "No p-value for the population" in text
        assert "p over subjects" not in text
        assert "d_z:" not in text
    record = pd.read_csv(io.StringIO(as_csv(comparison)), comment="#")
    empty = ["population_p", "population_p_holm", "d_z", "d_z_low", "d_z_high"]
    assert record[empty].isna().all(axis=None)


def test_every_figure_of_every_table_has_its_interval(comparison):
    tables = [
        subject_table(comparison),
        subject_differences(comparison),
        recall_table(comparison),
        trust_table(comparison),
    ]
    cells = [cell for table in tables for row in table.rows for cell in row[1:]]
    cells += [cell for m in comparison.methods for cell in table_row(m, comparison)[2:5]]
    assert cells
    assert [cell for cell in cells if not re.fullmatch(r"\S+ \[\S+, \S+\]", cell)] == []


def test_speaker_dependent_figures_claim_nothing_about_new_people():
    note = ProtocolConfig("speaker_dependent").note
    config = replace(CONFIG, note=note, trained_on_judged=True)
    found = compare(table(subjects=tuple(f"s{i}" for i in range(10))), config)
    for text in (as_html(found), as_markdown(found), as_csv(found), as_text(found)):
        assert "SPEAKER-DEPENDENT" in text
        assert "for people like" not in text
    assert "all of whom were trained on" in headline(found)


def test_groups_are_on_the_page_with_the_smallest_named(tmp_path):
    predictions = table()
    sexes = ["female" if c.subject == "DC" else "male" for c in predictions["gru"][0]]
    found = compare(predictions, CONFIG, groups={"sex": sexes})
    told = "Smallest group of sex: female, 1 subject, 28 clips."
    for text in (as_html(found), as_markdown(found)):
        assert told in text
        assert "widest gap, points" in text
    write_comparison(found, tmp_path)
    record = pd.read_csv(tmp_path / "comparison.csv", comment="#")
    assert (record["gap_sex_low"] <= record["gap_sex"]).all()
    assert (record["uar_sex_female_low"] <= record["uar_sex_female"]).all()


def test_many_subjects_stand_below_each_other():
    many = compare(table(subjects=tuple(f"s{i:02d}" for i in range(30))), CONFIG)
    shown = subject_table(many)
    assert len(shown.rows) == 30
    assert "30 speakers (s00, s01, ... s29)" in as_text(many)
    assert "<details>" in as_html(many)


def test_an_axis_holds_every_interval_and_ends_on_round_values():
    axis = axis_around([Interval(0.5, 0.43, 0.58), Interval(float("nan"), 0.0, 0.0)], "%", [0.14])
    assert axis.low == pytest.approx(0.1)
    assert axis.high == pytest.approx(0.6)
    signed = axis_around([Interval(-0.1, -0.2, 0.03)], "points", [0.0], is_signed=True)
    assert signed.low <= -0.2
    assert signed.high >= 0.03


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_axis_of_a_single_value_has_room_around_it(value):
    axis = axis_around([Interval(value, value, value)], "UAR, %", [value])
    assert axis.low < axis.high
    assert axis.low <= value <= axis.high
    assert "%" in interval_plot([], axis, [GuideLine(value, "all alike")])


def test_a_figure_without_clips_is_said_not_drawn():
    row = PlotRow("contempt (0)", Interval(float("nan"), float("nan"), float("nan")), "model", "")
    svg = interval_plot([row], Axis("recall, %", 0.0, 1.0), [GuideLine(0.5, "half")])
    assert "no clips" in svg
    assert "nan" not in svg


def test_the_origin_is_read_from_the_csv_again(comparison, tmp_path):
    (tmp_path / "comparison.csv").write_text(as_csv(comparison))
    told = read_origin(tmp_path / "comparison.csv")
    assert comparison.origin
    assert comparison.origin.items() <= told.items()

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from emotemporal.evaluation.stability.bootstrap import (
    draw_weights,
    figures,
    spurious_p_value,
    spurious_ratio,
)
from emotemporal.evaluation.stability.bootstrap import lag_quantiles as resampled_quantiles
from emotemporal.evaluation.stability.card import make_card
from emotemporal.evaluation.stability.figures import lag_quantiles
from emotemporal.evaluation.stability.grid import (
    FAMILIES,
    ChoiceConfig,
    GridConfig,
    choose,
    missed_limit,
    settings_of,
)
from emotemporal.evaluation.stability.lag_plot import LagCurve, lag_plot
from emotemporal.evaluation.stability.pieces import count_pieces
from emotemporal.evaluation.stability.replay import JudgedStream, StreamSet, replay, score, smooth
from emotemporal.evaluation.stability.report import as_html, as_text, write_study
from emotemporal.evaluation.stability.results import MethodSets, StudyRules, study_streams
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.inference.card import CardError
from emotemporal.inference.label_rule import Hysteresis
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.types import Target
from tests.evaluation.stream_fakes import THREE, F, H, N, any_of, noisy_streams, stream, stream_set

GRID = GridConfig(
    ema_s=(0.2, 0.5),
    one_euro_hz=(0.2,),
    one_euro_beta=(0.0, 0.3),
    markov_dwell_s=(1.0,),
    markov_evidence_s=(0.1, 0.4),
    majority_s=(0.5, 0.9),
    margin=(0.0, 0.2),
    dwell_s=(0.0, 0.2, 5.0),
)
RULES = StudyRules(GRID, ChoiceConfig(), BootstrapConfig(200))
AT_ONCE = SmoothingConfig("none", hysteresis=Hysteresis(0.0, 0.0))


def shown(streams, smoothing=AT_ONCE):
    return replay(streams, smooth(streams, smoothing), smoothing)


def steadier(streams: StreamSet) -> StreamSet:
    """What a filter might make of the same streams that knows more: the truth a tick late."""
    made = []
    for one in streams.streams:
        column = streams.true_labels[:, streams.streams.index(one)]
        codes = column[: len(one.prediction.times_s)]
        rows = np.full((len(codes), 3), 0.05)
        rows[np.arange(len(codes)), np.concatenate([codes[:1], codes[:-1]])] = 0.9
        made.append(JudgedStream(one.name, replace(one.prediction, probabilities=rows), one.pieces))
    return replace(streams, streams=made)


@pytest.fixture(scope="module")
def study():
    tune, test = (noisy_streams(seed, wrong=0.45) for seed in (1, 2))
    takes = noisy_streams(3, 4, num_units=6)
    sets = [MethodSets(s, {"learned gru": steadier(s)}) for s in (tune, test, takes)]
    return study_streams(*sets, RULES, {"commit": "abc"})


def test_every_method_keeps_to_the_lag_where_it_was_tuned(study):
    assert {method.name for method in study.methods} == {*FAMILIES, "learned gru"}
    for method in study.methods:
        assert method.choice.keeps_lag
        assert method.tuned.stability.median_lag_s <= 0.5


def test_no_setting_within_the_limits_is_steadier_than_the_one_chosen(study):
    for method in study.methods:
        if not method.choice.keeps_missed:
            continue
        for found in study.tuned[method.name].values():
            keeps = found.stability.median_lag_s <= 0.5 and found.missed_share <= study.most_missed
            if keeps:
                least = method.tuned.stability.spurious_per_minute
                assert found.stability.spurious_per_minute >= least


def test_a_constant_answer_never_wins(study):
    constant = stream_set(*[stream([N] * 60, [(0, 2, N), (2, 4, H), (4, 6, F)])])
    found = score(shown(constant))
    assert found.stability.spurious_per_minute == 0
    others = dict(study.simple)
    assert choose({"constant": found, **others}, study.most_missed, ChoiceConfig()).name in others
    assert missed_limit({"constant": found, **others}, ChoiceConfig()) == study.most_missed
    # A dwell of 5 s, in the grid, shows its first label nearly always.
    for method in study.methods:
        assert method.smoothing.hysteresis.dwell_s < 5


def test_where_nothing_is_fast_enough_the_limit_is_named():
    with pytest.raises(ValueError, match=r"median lag of at most 0.25 s; the fastest has 0.3"):
        study_streams(
            MethodSets(noisy_streams(1, 3)),
            MethodSets(noisy_streams(2, 3)),
            None,
            StudyRules(replace(GRID, dwell_s=(0.3,)), ChoiceConfig(max_lag_s=0.25)),
            {},
        )


def corrupted(sets: MethodSets) -> MethodSets:
    def shuffle(streams: StreamSet) -> StreamSet:
        rng, made = np.random.default_rng(0), []
        for one in streams.streams:
            truth = [
                Target(t.start_s, t.end_s, any_of(rng, THREE.emotions))
                for t in one.prediction.truth
            ]
            made.append(replace(one, prediction=replace(one.prediction, truth=truth)))
        return replace(streams, streams=made)

    return MethodSets(shuffle(sets.frame), {n: shuffle(s) for n, s in sets.learned.items()})


def test_corrupting_the_truth_of_the_test_changes_no_choice_and_no_card_but_its_test_figures():
    tune, test = (
        MethodSets(s, {"gru": steadier(s)}) for s in (noisy_streams(1, 4), noisy_streams(2, 4))
    )
    honest = study_streams(tune, test, None, RULES, {})
    fooled = study_streams(tune, corrupted(test), corrupted(test), RULES, {})
    assert [m.choice for m in honest.methods] == [m.choice for m in fooled.methods]
    assert honest.most_missed == fooled.most_missed
    cards = [make_card(s, None, "f", "training", 0.35) for s in (honest, fooled)]
    assert [e.smoothing for e in cards[0].entries] == [e.smoothing for e in cards[1].entries]
    assert [e.tuned for e in cards[0].entries] == [e.tuned for e in cards[1].entries]
    assert cards[0].default == cards[1].default
    assert honest.methods[0].test.uar != fooled.methods[0].test.uar


def test_a_method_that_knows_more_beats_every_simple_one(study):
    on_test = [c for c in study.contests if c.where == "test"]
    assert [c.against for c in on_test] == list(FAMILIES)
    for contest in on_test:
        assert contest.spurious_ratio.high < 1
        assert contest.macro_f1_gain.low > 0
        assert contest.adjusted_p_value is not None
        assert contest.adjusted_p_value < 0.05
    assert "fewer" in as_text(study).splitlines()[0]


def test_six_takes_give_no_p_value(study):
    on_takes = [c for c in study.contests if c.where == "takes"]
    assert len(on_takes) == len(FAMILIES)
    assert {c.p_value for c in on_takes} == {None}


def test_figures_are_those_of_the_definition_and_lie_in_their_intervals():
    streams = noisy_streams(4)
    replayed = shown(streams)
    expected = score(replayed)
    weights = draw_weights(streams, BootstrapConfig(300))
    found = figures(count_pieces(replayed), weights, BootstrapConfig(300))
    for interval, value in (
        (found.spurious_per_minute, expected.stability.spurious_per_minute),
        (found.median_lag_s, expected.stability.median_lag_s),
        (found.p95_lag_s, expected.stability.p95_lag_s),
        (found.missed_share, expected.missed_share),
        (found.share_within[0.5], expected.stability.share_within[0.5]),
        (found.macro_f1, expected.macro_f1),
        (found.uar, expected.uar),
    ):
        assert interval.estimate == pytest.approx(value, rel=1e-5)
        assert interval.low <= interval.estimate <= interval.high


def test_weighted_quantiles_of_lag_are_those_of_changes_repeated_as_often():
    streams = noisy_streams(5, wrong=0.5)
    replayed = shown(streams, SmoothingConfig("ema", hysteresis=Hysteresis(0.0, 0.4)))
    counts = count_pieces(replayed)
    changes = [c for s in replayed.stabilities() for c in s.changes if c.outcome != "pre_set"]
    assert any(c.outcome == "missed" for c in changes)
    times = np.random.default_rng(0).integers(0, 4, (5, len(changes)))
    for quantile in (0.5, 0.95):
        found = resampled_quantiles(counts, times.astype(np.float32), quantile)
        for row, value in zip(times, found, strict=True):
            repeated = [c for c, n in zip(changes, row, strict=True) for _ in range(n)]
            assert value == pytest.approx(lag_quantiles(repeated, [quantile])[0])


def test_a_still_weighs_alike_wherever_it_is_and_two_of_them_the_product():
    truth = [(0, 1, N), (1, 2, H), (2, 3, F)]
    one = stream([N] * 30, truth, "a", units=[("x",), ("y",), ("x", "y")])
    weights = draw_weights(stream_set(one, replace(one, name="b")), BootstrapConfig(100))
    assert (weights[0] == 1).all()
    np.testing.assert_array_equal(weights[:, :3], weights[:, 3:])
    np.testing.assert_array_equal(weights[:, 2], weights[:, 0] * weights[:, 1])
    np.testing.assert_array_equal(weights[1:, 0] + weights[1:, 1], 2)


def test_more_stills_give_narrower_intervals():
    widths = []
    for num_units in (8, 200):
        streams = noisy_streams(6, num_streams=20, num_units=num_units)
        # A still that is bad is bad wherever it comes again.
        found = count_pieces(shown(streams))
        found.num_spurious[:] = [
            10.0 * (int(piece.units[0][5:]) % 4 == 0)
            for one in streams.streams
            for piece in one.pieces
        ]
        weights = draw_weights(streams, BootstrapConfig(400))
        interval = figures(found, weights, BootstrapConfig(400)).spurious_per_minute
        widths.append((interval.high - interval.low) / interval.estimate)
    assert widths[1] < widths[0] / 2


def test_equal_methods_have_a_ratio_of_one_and_no_small_p():
    streams = noisy_streams(7)
    counts = count_pieces(shown(streams))
    weights = draw_weights(streams, BootstrapConfig(200))
    ratio = spurious_ratio(counts, counts, weights, BootstrapConfig(200))
    assert (ratio.estimate, ratio.low, ratio.high) == (1, 1, 1)
    assert spurious_p_value(counts, counts, streams) == 1.0


def test_the_limit_on_missed_changes_is_the_best_filters_and_a_point(study):
    steadiest = min(
        (s for s in study.simple.values() if s.stability.median_lag_s <= 0.5),
        key=lambda s: (s.stability.spurious_per_minute, s.stability.median_lag_s),
    )
    assert study.most_missed == pytest.approx(steadiest.missed_share + 0.01)
    fewest = missed_limit(study.simple, ChoiceConfig(best_is="fewest_missed"))
    assert fewest <= study.most_missed


def test_the_card_holds_what_nothing_beats_promptest_first(study):
    card = make_card(study, None, "f", "training", 0.35)
    lags = [entry.tuned.median_lag_s for entry in card.entries]
    flicker = [entry.tuned.spurious_per_minute for entry in card.entries]
    assert lags == sorted(lags)
    assert flicker == sorted(flicker, reverse=True)
    default = card.entries[card.default]
    assert default.tuned.median_lag_s <= 0.5
    assert card.steadiest_within(0.5) == default
    assert all(entry.tested is not None for entry in card.entries)
    slow = replace(card, entries=card.entries[-1:], default=0)
    with pytest.raises(CardError, match=r"median lag of at most 0.01 s; the fastest has"):
        slow.steadiest_within(0.01)


def test_a_learned_filters_card_has_no_filter_besides(study):
    card = make_card(study, "learned gru", "f", "training", 0.35)
    assert {entry.smoothing.name for entry in card.entries} == {"none"}


def test_the_grid_names_every_setting_once():
    default = settings_of(GridConfig())
    assert len(default) == sum(len(settings_of(GridConfig(), (family,))) for family in FAMILIES)
    assert {config.name for config in default.values()} == set(FAMILIES)
    with pytest.raises(ValueError, match="ema_s: give at least one"):
        GridConfig(ema_s=())
    with pytest.raises(ValueError, match="time_constant_s is 0"):
        GridConfig(ema_s=(0.0,))


def test_report_and_tables_say_the_same(study, tmp_path):
    page, markdown, table, settings = write_study(study, tmp_path)
    html = page.read_text()
    assert html.count("<polyline") == 2 * len(study.methods)
    assert html.count('class="ring') == 2 * len(study.methods)
    for title in ("median lag, s", "spurious switches a minute (logarithmic)", "changes missed, %"):
        assert title in html
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    first = next(r for r in rows if (r["streams"], r["method"]) == ("test", "ema"))
    assert float(first["median_lag_s"]) == pytest.approx(
        study.method("ema").test.median_lag_s.estimate, rel=1e-5
    )
    assert f"{float(first['spurious_per_minute']):.1f} [" in markdown.read_text()
    every = list(csv.DictReader(io.StringIO(settings.read_text())))
    assert len(every) == sum(len(scores) for scores in study.tuned.values())
    assert sum(int(row["is_chosen"]) for row in every) == len(study.methods)


def _curve(study, title, scale=1.0):
    front = study.fronts["learned gru"]
    scores = [
        replace(score, stability=replace(score.stability, median_lag_s=scale * 0.2))
        for score in front.values()
    ]
    return LagCurve(title, scores, scores[0], is_learned=True)


def test_two_learned_heads_do_not_look_alike(study):
    drawn = lag_plot([_curve(study, "GRU"), _curve(study, "LSTM")], 0.5, "x")
    assert 'class="learned hue0"' in drawn
    assert 'class="learned hue1"' in drawn
    shapes = set(re.findall(r'class="spot" d="M[-\d. ]+(m[^"]*)"', drawn))
    assert len(shapes) == 2, "a grey print tells them apart by their marks"
    assert "stroke-dasharray" in drawn.split("LSTM")[-2]


def test_a_method_that_lags_too_long_to_be_drawn_is_told(study):
    drawn = lag_plot([_curve(study, "GRU"), _curve(study, "slow", scale=100)], 0.5, "x")
    assert "slow (beyond the edge)" in drawn
    assert "GRU (beyond" not in drawn


def test_what_is_never_detected_is_told_as_never(study):
    ema = study.method("ema")
    late = replace(ema.test, p95_lag_s=replace(ema.test.p95_lag_s, estimate=math.inf))
    methods = tuple(replace(m, test=late) if m is ema else m for m in study.methods)
    assert "<td>never<small>[" in as_html(replace(study, methods=methods))

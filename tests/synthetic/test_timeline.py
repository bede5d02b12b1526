"""Time: what tells a clip from its reversal, and what must not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from emotemporal.synthetic.timeline import (
    Envelope,
    MovementConfig,
    perform,
    sample_envelope,
)

TIMES_S = np.arange(61) / 30


def test_an_envelope_rises_stays_and_falls():
    envelope = Envelope(start_s=0.5, onset_s=0.2, apex_s=0.3, offset_s=0.4, peak=0.8)
    at = envelope(np.array([0.0, 0.5, 0.6, 0.7, 1.0, 1.2, 1.4, 2.0]))
    np.testing.assert_allclose(at, [0, 0, 0.4, 0.8, 0.8, 0.4, 0, 0], atol=1e-12)


def test_an_envelope_played_backwards_is_the_one_with_onset_and_offset_swapped():
    forward = Envelope(0.3, 0.2, 0.5, 0.9)
    backward = Envelope(2.0 - forward.end_s, 0.9, 0.5, 0.2)
    np.testing.assert_allclose(forward(TIMES_S)[::-1], backward(TIMES_S), atol=1e-12)


def _leans(asymmetry: float) -> np.ndarray:
    """How much later than the middle of its clip an expression weighs."""
    leans = []
    for seed in range(400):
        intensity = sample_envelope(2.0, asymmetry, np.random.default_rng(seed))(TIMES_S)
        leans.append((intensity * (TIMES_S - 1)).sum() / intensity.sum())
    return np.array(leans)


def test_without_signal_a_clip_is_as_likely_as_its_reversal():
    leans = _leans(0.0)
    assert ks_2samp(leans, -leans).pvalue > 0.1


def test_with_signal_it_is_not():
    assert (_leans(1.0) < 0).mean() == 1.0
    envelopes = [sample_envelope(2.0, 1.0, np.random.default_rng(s)) for s in range(50)]
    ratios = np.array([e.offset_s / e.onset_s for e in envelopes])
    assert 5 < np.median(ratios) < 12


def test_the_signal_is_a_dial():
    leans = [abs(_leans(asymmetry).mean()) for asymmetry in (0.0, 0.3, 0.6, 1.0)]
    assert leans == sorted(leans)


@pytest.mark.parametrize("what", ["speech", "yaw_deg", "zoom", "AU45"])
def test_confounds_are_as_likely_backwards(what):
    forward, change = [], []
    for seed in range(150):
        done = perform(TIMES_S, [], MovementConfig(), np.random.default_rng(seed))
        values = done.actions.get(what) if what.startswith("AU") else getattr(done, what)
        if values is None:
            values = np.zeros(61)
        forward.append((values * (TIMES_S - 1)).sum())
        change.append(float(np.mean(np.diff(values) ** 3)))
    for statistic in (np.array(forward), np.array(change)):
        assert ks_2samp(statistic, -statistic).pvalue > 0.01


def test_movement_stays_within_its_limits():
    limits = MovementConfig(yaw_deg=9.0, speech_share=1.0)
    for seed in range(20):
        done = perform(TIMES_S, [], limits, np.random.default_rng(seed))
        assert np.abs(done.yaw_deg).max() <= 9
        assert done.speech.min() >= 0
        assert done.speech.max() <= 1


def test_a_still_person_is_still():
    still = MovementConfig(0.0, 0.0, 0.0, 0.0, 0.0, speech_share=0.0, blinks_hz=0.0)
    done = perform(TIMES_S, [], still, np.random.default_rng(0))
    assert not done.yaw_deg.any()
    assert not done.speech.any()
    assert all(not values.any() for values in done.actions.values())


def test_negative_movement_is_refused():
    with pytest.raises(ValueError, match="yaw_deg"):
        MovementConfig(yaw_deg=-1.0)

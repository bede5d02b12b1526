"""Streams with probabilities made up for the purpose."""

from __future__ import annotations

import numpy as np

from emotemporal.evaluation.stability.replay import JudgedStream, Piece, StreamSet
from emotemporal.inference.caution import Caution
from emotemporal.labels import Emotion, LabelSpace
from emotemporal.timing import ClipRate
from emotemporal.types import StreamPrediction, Target

N, H, F = Emotion.NEUTRAL, Emotion.HAPPINESS, Emotion.FEAR
THREE = LabelSpace((N, H, F))


def stream(answers, truth, name="s", sure=0.9, start_s=0.0, units=None):
    """Ten ticks a second; `answers` gives each tick's most probable label, truth in seconds."""
    rows = np.full((len(answers), 3), (1 - sure) / 2)
    rows[np.arange(len(answers)), [THREE.index(answer) for answer in answers]] = sure
    targets = [Target(start_s + a, start_s + b, emotion) for a, b, emotion in truth]
    times_s = start_s + np.arange(len(answers)) / 10
    units = units or [(f"{name}{i}",) for i in range(len(targets))]
    pieces = [Piece(t.start_s, t.end_s, u) for t, u in zip(targets, units, strict=True)]
    return JudgedStream(name, StreamPrediction(0, times_s, rows, THREE, targets), pieces)


def stream_set(*streams, uncertain_below=0.0, warm_up_s=0.0):
    return StreamSet(streams, ClipRate(10), Caution(uncertain_below), warm_up_s)


def any_of(rng, emotions):
    """Draw one; numpy's own choice would make plain text of it."""
    return emotions[int(rng.integers(len(emotions)))]


def noisy_streams(seed, num_streams=12, wrong=0.2, num_units=40, sure=0.7):
    """Streams of ten segments of 1 to 3 s, each of one of some stills; ticks err by themselves."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(num_streams):
        answers, truth, units, start = [], [], [], 0
        emotion = THREE.emotions[i % 3]
        for _ in range(10):
            emotion = any_of(rng, [e for e in THREE.emotions if e != emotion])
            count = int(rng.integers(10, 31))
            said = [
                any_of(rng, THREE.emotions) if rng.random() < wrong else emotion
                for _ in range(count)
            ]
            answers += said
            truth.append((start / 10, (start + count) / 10, emotion))
            units.append((f"still{rng.integers(num_units)}",))
            start += count
        made.append(stream(answers, truth, f"{seed}-{i}", sure, units=units))
    return stream_set(*made)

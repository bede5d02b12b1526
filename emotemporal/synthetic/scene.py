"""A video for the live program: some people side by side, each going through several emotions."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.synthetic.claim import claim, finish, write_text
from emotemporal.synthetic.expressions import Actions, sample_expression
from emotemporal.synthetic.faces import draw_face, face_box
from emotemporal.synthetic.head import Pose
from emotemporal.synthetic.identity import Identity, sample_identity
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.scenery import SUPERSAMPLING, Scenery, develop, sample_scenery
from emotemporal.synthetic.timeline import Envelope, MovementConfig, Performance, Times, perform
from emotemporal.synthetic.workers import draw_all
from emotemporal.video.write import VideoWriter

TRUTH_COLUMNS = ("time_s", "face", "x1", "y1", "x2", "y2", "emotion", "intensity")
_FRAMES_A_JOB = 25


@dataclass(frozen=True)
class SyntheticSceneConfig:
    """Who shows what in a drawn scene, and for how long.

    Raises:
        ValueError: No face or too many for the width, no segment, or times that do not fit.
    """

    num_faces: int = 2
    num_segments: int = 6
    """Emotions that each face goes through, one after the other."""
    segment_s: float = 2.6
    """From the beginning of an onset to the end of its offset."""
    rest_s: float = 0.9
    """Neutral between two emotions, and before the first."""
    onset_s: float = 0.4
    offset_s: float = 0.5
    emotions: tuple[Emotion, ...] = tuple(e for e in SAVEE_7.emotions if e is not Emotion.NEUTRAL)
    """Each is shown with its own published action units, fear and surprise too."""
    frame_rate_hz: float = 25.0
    width_px: int = 640
    height_px: int = 360
    max_noise_std: float = 2.5
    """Of the camera's noise, in grey levels."""
    movement: MovementConfig = field(default_factory=lambda: MovementConfig(speech_share=0.5))
    seed: int = 0

    def __post_init__(self) -> None:
        room_px = self.width_px / max(self.num_faces, 1)
        if self.num_faces < 1 or room_px < 0.8 * self.height_px:
            raise ValueError(
                f"{self.num_faces} faces in {self.width_px} px; there must be at least one, and "
                f"each needs {0.8 * self.height_px:.0f} px of width"
            )
        if self.num_segments < 1 or not self.emotions or Emotion.NEUTRAL in self.emotions:
            raise ValueError(
                f"{self.num_segments} segments of {[e.value for e in self.emotions]}; at least one "
                "of at least one emotion, neutral being what lies between them"
            )
        if self.onset_s <= 0 or self.offset_s <= 0 or self.apex_s < 0 or self.rest_s < 0:
            raise ValueError(
                f"onset of {self.onset_s} s and offset of {self.offset_s} s must be positive and "
                f"fit into a segment of {self.segment_s} s; a rest is not negative ({self.rest_s})"
            )

    @property
    def apex_s(self) -> float:
        """How long an expression stays at its height."""
        return self.segment_s - self.onset_s - self.offset_s

    @property
    def num_frames(self) -> int:
        """Frames of the video; it ends with half a rest."""
        whole_s = self.num_segments * (self.segment_s + self.rest_s) + 0.5 * self.rest_s
        return round(whole_s * self.frame_rate_hz)


@dataclass(frozen=True, eq=False)
class Actor:
    """One face of a scene: who it is, what it does, and when which emotion is true of it."""

    identity: Identity
    performance: Performance
    emotions: Sequence[Emotion]
    """Of each frame: neutral while the expression is below half its height, for a change of
    expression is said to happen halfway."""

    centre: tuple[float, float]
    unit_px: float

    def pose_at(self, index: int) -> Pose:
        """Return how the head is held in one frame, on the canvas."""
        return self.performance.pose_at(index, self.centre, self.unit_px)


@dataclass(frozen=True)
class _Job:
    config: SyntheticSceneConfig
    start: int


def write_scene(path: Path, config: SyntheticSceneConfig, workers: int = 1) -> None:
    """Draw a scene into a video, with its truth beside it: `scene.mp4`, `scene.truth.csv`.

    The truth has a row for each face of each frame: time, face, box, emotion and intensity. Faces
    are numbered from the left. Drawn already with the same config, it is left alone.

    Args:
        path: Of the video; `.mp4`, `.webm` or `.avi`.
        config: What to draw.
        workers: Processes that draw.

    Raises:
        FileExistsError: The file holds something else.
        VideoError: OpenCV cannot write such a file.
    """
    record = path.with_suffix(".synthetic.json")
    if not claim(record, config, path.exists()):
        return
    starts = range(0, config.num_frames, _FRAMES_A_JOB)
    jobs = [_Job(config, start) for start in starts]
    write_text(path.with_suffix(".truth.csv"), _truth(config))
    pieces = draw_all(_draw_piece, jobs, workers, f"drawing {path.name}")
    with VideoWriter(path, config.frame_rate_hz) as video:
        for piece in pieces:
            for frame in piece:
                video.write(frame)
    finish(record, config)


def scene_frames(config: SyntheticSceneConfig) -> Iterator[Picture]:
    """Draw the frames of a scene one by one."""
    for start in range(0, config.num_frames, _FRAMES_A_JOB):
        yield from _draw_piece(_Job(config, start))


@lru_cache(maxsize=2)
def cast(config: SyntheticSceneConfig) -> tuple[Actor, ...]:
    """Return the scene's people, from the left, with everything that they do."""
    return tuple(_rehearse(config, face) for face in range(config.num_faces))


def _rehearse(config: SyntheticSceneConfig, face: int) -> Actor:
    generator = np.random.default_rng([config.seed, 4, face])
    times_s = np.arange(config.num_frames) / config.frame_rate_hz
    # Every emotion comes once before any comes again, and neighbours are out of step.
    rounds = -(-config.num_segments // len(config.emotions))
    order = [e for _ in range(rounds) for e in generator.permutation(list(config.emotions))]
    shown: list[tuple[Actions, Times]] = []
    truth = [Emotion.NEUTRAL] * config.num_frames
    delay_s = 0.5 * config.rest_s * (face % 2)
    for segment in range(config.num_segments):
        emotion = Emotion(str(order[segment]))
        start_s = config.rest_s - delay_s + segment * (config.segment_s + config.rest_s)
        peak = float(generator.uniform(0.85, 1.0))
        envelope = Envelope(start_s, config.onset_s, config.apex_s, config.offset_s, peak)
        intensity = envelope(times_s)
        shown.append((sample_expression(emotion, generator), intensity))
        for i in np.flatnonzero(intensity >= 0.5 * peak):
            truth[i] = emotion
    performance = perform(times_s, shown, config.movement, generator)
    canvas_px = SUPERSAMPLING * config.width_px
    centre = (canvas_px * (face + 0.5) / config.num_faces, SUPERSAMPLING * config.height_px * 0.5)
    unit_px = SUPERSAMPLING * config.height_px * 0.19
    return Actor(sample_identity(generator), performance, truth, centre, unit_px)


@lru_cache(maxsize=2)
def _scenery(config: SyntheticSceneConfig) -> Scenery:
    generator = np.random.default_rng([config.seed, 5])
    return sample_scenery((config.height_px, config.width_px), config.max_noise_std, generator)


def _draw_piece(job: _Job) -> list[Picture]:
    actors, scenery = cast(job.config), _scenery(job.config)
    frames = []
    for i in range(job.start, min(job.start + _FRAMES_A_JOB, job.config.num_frames)):
        canvas = scenery.background.copy()
        for actor in actors:
            actions, gaze = actor.performance.actions_at(i), actor.performance.gaze_at(i)
            draw_face(canvas, actor.identity, actions, actor.pose_at(i), scenery.light, gaze)
        frames.append(develop(canvas, scenery, np.random.default_rng([job.config.seed, 6, i])))
    return frames


def _truth(config: SyntheticSceneConfig) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TRUTH_COLUMNS)
    for i in range(config.num_frames):
        for face, actor in enumerate(cast(config)):
            box = face_box(actor.pose_at(i), 1 / SUPERSAMPLING)
            place = [f"{side:.2f}" for side in (box.x1, box.y1, box.x2, box.y2)]
            done = actor.performance
            time_s, intensity = f"{done.times_s[i]:.6f}", f"{done.intensity[i]:.4f}"
            writer.writerow([time_s, face, *place, actor.emotions[i].value, intensity])
    return text.getvalue()

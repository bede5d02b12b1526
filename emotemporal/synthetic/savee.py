"""A drawn SAVEE: a few speakers, many clips, and one pair of emotions that only time tells apart.

Clip `f<i>.avi` of every speaker is clip `su<i>.avi` played backwards, frame for frame, blinks,
speech and noise included: both hold the same pictures, so a judge that does not look at their order
is right in exactly half of the two. AVI coded as MJPG keeps every frame by itself, so the decoded
frames are equal byte for byte. On this pair a model that sees order wins by construction: it is a
check of the instrument, not evidence about faces.

The pair is drawn with the action units that EMFACS gives both emotions. With the units of each, as
the pictures of `affectnet` have them, a single frame would do, and nothing could be checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path
from string import ascii_uppercase

import numpy as np

from emotemporal.labels import SAVEE_7, SAVEE_CODES, Emotion
from emotemporal.synthetic.claim import claim, finish
from emotemporal.synthetic.clip import DrawnClip, reverse, write_truth
from emotemporal.synthetic.expressions import PAIR_ACTIONS, sample_expression, vary
from emotemporal.synthetic.faces import draw_face, face_box
from emotemporal.synthetic.identity import Identity, sample_identity
from emotemporal.synthetic.paint import Picture
from emotemporal.synthetic.scenery import SUPERSAMPLING, Scenery, develop, sample_scenery
from emotemporal.synthetic.timeline import MovementConfig, Performance, perform, sample_envelope
from emotemporal.synthetic.video import write_intra_avi
from emotemporal.synthetic.workers import draw_all

REVERSED_PAIR = (Emotion.SURPRISE, Emotion.FEAR)
"""The second is the first with time reversed."""
SPEAKERS = ("DC", "JE", "JK", "KL")
"""SAVEE's four; further ones are made up."""
_CODES: Mapping[Emotion, str] = {emotion: code for code, emotion in SAVEE_CODES.items()}


@dataclass(frozen=True)
class SyntheticSaveeConfig:
    """What a drawn SAVEE holds.

    Raises:
        ValueError: Nothing to draw, or a signal outside 0 to 1.
    """

    num_speakers: int = 4
    clips_per_emotion: int = 15
    """Of each speaker; neutral has twice as many, as in SAVEE (15 gives its 480 clips)."""
    emotions: tuple[Emotion, ...] = SAVEE_7.emotions
    """Which are drawn. Fear and surprise are drawn together, or not at all."""
    duration_s: float = 2.0
    """From the first frame to the last, so there is one frame more than rate times duration. Then
    any even sampling that hits both ends gives the same pictures of a clip and of its reversal."""
    frame_rate_hz: float = 30.0
    signal: float = 1.0
    """How much fear and surprise differ in time. 1: surprise comes eight times as fast as it goes,
    and fear goes so. 0: coming and going are drawn alike, and nothing tells the two apart."""
    width_px: int = 320
    height_px: int = 256
    max_noise_std: float = 4.0
    """Of the camera's noise, in grey levels."""
    movement: MovementConfig = field(default_factory=MovementConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_speakers < 1 or self.clips_per_emotion < 1:
            raise ValueError(
                f"num_speakers is {self.num_speakers} and clips_per_emotion "
                f"{self.clips_per_emotion}; at least 1 each"
            )
        if not self.emotions or len({*REVERSED_PAIR} & {*self.emotions}) == 1:
            raise ValueError(
                f"emotions are {[e.value for e in self.emotions]}; at least one, and of "
                f"{' and '.join(REVERSED_PAIR)} both or none: one is the other backwards"
            )
        if not 0 <= self.signal <= 1:
            raise ValueError(f"signal is {self.signal}; it can be 0 (none) to 1 (full)")
        if self.num_frames < 5:
            raise ValueError(
                f"{self.duration_s} s at {self.frame_rate_hz} Hz are {self.num_frames} frames; "
                "an expression that comes and goes needs at least 5"
            )
        if min(self.width_px, self.height_px) < 96 or self.width_px % 2 or self.height_px % 2:
            raise ValueError(
                f"frames are {self.width_px} x {self.height_px} px; even numbers from 96 on"
            )

    @property
    def num_frames(self) -> int:
        """Frames of every clip."""
        return round(self.duration_s * self.frame_rate_hz) + 1


@dataclass(frozen=True)
class _Job:
    root: Path
    config: SyntheticSaveeConfig
    speaker: int
    emotion: Emotion
    number: int


def speaker_names(count: int) -> tuple[str, ...]:
    """Return the speakers' two letters: SAVEE's own four, then made-up ones."""
    made_up = ("".join(pair) for pair in product(ascii_uppercase, repeat=2))
    return (
        *SPEAKERS,
        *islice((name for name in made_up if name not in SPEAKERS), max(0, count - 4)),
    )[:count]


def clip_names(config: SyntheticSaveeConfig) -> list[str]:
    """Return the clips' names under `AudioVisualClip`, without suffix: DC/a1 and so on."""
    speakers = speaker_names(config.num_speakers)
    return [f"{speakers[s]}/{_CODES[emotion]}{number}" for s, emotion, number in _clips(config)]


def write_savee(root: Path, config: SyntheticSaveeConfig, workers: int = 1) -> None:
    """Draw a SAVEE into a folder: `AudioVisualClip/DC/a1.avi`, with `a1.csv` beside it.

    The CSV tells, of every frame, time, intensity, action units, head pose and face box. The same
    config gives the same bytes, whatever the number of workers. Drawn already, it is left alone;
    broken off, it is drawn to its end.

    Args:
        root: Folder; made if it is not there.
        config: What to draw.
        workers: Processes that draw. A script that asks for more than one needs the usual
            `if __name__ == "__main__"`.

    Raises:
        FileExistsError: The folder holds something else.
    """
    record = root / "synthetic_savee.json"
    if not claim(record, config, root.is_dir() and any(root.iterdir())):
        return
    jobs = [_Job(root, config, *clip) for clip in _clips(config) if clip[1] is not REVERSED_PAIR[1]]
    for speaker in speaker_names(config.num_speakers):
        (root / "AudioVisualClip" / speaker).mkdir(parents=True, exist_ok=True)
    for _ in draw_all(_draw_and_write, jobs, workers, "drawing SAVEE"):
        pass
    finish(record, config)


def draw_clip(
    config: SyntheticSaveeConfig, speaker: int, emotion: Emotion, number: int
) -> DrawnClip:
    """Draw one clip of the set; it depends on nothing but these arguments."""
    if emotion is REVERSED_PAIR[1]:
        return reverse(draw_clip(config, speaker, REVERSED_PAIR[0], number), emotion)
    person = np.random.default_rng([config.seed, 17, speaker])
    identity = sample_identity(person)
    scenery = sample_scenery((config.height_px, config.width_px), config.max_noise_std, person)
    generator = np.random.default_rng([config.seed, 3, speaker, SAVEE_7.index(emotion), number])
    times_s = np.arange(config.num_frames) / config.frame_rate_hz
    is_pair = emotion in REVERSED_PAIR
    strengths = vary(PAIR_ACTIONS, generator) if is_pair else sample_expression(emotion, generator)
    asymmetry = config.signal if is_pair else 0.0
    envelope = sample_envelope(float(times_s[-1]), asymmetry, generator)
    performance = perform(times_s, [(strengths, envelope(times_s))], config.movement, generator)
    return _film(config, identity, scenery, performance, emotion, generator)


def _film(
    config: SyntheticSaveeConfig,
    identity: Identity,
    scenery: Scenery,
    performance: Performance,
    emotion: Emotion,
    generator: np.random.Generator,
) -> DrawnClip:
    frames: list[Picture] = []
    boxes = []
    centre = (SUPERSAMPLING * config.width_px * 0.5, SUPERSAMPLING * config.height_px * 0.52)
    unit_px = SUPERSAMPLING * config.height_px * 0.22
    for i in range(len(performance)):
        canvas = scenery.background.copy()
        pose = performance.pose_at(i, centre, unit_px)
        actions, gaze = performance.actions_at(i), performance.gaze_at(i)
        draw_face(canvas, identity, actions, pose, scenery.light, gaze)
        frames.append(develop(canvas, scenery, generator))
        boxes.append(face_box(pose, 1 / SUPERSAMPLING))
    return DrawnClip(frames, performance, boxes, emotion)


def _draw_and_write(job: _Job) -> None:
    folder = job.root / "AudioVisualClip" / speaker_names(job.config.num_speakers)[job.speaker]
    is_pair = job.emotion in REVERSED_PAIR
    emotions: Sequence[Emotion] = REVERSED_PAIR if is_pair else (job.emotion,)
    paths = [folder / f"{_CODES[emotion]}{job.number}.avi" for emotion in emotions]
    if all(path.exists() and path.with_suffix(".csv").exists() for path in paths):
        return
    drawn = draw_clip(job.config, job.speaker, job.emotion, job.number)
    clips = [drawn, reverse(drawn, REVERSED_PAIR[1])] if is_pair else [drawn]
    for path, clip in zip(paths, clips, strict=True):
        write_truth(path.with_suffix(".csv"), clip)
        write_intra_avi(path, clip.frames, job.config.frame_rate_hz)


def _clips(config: SyntheticSaveeConfig) -> list[tuple[int, Emotion, int]]:
    """Return speaker, emotion and number of every clip."""
    return [
        (speaker, emotion, number)
        for speaker in range(config.num_speakers)
        for emotion in config.emotions
        for number in range(1, _count(config, emotion) + 1)
    ]


def _count(config: SyntheticSaveeConfig, emotion: Emotion) -> int:
    return config.clips_per_emotion * (2 if emotion is Emotion.NEUTRAL else 1)

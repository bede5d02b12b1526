"""`record --prompts`: somebody acts emotions on cue; video and truth go to the user's own disk."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from emotemporal.labels import SAVEE_7, Emotion, parse_emotions
from emotemporal.live.overlay.prompt_card import draw_prompt
from emotemporal.live.own_set import MANIFEST, TRUTH, OwnSet
from emotemporal.live.prompts import Prompt, PromptTimes, plan_prompts
from emotemporal.live.sinks.recording import Recording
from emotemporal.live.window import Gui, Window, has_display
from emotemporal.stopping import stop_when_asked
from emotemporal.types import Frame
from emotemporal.video.camera import Camera
from emotemporal.video.source import FrameSource, VideoError

_log = logging.getLogger(__name__)
_SUBJECT = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class RecordConfig:
    """Record a test set of your own: emotions acted on cue, with the truth of every moment.

    Writes the camera's pictures, without sound, and two tables into `out`, and nowhere else.
    """

    out: str
    """Folder of the test set; several people can share it."""
    subject: str
    """Whom it shows: a name for a folder, and no more of one than should be kept."""
    consent: bool = False
    """Say `true` if whoever is shown agrees that the videos are kept in `out`."""
    prompts: str = ",".join(SAVEE_7.names)
    """Emotions to act, with commas."""
    num_rounds: int = 3
    """How often each comes."""
    times: PromptTimes = field(default_factory=PromptTimes)
    source: str = "0"
    """The number of a camera."""
    max_gap_s: float = 0.5
    """A take in which the camera gave nothing for longer is recorded once more."""
    seed: int = 0
    """Of the order."""

    def __post_init__(self) -> None:
        if not _SUBJECT.fullmatch(self.subject):
            raise ValueError(f"subject is {self.subject!r}; it is 1 to 40 letters, digits, - and _")
        if not self.source.isdecimal():
            raise ValueError(f"source is {self.source!r}; it is the number of a camera, such as 0")
        if self.num_rounds < 1 or self.max_gap_s <= 0 or self.seed < 0:
            raise ValueError(
                f"num_rounds is {self.num_rounds}, max_gap_s {self.max_gap_s}, seed {self.seed}; "
                "at least 1, above 0, and 0 or more"
            )
        if not self.emotions:
            raise ValueError("prompts names no emotion; name some, with commas")

    @property
    def emotions(self) -> tuple[Emotion, ...]:
        """What is acted."""
        return tuple(dict.fromkeys(parse_emotions(self.prompts)))

    @property
    def promise(self) -> str:
        """What is done with the pictures, to be agreed to."""
        return (
            f"videos of {self.subject}'s face, without sound, are kept in {self.out}/"
            f"{self.subject}, and what was asked for when in {MANIFEST} and {TRUTH}; nothing "
            "leaves this computer. To take it back, delete the folder"
        )


@dataclass(frozen=True)
class RecordSummary:
    """What has been recorded."""

    folder: Path
    num_done: int
    """Of this person, with those of earlier runs."""
    num_prompts: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to record."""
        return self.num_done == self.num_prompts

    def __str__(self) -> str:
        told = f"{self.num_done} of {self.num_prompts} takes in {self.folder}"
        if not self.is_complete:
            return f"{told}; the same command goes on where it stopped"
        return (
            f"{told}. Judge them: emotemporal evaluate --dataset manifest --root {self.folder} "
            f"--manifest {MANIFEST}; what was to be seen at every moment is in {TRUTH}"
        )


class _AbandonedError(Exception):
    """The take under way is not kept; `is_over` if no other follows now."""

    def __init__(self, reason: str, is_over: bool) -> None:
        super().__init__(reason)
        self.is_over = is_over


def record(
    config: RecordConfig, source: FrameSource | None = None, gui: Gui | None = None
) -> RecordSummary:
    """Go through the prompts that are still to do; stopped or killed, at most one is lost.

    Args:
        config: What to record, where to, and whether that is agreed to.
        source: In place of the camera; its frames' times are the clock.
        gui: In place of OpenCV's window.

    Raises:
        ValueError: No consent, no display, or the person's folder was begun with other prompts.
        VideoError: The camera cannot be used, or a video not be written.
    """
    if not config.consent:
        raise ValueError(
            f"nothing was recorded. {config.promise[0].upper()}{config.promise[1:]}. If whoever is "
            "shown agrees, say --consent true"
        )
    if gui is None and not has_display():
        raise ValueError("prompts are shown in a window, and there is no display here")
    prompts = plan_prompts(config.emotions, config.num_rounds, config.times, config.seed)
    kept = OwnSet(Path(config.out), config.subject, prompts, config.promise)
    left = [prompt for prompt in prompts if not kept.has(prompt)]
    _log.info("%s", config.promise)
    if left:
        with ExitStack() as stack:
            asked = stack.enter_context(stop_when_asked())
            window = stack.enter_context(Window("emotemporal: record", gui))
            camera = source or Camera(int(config.source))
            frames = iter(stack.enter_context(camera))
            studio = _Studio(frames, window, asked, config.max_gap_s, len(prompts))
            _record_all(studio, left, kept)
    return RecordSummary(kept.root, sum(map(kept.has, prompts)), len(prompts))


def _record_all(studio: _Studio, prompts: list[Prompt], kept: OwnSet) -> None:
    left = list(prompts)
    while left:
        try:
            with Recording(kept.path(left[0]), None) as video:
                studio.record(left[0], video)
        except _AbandonedError as abandoned:
            _log.info("%s is not kept: %s", left[0].take, abandoned)
            if abandoned.is_over:
                return
            continue
        kept.add(left.pop(0))


@dataclass(frozen=True, eq=False)
class _Studio:
    """A camera that runs, a mirror with the prompt on it, and somebody who may have enough."""

    frames: Iterator[Frame]
    window: Window
    asked: Event
    max_gap_s: float
    num_prompts: int

    def record(self, prompt: Prompt, video: Recording) -> None:
        """Record one take, from its count-down to its end.

        Raises:
            _AbandonedError: It was broken off, or the camera had a gap.
        """
        started_s: float | None = None
        last_s = 0.0
        for frame in self.frames:
            started_s = frame.time_s if started_s is None else started_s
            time_s = frame.time_s - started_s
            if time_s - last_s > self.max_gap_s:
                raise _AbandonedError(f"no picture for {time_s - last_s:.1f} s", is_over=False)
            last_s = time_s
            if time_s >= prompt.times.end_s:
                return
            video.write(frame.image, time_s)
            action = self.window.write(draw_prompt(frame.image, prompt, time_s, self.num_prompts))
            if self.window.is_closed or self.asked.is_set():
                raise _AbandonedError("stopped", is_over=True)
            if action == "pause":
                raise _AbandonedError("once more", is_over=False)
        raise VideoError(f"the camera stopped giving pictures during {prompt.take}")

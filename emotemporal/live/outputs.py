"""All that a live run gives: tables, and the picture to files and to a window with its keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Self

import numpy as np
from jaxtyping import UInt8

from emotemporal.inference.predictor import Judgement
from emotemporal.live.captures import UNWRITABLE, Pictures
from emotemporal.live.overlay.draw import Overlay
from emotemporal.live.overlay.scene import Scene
from emotemporal.live.overlay.status import StatusLine
from emotemporal.live.sinks.formats import TableFormat, open_tables
from emotemporal.live.sinks.page import PageAbout
from emotemporal.live.sinks.recording import Recording
from emotemporal.live.sinks.tables import Table
from emotemporal.live.stages import Moment
from emotemporal.live.window import HELP, Action, Window

_Picture = UInt8[np.ndarray, "h w 3"]
_PAUSED_MS = 40
"""Between two looks at the keys while the picture stands still."""
_NOTE_FOR = 45  # pictures: long enough to read a line
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OutputFiles:
    """Where a live run's results go."""

    tables: Mapping[TableFormat, Path] = field(default_factory=dict)
    video: Path | None = None
    captures: Path = Path()
    """The folder for what the window's keys keep: screenshots and recordings."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that is written, whatever keys are pressed."""
        return (*([] if self.video is None else [self.video]), *self.tables.values())


@dataclass(frozen=True)
class Controls:
    """What the window's keys can change in a run, and what may change while it stands still."""

    next_smoother: Callable[[], str] | None = None
    """Changes the smoother and says to which; None where it cannot be changed."""
    asked: Event = field(default_factory=Event)
    """Set from elsewhere, it ends a pause: the run is to stop."""


class LiveOutputs:
    """A `Sink` of sinks, and a context manager. The picture is drawn only if somebody takes it.

    Args:
        overlay: Draws.
        tables: Get the judgements.
        recording: Gets every labelled picture.
        window: Gets them too, and has keys.
        pictures: What the keys keep.
        controls: What else its keys do.
    """

    def __init__(
        self,
        overlay: Overlay,
        tables: Sequence[Table] = (),
        recording: Recording | None = None,
        window: Window | None = None,
        pictures: Pictures | None = None,
        controls: Controls | None = None,
    ) -> None:
        self._overlay, self._scene, self._line = overlay, Scene(), StatusLine()
        self._tables, self._recording, self._window = tables, recording, window
        self._pictures = pictures or Pictures(Path(), None)
        self._controls = controls or Controls()
        self._shows_help = self._is_paused = False
        self._note, self._note_left = "", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._pictures.close()
        except UNWRITABLE as error:  # see `_keep`: tables that are finished after this are kept
            _log.warning("a recording begun by a key cannot be kept: %s", error)

    @property
    def is_closed(self) -> bool:
        """Whether the window was closed."""
        return self._window is not None and self._window.is_closed

    def write(self, moment: Moment) -> None:
        """Take the next frame with all that was seen and said of it; wait while paused."""
        for table in self._tables:
            table.write(moment.judgements)
        if self._recording is None and self._window is None:
            return
        frame = moment.frame
        faces = self._scene.step(moment.views, moment.judgements, frame.time_s)
        status = self._line.step(moment)
        picture = self._overlay.draw(frame.image, faces, frame.time_s, status)
        if self._recording is not None:
            self._recording.write(picture, frame.time_s)
        try:
            self._pictures.write(picture, frame.time_s)
        except UNWRITABLE as error:
            self._pictures.drop(error)
            self._say(f"cannot be written: {error}")
        if self._window is not None:
            self._show(self._window, picture)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        """Take the judgements that were still due when the source ended."""
        for table in self._tables:
            table.write(judgements)

    def _show(self, window: Window, picture: _Picture) -> None:
        self._act(window.write(self._with_notes(picture)), picture)
        while self._is_paused and not (window.is_closed or self._controls.asked.is_set()):
            self._act(window.write(self._with_notes(picture), _PAUSED_MS), picture)
        self._is_paused = False

    def _act(self, action: Action | None, picture: _Picture) -> None:
        self._note_left = max(0, self._note_left - 1)
        if action == "pause":
            self._is_paused = not self._is_paused
        elif action == "help":
            self._shows_help = not self._shows_help
        elif action == "screenshot":
            self._keep(lambda: self._pictures.shoot(picture))
        elif action == "record":
            self._keep(self._pictures.toggle)
        elif action == "smoother" and self._controls.next_smoother is not None:
            self._say(self._controls.next_smoother())

    def _keep(self, write: Callable[[], str]) -> None:
        # A key pressed in passing must not end the run that somebody else's tables come from.
        try:
            self._say(write())
        except UNWRITABLE as error:
            self._say(f"cannot be written: {error}")

    def _say(self, note: str) -> None:
        self._note, self._note_left = note, _NOTE_FOR

    def _with_notes(self, picture: _Picture) -> _Picture:
        """Draw what is for the window alone: recordings and screenshots are without it."""
        badges = ["paused"] * self._is_paused + ["recording"] * self._pictures.is_recording
        note = self._note if self._note_left else ""
        if not (badges or note or self._shows_help):
            return picture
        return self._overlay.draw_notes(picture, badges, note, HELP if self._shows_help else ())


def open_outputs(
    files: OutputFiles,
    overlay: Overlay,
    about: PageAbout,
    rate_hz: float | None,
    window: Window | None,
    controls: Controls,
    stack: ExitStack,
) -> LiveOutputs:
    """Open all that results go to; `stack` finishes them.

    Args:
        files: Where.
        overlay: Draws.
        about: What a page and annotations say of the run.
        rate_hz: Of the source, where it is known beforehand: a file's.
        window: If there is one.
        controls: What the window's keys change.
        stack: Left well, every file has its name; left with an error, none.
    """
    tables = open_tables(files.tables, about, stack)
    recording = None
    if files.video is not None:
        recording = stack.enter_context(Recording(files.video, rate_hz))
    if window is not None:
        stack.enter_context(window)
    pictures = Pictures(files.captures, rate_hz)
    outputs = LiveOutputs(overlay, tables, recording, window, pictures, controls)
    return stack.enter_context(outputs)

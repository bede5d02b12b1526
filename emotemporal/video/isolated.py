"""Videos decoded in a process of their own: a decoder that crashes or hangs costs one video."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import UInt8

from emotemporal.types import Frame
from emotemporal.video.decoder import decode_videos
from emotemporal.video.file import Backend, VideoInfo
from emotemporal.video.source import VideoError

_STARTING_S = 300.0  # far above any real one
_OPENING_BYTES_PER_S = 1e6
"""Some decoders read the whole file to open it; slower than this is taken for a hang."""


class VideoProcess:
    """A process that decodes one video after the other. A context manager.

    It is started when the first video is opened, and anew after one that killed it.

    Args:
        backend: Who decodes; see `VideoFile`.
        stall_s: A video whose next frame takes longer is given up.
    """

    def __init__(self, backend: Backend = "auto", stall_s: float = 60.0) -> None:
        if not stall_s > 0:
            raise ValueError(f"stall_s is {stall_s}; it must be positive")
        self.stall_s = stall_s
        self._backend: Backend = backend
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def open(self, path: Path) -> IsolatedVideo:
        """Return a video to be read by this process; one at a time."""
        return IsolatedVideo(self, Path(path))

    def start(self) -> None:
        """Start the process where there is none; the first video would do it, too.

        Raises:
            OSError: It cannot be started.
        """
        if self._pipe is not None:
            return
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(  # type: ignore[attr-defined]
            target=decode_videos, args=(theirs, self._backend), daemon=True
        )
        try:
            process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._process, self._pipe = process, ours
        self._wait_for_start(ours)

    def send(self, message: object) -> None:
        """Tell the process something; it is started where there is none."""
        self.start()
        assert self._pipe is not None
        try:
            self._pipe.send(message)
        except OSError:  # it is gone: `receive` says so
            return

    def _wait_for_start(self, pipe: Connection) -> None:
        # Its imports count for no video's time.
        try:
            if pipe.poll(_STARTING_S) and pipe.recv():
                return
        except EOFError:
            pass
        self.close()
        raise OSError("a process to decode videos in could not be started")

    def receive(self, path: Path, patience_s: float) -> Any:
        """Wait for the process's next word.

        Raises:
            VideoError: None came: the process died of the video, or hangs.
        """
        assert self._pipe is not None
        try:
            if self._pipe.poll(patience_s):
                return self._pipe.recv()
        except (EOFError, OSError):
            raise self._crash(path) from None
        self.close()
        raise VideoError(
            f"{path}: stalled; its decoder gave nothing for {patience_s:.0f} s and was ended. "
            "Convert it again from its source"
        )

    def receive_image(self, path: Path, shape: tuple[int, int, int]) -> UInt8[np.ndarray, "h w 3"]:
        """Read an image's bytes, which follow the word that announces them.

        Raises:
            VideoError: The process died in between.
        """
        assert self._pipe is not None
        image = np.empty(shape, np.uint8)
        try:
            self._pipe.recv_bytes_into(image.data.cast("B"))
        except (EOFError, OSError):
            raise self._crash(path) from None
        return image

    def _crash(self, path: Path) -> VideoError:
        assert self._process is not None
        self._process.join(5)
        died_of = _tell_end(self._process.exitcode)
        self.close()
        return VideoError(
            f"{path}: its decoder crashed ({died_of}); the file is damaged or hostile. "
            "Convert it again from its source"
        )

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()  # it holds nothing that would have to be saved
            self._process.join()
            self._process.close()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class IsolatedVideo:
    """A `FrameSource` like `VideoFile`, whose decoder lives in a `VideoProcess`.

    Raises:
        VideoError: As of `VideoFile`; or the decoder crashed, or hangs.
    """

    def __init__(self, decoder: VideoProcess, path: Path) -> None:
        self.path = path
        self._decoder = decoder
        self._info: VideoInfo | None = None
        self._is_going = False

    def __enter__(self) -> Self:
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: there is no such video")
        patience_s = self._decoder.stall_s + self.path.stat().st_size / _OPENING_BYTES_PER_S
        self._decoder.send(("open", str(self.path)))
        self._info = self._checked(self._decoder.receive(self.path, patience_s))
        self._is_going = True
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_going:
            # Left before its end: what is on its way is read, and the process waits for the next.
            self._decoder.send(("stop", ""))
            # Nobody asked for those frames: what is wrong with them must not hide why it was left.
            with suppress(VideoError):
                while self._is_going:
                    self._next()

    @property
    def info(self) -> VideoInfo:
        """Size, number of frames, duration, rate."""
        if self._info is None:
            raise RuntimeError(f"{self.path}: not open yet; use `with decoder.open(path) as video`")
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._next()) is not None:
            self._decoder.send(("more", ""))
            yield frame

    def _next(self) -> Frame | None:
        if not self._is_going:
            return None
        self._is_going = False  # whatever is raised here ends the video
        told = self._checked(self._decoder.receive(self.path, self._decoder.stall_s))
        if told is None:
            return None
        shape, time_s, index = told
        image = self._decoder.receive_image(self.path, shape)
        self._is_going = True
        return Frame(image, time_s, index)

    def _checked(self, told: Any) -> Any:
        if isinstance(told, Exception):
            raise told
        return told


def _tell_end(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"code {code}"


def _context() -> BaseContext:
    # A fork server has OpenCV and the decoder's library loaded, and no thread: its children start
    # in hundredths of a second. Windows has none.
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([decode_videos.__module__, "decord"])
    return context

"""Frames of a video file, with their times. The only place for decord and torchcodec."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from emotemporal.types import Clip, Frame
from emotemporal.video.container import Declared, read_declared
from emotemporal.video.opencv import OpenCVDecoder
from emotemporal.video.source import VideoError

__all__ = ["VideoError", "VideoFile", "VideoInfo"]

Backend = Literal["auto", "decord", "torchcodec", "opencv"]
_READ_AHEAD = 32  # frames a call to torchcodec: bounds memory, spreads its overhead


@dataclass(frozen=True)
class VideoInfo:
    """What a video is; the frame rate is the mean where the rate varies."""

    width_px: int
    height_px: int
    num_frames: int
    duration_s: float
    """From the first frame to the end of the last."""
    frame_rate_hz: float


@runtime_checkable
class Decoder(Protocol):
    """One open file. `times_s` are the container's, one a stored frame."""

    times_s: Float[np.ndarray, " n"]

    def images(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]: ...

    def read(self, indices: Sequence[int]) -> UInt8[np.ndarray, "t h w 3"]: ...

    def close(self) -> None: ...


class VideoFile:
    """A video file as a source of frames. A context manager; nothing is opened before.

    Times count from the first frame shown, and follow the container where the frame rate varies.
    Frames that the container stores but does not show (times before zero) are left out. Open it
    in the process that reads it: decoders do not survive a fork.

    `auto` is decord, else torchcodec, else OpenCV; OpenCV also for rotated videos, which decord
    garbles. Colours may differ by a few levels between backends.

    Raises:
        VideoError: Not a video, truncated, or with other than the declared number of frames. The
            whole count is known only at the end of an iteration, which raises it then.
    """

    def __init__(self, path: Path, backend: Backend = "auto") -> None:
        self.path = Path(path)
        self._wanted: Backend = backend
        self._decoder: Decoder | None = None
        self._times_s: Float[np.ndarray, " n"] = np.zeros(0)
        self._num_before = 0
        self._info: VideoInfo | None = None

    def __enter__(self) -> Self:
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: there is no such video")
        declared = read_declared(self.path)
        self._decoder = _open(self.path, self._wanted, declared)
        try:
            self._learn(self._decoder, declared)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None

    def _learn(self, decoder: Decoder, declared: Declared) -> None:
        times_s = decoder.times_s
        _check_count(self.path, len(times_s), declared)
        if len(times_s) == 0 or not np.isfinite(times_s).all() or np.any(np.diff(times_s) <= 0):
            raise VideoError(
                f"{self.path}: its {len(times_s)} frame times do not grow; convert it again"
            )
        self._num_before = min(int(np.sum(times_s < -1e-6)), len(times_s) - 1)
        shown_s = times_s[self._num_before :]
        self._times_s = shown_s - shown_s[0]
        first = decoder.read([self._num_before])[0]
        period_s = float(np.median(np.diff(shown_s))) if len(shown_s) > 1 else 0.04
        duration_s = float(self._times_s[-1]) + period_s
        height, width = first.shape[:2]
        self._info = VideoInfo(width, height, len(shown_s), duration_s, len(shown_s) / duration_s)

    @property
    def info(self) -> VideoInfo:
        """Size, number of frames, duration, rate."""
        if self._info is None:
            raise RuntimeError(f"{self.path}: not open yet; use `with VideoFile(path) as video`")
        return self._info

    @property
    def times_s(self) -> Float[np.ndarray, " n"]:
        """When each frame is shown, from the first."""
        return self._times_s[: self.info.num_frames]

    def __iter__(self) -> Iterator[Frame]:
        decoder = self._open_decoder()
        count = 0
        for stored, image in enumerate(decoder.images()):
            index = stored - self._num_before
            if 0 <= index < self.info.num_frames:
                yield Frame(image, float(self._times_s[index]), index)
            count += 1
        if count != self._num_before + self.info.num_frames:
            raise VideoError(
                f"{self.path}: declares {self._num_before + self.info.num_frames} frames, "
                f"{count} could be decoded. It is cut off or damaged; fetch it again"
            )

    def read(self, indices: Sequence[int]) -> Clip:
        """Read chosen frames, in the order asked.

        Raises:
            IndexError: There is no such frame.
            VideoError: A frame cannot be decoded.
        """
        decoder = self._open_decoder()
        bad = [i for i in indices if not 0 <= i < self.info.num_frames]
        if bad or not len(indices):
            raise IndexError(f"{self.path}: frames {bad} of {self.info.num_frames} asked for")
        frames = decoder.read([int(i) + self._num_before for i in indices])
        return Clip(frames, self._times_s[list(indices)], str(self.path))

    def _open_decoder(self) -> Decoder:
        if self._decoder is None:
            raise RuntimeError(f"{self.path}: not open; use `with VideoFile(path) as video`")
        return self._decoder


def _open(path: Path, backend: Backend, declared: Declared) -> Decoder:
    is_installed = {name: importlib.util.find_spec(name) for name in ("decord", "torchcodec")}
    if backend == "auto" and declared.rotation_deg:
        backend = "opencv"
    if backend == "decord" or (backend == "auto" and is_installed["decord"]):
        if declared.rotation_deg:
            raise VideoError(f"{path}: rotated, which decord garbles; use the opencv backend")
        return _DecordDecoder(path, declared)
    if backend == "torchcodec" or (backend == "auto" and is_installed["torchcodec"]):
        return _TorchCodecDecoder(path)
    return OpenCVDecoder(path, declared)


def _check_count(path: Path, found: int, declared: Declared) -> None:
    if declared.num_frames is None:
        return
    # Decoders differ in whether they give the frames that an edit list hides.
    if not declared.num_frames - declared.num_unshown <= found <= declared.num_frames:
        raise VideoError(
            f"{path}: declares {declared.num_frames} frames, there are {found}. It is cut off or "
            "its header is wrong; fetch it again or convert it from its source"
        )


class _DecordDecoder:
    def __init__(self, path: Path, declared: Declared) -> None:
        import decord

        self._path = path
        self._error = decord.DECORDError
        try:
            # One thread: workers are processes here, and several threads keep more frames alive.
            self._reader: Any = decord.VideoReader(str(path), num_threads=1)
            count = len(self._reader)
            times = self._reader.get_frame_timestamp(np.arange(count))[:, 0]
        except (decord.DECORDError, RuntimeError) as error:
            reason = f"not a video that decord can read ({error})"
            if "cannot find video stream" in str(error):
                reason = "no pictures in it; is it sound alone?"
            raise VideoError(f"{path}: {reason}") from error
        self.times_s = np.asarray(times, dtype=np.float64)
        if declared.kind == "avi":  # stores no times, only a rate; decord's are from packet order
            self.times_s = np.arange(count) / float(self._reader.get_avg_fps())

    def images(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        self._reader.seek(0)  # decord's next() goes on where the last read stopped
        for index in range(len(self._reader)):
            try:
                image = self._reader.next().asnumpy()
            except (self._error, StopIteration) as error:
                raise VideoError(
                    f"{self._path}: declares {len(self._reader)} frames, {index} could be decoded "
                    f"({type(error).__name__}). It is cut off or damaged; fetch it again"
                ) from error
            yield image

    def read(self, indices: Sequence[int]) -> UInt8[np.ndarray, "t h w 3"]:
        try:
            frames: UInt8[np.ndarray, "t h w 3"] = self._reader.get_batch(list(indices)).asnumpy()
            self._reader.seek(0)  # else decord may answer the next batch with stale frames
        except (self._error, IndexError) as error:
            raise VideoError(
                f"{self._path}: frames {list(indices)[:5]} cannot be read; no video, or damaged"
            ) from error
        return frames

    def close(self) -> None:
        self._reader = None


class _TorchCodecDecoder:
    def __init__(self, path: Path) -> None:
        from torchcodec.decoders import VideoDecoder

        self._path = path
        try:
            self._decoder: Any = VideoDecoder(str(path), dimension_order="NHWC")
            # torchcodec has no public list of frame times: one pass of decoding gives them.
            times = [self._decoder.get_frame_at(i).pts_seconds for i in range(len(self._decoder))]
        except (RuntimeError, ValueError) as error:
            raise VideoError(f"{path}: not a video that torchcodec can read ({error})") from error
        self.times_s = np.asarray(times, dtype=np.float64)

    def images(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        for start in range(0, len(self.times_s), _READ_AHEAD):
            yield from self.read(range(start, min(start + _READ_AHEAD, len(self.times_s))))

    def read(self, indices: Sequence[int]) -> UInt8[np.ndarray, "t h w 3"]:
        try:
            batch = self._decoder.get_frames_at(indices=list(indices))
        except (RuntimeError, IndexError) as error:
            raise VideoError(
                f"{self._path}: frames {list(indices)[:5]} cannot be read; no video, or damaged"
            ) from error
        return np.asarray(batch.data.numpy())

    def close(self) -> None:
        self._decoder = None

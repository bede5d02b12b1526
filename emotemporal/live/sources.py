"""What `--source` names: a camera, a stream, a folder of images or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from emotemporal.live.inputs import is_image
from emotemporal.timing import Clock
from emotemporal.types import Frame
from emotemporal.video.camera import Camera
from emotemporal.video.capture import CameraConfig, Capture, open_capture
from emotemporal.video.file import VideoFile
from emotemporal.video.folder import ImageFolder, ImageFolderConfig
from emotemporal.video.source import VideoError

OpenCapture = Callable[[int | str, CameraConfig], Capture]
SourceKind = Literal["camera", "stream", "folder", "file"]


def kind_of(source: str) -> SourceKind:
    """Tell what a source is: a number, a URL, a folder or a file."""
    if source.isdecimal():
        return "camera"
    if "://" in source:
        return "stream"
    return "folder" if Path(source).is_dir() else "file"


def open_recorded(
    source: str, folder: ImageFolderConfig, stack: ExitStack
) -> tuple[Iterable[Frame], float]:
    """Open a file or a folder of images; return its frames, and how many come a second.

    Progress is shown where somebody watches.

    Raises:
        FileNotFoundError: There is none.
        VideoError: It cannot be read.
    """
    if kind_of(source) == "folder":
        images = stack.enter_context(ImageFolder(Path(source), folder))
        frames, count, rate_hz = iter(images), len(images), images.frame_rate_hz
    else:
        video = stack.enter_context(VideoFile(Path(source)))
        frames, count, rate_hz = iter(video), video.info.num_frames, video.info.frame_rate_hz
    progress = tqdm(frames, Path(source).name, count, unit="frame", disable=None)
    return stack.enter_context(progress), rate_hz


def require_recorded(path: Path) -> None:
    """Tell what a source can be, before a decoder words in its own way that this is none.

    Raises:
        FileNotFoundError: There is no such file or folder.
        VideoError: It is a single image.
    """
    sources = "a video, a folder of images, the number of a camera (0) or a URL (rtsp://...)"
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file. A source is {sources}")
    if path.is_file() and is_image(path):
        raise VideoError(
            f"{path} is an image; a source is {sources}. 'emotemporal predict {path}' judges images"
        )


def open_live(
    source: str,
    config: CameraConfig,
    clock: Clock,
    stack: ExitStack,
    open_with: OpenCapture = open_capture,
) -> Camera:
    """Open a camera or a network stream.

    Raises:
        VideoError: It cannot be opened.
    """
    address = int(source) if kind_of(source) == "camera" else source
    return stack.enter_context(Camera(address, config, clock, open_with))

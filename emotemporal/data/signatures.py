"""One pass over a data set's files: whether each can be read, and what tells it from the others."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from emotemporal.data.table import DatasetTable, Problem
from emotemporal.video.image import ImageError, read_image
from emotemporal.video.isolated import VideoProcess
from emotemporal.video.source import VideoError

THUMB_PX = 32
_BLOCK = 2048  # files handed out at a time: 300,000 waiting tasks would cost more than the images
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Signature:
    """What one file shows. Equal digests are equal pictures, whatever the file's format.

    `thumb` is a small grey copy, for images only. Without a `problem` the file was read whole.
    """

    digest: str
    thumb: UInt8[np.ndarray, "32 32"] | None
    problem: Problem | None = None


def sign_image(path: Path) -> Signature:
    """Read an image whole and return what tells it from others."""
    try:
        image = read_image(path)
    except (ImageError, OSError) as error:
        return Signature("", None, _unreadable(path, str(error)))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    digest = hashlib.sha1(str(image.shape).encode(), usedforsecurity=False)
    digest.update(image.data)
    return Signature(digest.hexdigest(), np.asarray(thumb, dtype=np.uint8))


def sign_video(path: Path, decoder: VideoProcess) -> Signature:
    """Decode a video to its end, so that a count which lies is found; its pictures give the digest.

    Two files with the same pictures and other sound are equal. One that crashes or hangs its
    decoder is told as unreadable.
    """
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with decoder.open(path) as frames:
            for frame in frames:
                digest.update(np.ascontiguousarray(frame.image).data)
    except (VideoError, OSError) as error:
        return Signature("", None, _unreadable(path, str(error)))
    return Signature(digest.hexdigest(), None)


def sign_bytes(path: Path) -> Signature:
    """Take the file as it is, undecoded: much faster, and blind to what a decoder would find."""
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        return Signature("", None, _unreadable(path, str(error)))
    return Signature(f"bytes:{digest.hexdigest()}", None)


def sign_table(
    table: DatasetTable,
    how: Literal["decoded", "bytes"] = "decoded",
    workers: int = 2,
    show_progress: bool = False,
) -> list[Signature]:
    """Return every row's signature; a file that several rows name is read once.

    Args:
        table: Its files are looked at.
        how: `decoded` reads pictures, `bytes` only files.
        workers: Threads; decoding and hashing release Python's lock.
        show_progress: A bar, on a terminal.
    """
    paths = list(dict.fromkeys(table.rows["path"]))
    with ExitStack() as stack:
        sign: Callable[[Path], Signature] = sign_bytes
        if how == "decoded" and table.kind == "images":
            sign = sign_image
        elif how == "decoded":
            decoders = _Decoders(stack)
            sign = lambda path: sign_video(path, decoders.decoder)  # noqa: E731 (it binds them)
        found = _in_parallel(sign, table.root, paths, workers, show_progress)
    by_path = dict(zip(paths, found, strict=True))
    return [by_path[path] for path in table.rows["path"]]


class _Decoders(threading.local):
    """A process that decodes, for each thread that asks; they end with `stack`."""

    def __init__(self, stack: ExitStack) -> None:
        self.decoder = stack.enter_context(VideoProcess())


def _in_parallel(
    sign: Callable[[Path], Signature],
    root: Path,
    paths: Sequence[str],
    workers: int,
    show_progress: bool,
) -> list[Signature]:
    found: list[Signature] = []
    is_hidden = None if show_progress else True  # None: where nobody watches
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,
        tqdm(total=len(paths), desc="reading", unit="file", disable=is_hidden) as bar,
    ):
        for start in range(0, len(paths), _BLOCK):
            block = [root / path for path in paths[start : start + _BLOCK]]
            for signature in pool.map(sign, block):
                found.append(signature)
                bar.update()
    return found


def _unreadable(path: Path, reason: str) -> Problem:
    remedy = "Fetch it again, or leave it out with --exclude (a CSV with a column 'path')."
    return Problem(path.name, reason, remedy, is_fatal=True)

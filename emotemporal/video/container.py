"""What a video file says about itself, read from its own bytes.

Decoders are silent where it matters: they take a truncated AVI for a short one, and estimate a
length where they find none. So the container's own words are read here, to be compared with what
comes out of the decoder. MP4/MOV and AVI are understood; of others nothing is said.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from emotemporal.video.source import VideoError

_MP4_FOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"}
_MAX_HEADER_BYTES = 256_000_000
_MAX_DEPTH = 16  # real ones have five


@dataclass(frozen=True)
class Declared:
    """What the container declares of its first video track; None where it says nothing."""

    kind: str
    """`mp4` (and mov), `avi`, or `other`."""
    num_frames: int | None = None
    rotation_deg: int = 0
    """Clockwise, to be applied for display."""
    num_unshown: int = 0
    """Frames that an edit list may hide: they are stored, and some decoders drop them."""


def read_declared(path: Path) -> Declared:
    """Read what the container declares.

    Raises:
        VideoError: Cut off, never closed, or in contradiction with itself.
    """
    size = path.stat().st_size
    if size == 0:
        raise VideoError(f"{path}: empty file; fetch it again")
    try:
        return _read(path, size)
    except (struct.error, IndexError, ZeroDivisionError) as error:
        raise VideoError(f"{path}: its index is damaged ({error}); fetch it again") from error


def _read(path: Path, size: int) -> Declared:
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _read_avi(file, path, size)
        if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
            return _read_mp4(file, path, size)
    return Declared("other")


def _read_avi(file: BinaryIO, path: Path, size: int) -> Declared:
    file.seek(4)
    riff_size = struct.unpack("<I", file.read(4))[0]
    if riff_size + 8 > size:
        raise VideoError(
            f"{path}: truncated; its header tells of {riff_size + 8} bytes, there are {size}. "
            "Fetch it again"
        )
    file.seek(0)
    head = file.read(min(size, 65_536))  # the stream headers stand in the first kilobytes
    at = head.find(b"strh")
    while at >= 0 and head[at + 8 : at + 12] != b"vids":
        at = head.find(b"strh", at + 4)
    if at < 0 or at + 44 > len(head):
        raise VideoError(f"{path}: an AVI file without a video stream")
    num_frames = struct.unpack("<I", head[at + 40 : at + 44])[0]  # dwLength
    return Declared("avi", num_frames=num_frames or None)


def _read_mp4(file: BinaryIO, path: Path, size: int) -> Declared:
    moov = b""
    for kind, start, length in _top_boxes(file, size):
        if start + length > size:
            raise VideoError(
                f"{path}: truncated; its {kind.decode('latin-1')!r} box ends at byte "
                f"{start + length}, the file at {size}. Fetch it again"
            )
        if kind == b"moov":
            file.seek(start)
            moov = file.read(min(length, _MAX_HEADER_BYTES))
    if not moov:
        raise VideoError(
            f"{path}: no index ('moov' box); the file was cut off or its recording never closed"
        )
    for trak in (body for kind, body in _boxes(_inside(moov)) if kind == b"trak"):
        boxes = dict(_leaves(trak))
        if boxes.get(b"hdlr", b"")[8:12] == b"vide":
            return _read_video_track(boxes, path, _movie_timescale(moov))
    raise VideoError(f"{path}: no video track in it")


def _top_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    start = 0
    while start + 8 <= size:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            wide = file.read(8)
            length = struct.unpack(">Q", wide)[0] if len(wide) == 8 else size - start + 1
        if length == 0:  # up to the end of the file, by definition
            length = size - start
        if length < 8:
            raise struct.error(f"a box of {length} bytes at byte {start}")
        yield kind, start, length
        start += length


def _inside(box: bytes) -> bytes:
    return box[16:] if box[:4] == b"\0\0\0\1" else box[8:]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = 0
    while start + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        if length < 8:
            return
        yield kind, data[start + 8 : start + length]
        start += length


def _leaves(data: bytes, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    if depth > _MAX_DEPTH:
        raise struct.error("boxes within boxes without end")
    for kind, body in _boxes(data):
        if kind in _MP4_FOLDERS:
            yield from _leaves(body, depth + 1)
        elif body[4:8] != b"dhlr":  # QuickTime's second hdlr box: of the file, not of the medium
            yield kind, body


def _movie_timescale(moov: bytes) -> int:
    mvhd = dict(_boxes(_inside(moov))).get(b"mvhd", b"")
    return _time_field(mvhd)[0] if mvhd else 0


def _time_field(body: bytes) -> tuple[int, int]:
    """Return (ticks a second, duration in ticks) of an `mvhd` or `mdhd` box."""
    if body[0] == 1:
        timescale, duration = struct.unpack(">IQ", body[20:32])
        return timescale, duration
    timescale, duration = struct.unpack(">II", body[12:20])
    return timescale, duration


def _read_video_track(boxes: dict[bytes, bytes], path: Path, movie_timescale: int) -> Declared:
    try:
        num_frames = struct.unpack(">I", boxes[b"stsz"][8:12])[0]
        timescale, duration = _time_field(boxes[b"mdhd"])
        steps = _time_steps(boxes[b"stts"])
        rotation_deg = _rotation(boxes[b"tkhd"])
        hidden = _num_unshown(boxes.get(b"elst", b""), steps, timescale, movie_timescale)
    except (KeyError, struct.error, IndexError) as error:
        raise VideoError(f"{path}: the index of its video track is damaged ({error!r})") from error
    if num_frames == 0:  # a fragmented file: the index is spread over it
        return Declared("mp4", rotation_deg=rotation_deg)
    counted, ticks = sum(n for n, _ in steps), sum(n * d for n, d in steps)
    # One frame of play: writers disagree on whether the last frame's time counts.
    slack = max(d for _, d in steps) if steps else 0
    if counted != num_frames or (duration and abs(duration - ticks) > slack + timescale // 2):
        raise VideoError(
            f"{path}: contradicts itself; it declares {num_frames} frames and "
            f"{duration / timescale:.3f} s, its index has {counted} frames in "
            f"{ticks / timescale:.3f} s. Convert it again from its source"
        )
    return Declared("mp4", num_frames, rotation_deg, hidden)


def _time_steps(stts: bytes) -> list[tuple[int, int]]:
    (count,) = struct.unpack(">I", stts[4:8])
    return [struct.unpack(">II", stts[8 + 8 * i : 16 + 8 * i]) for i in range(count)]


def _rotation(tkhd: bytes) -> int:
    at = 52 if tkhd[0] == 1 else 40
    a, b, _, c, d = struct.unpack(">5i", tkhd[at : at + 20])
    turns = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
    signs = tuple((v > 0) - (v < 0) for v in (a, b, c, d))
    return turns.get(signs, 0)


def _num_unshown(
    elst: bytes, steps: list[tuple[int, int]], timescale: int, movie_timescale: int
) -> int:
    """Return how many frames, at most, lie outside the part that the edit list shows."""
    if len(elst) < 20 or not movie_timescale or not steps:
        return 0
    entry = ">Qqi" if elst[0] == 1 else ">Iii"  # version 1 is for long films, and allowed for all
    (count,), size = struct.unpack(">I", elst[4:8]), struct.calcsize(entry)
    edits = [struct.unpack(entry, elst[8 + size * i : 8 + size * (i + 1)]) for i in range(count)]
    shown_s = sum(length for length, media, _ in edits if media >= 0) / movie_timescale
    stored_s = sum(n * d for n, d in steps) / timescale
    period_s = stored_s / max(1, sum(n for n, _ in steps))
    missing = (stored_s - shown_s) / period_s if period_s else 0
    return max(0, round(missing)) + 1  # an edit's ends need not lie on a frame's

"""Small videos whose frames tell their number."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np


def frame_image(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A frame with its number in blocks, black or white; the upper left corner is white."""
    image = np.full((height, width, 3), 16, dtype=np.uint8)
    image[:16, :16] = 255
    for bit, block in enumerate(_blocks(image)):
        block[:] = 235 if index >> bit & 1 else 16
    return image


def _blocks(image: np.ndarray) -> list[np.ndarray]:
    return [image[y : y + 16, x : x + 16] for y in (16, 32) for x in (0, 16, 32, 48)]


def write_clip(path: Path, num_frames: int = 50, rate_hz: float = 25.0) -> Path:
    codec = {".avi": "MJPG", ".mp4": "mp4v", ".mov": "mp4v"}[path.suffix]
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), rate_hz, (64, 48)
    )
    for index in range(num_frames):
        writer.write(frame_image(index))
    writer.release()
    return path


def index_of(image: np.ndarray) -> int:
    return sum(int(block[4:12, 4:12].mean() > 128) << i for i, block in enumerate(_blocks(image)))


def cut_off(path: Path, share: float = 0.6) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def patch(path: Path, box: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes at `offset` behind the first occurrence of a box's name."""
    data = path.read_bytes()
    at = data.index(box) + len(box) + offset
    path.write_bytes(data[:at] + value + data[at + len(value) :])
    return path


def lie_about_frames(path: Path, num_frames: int) -> Path:
    """Change the declared number of frames, as a broken writer would."""
    if path.suffix == ".avi":
        return patch(path, b"strh", 36, struct.pack("<I", num_frames))
    return patch(path, b"stsz", 8, struct.pack(">I", num_frames))


def lie_about_duration(path: Path, factor: int) -> Path:
    data = path.read_bytes()
    at = data.index(b"mdhd") + 4 + 16
    (ticks,) = struct.unpack(">I", data[at : at + 4])
    path.write_bytes(data[:at] + struct.pack(">I", ticks * factor) + data[at + 4 :])
    return path


def turn_by_90(path: Path) -> Path:
    matrix = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 48 << 16, 0, 1 << 30)
    return patch(path, b"tkhd", 40, matrix)


def vary_rate(path: Path, long_from: int, num_frames: int) -> Path:
    """Make frames from `long_from` on last twice as long: rewrites the MP4's table of times."""
    data = path.read_bytes()
    at = data.index(b"stts") - 4
    size, step = struct.unpack(">I", data[at : at + 4])[0], 0
    step = struct.unpack(">I", data[at + 20 : at + 24])[0]
    table = struct.pack(
        ">4s5I", b"stts", 0, 2, long_from, step, num_frames - long_from
    ) + struct.pack(">I", 2 * step)
    new = struct.pack(">I", len(table) + 4) + table
    grown = len(new) - size
    data = data[:at] + new + data[at + size :]
    path.write_bytes(_grow(data, grown, b"moov", b"trak", b"mdia", b"minf", b"stbl"))
    ticks = step * (long_from + 2 * (num_frames - long_from))
    patch(path, b"mdhd", 16, struct.pack(">I", ticks))
    return patch(path, b"elst", 8, struct.pack(">I", 0xFFFFFFF))  # show all of it


def widen_edits(path: Path) -> Path:
    """Write the edit list of an MP4 with 64 bits a time, as its version 1."""
    data = path.read_bytes()
    at = data.index(b"elst") - 4
    size, _, _, count = struct.unpack(">I4s2I", data[at : at + 16])
    entries = [struct.unpack(">Iii", data[at + 16 + 12 * i :][:12]) for i in range(count)]
    new = struct.pack(">I4s2I", 16 + 20 * count, b"elst", 1 << 24, count)
    new += b"".join(struct.pack(">Qqi", *entry) for entry in entries)
    data = data[:at] + new + data[at + size :]
    path.write_bytes(_grow(data, len(new) - size, b"moov", b"trak", b"edts"))
    return path


def _grow(data: bytes, by: int, *parents: bytes) -> bytes:
    for parent in parents:
        where = data.index(parent) - 4
        (length,) = struct.unpack(">I", data[where : where + 4])
        data = data[:where] + struct.pack(">I", length + by) + data[where + 4 :]
    return data

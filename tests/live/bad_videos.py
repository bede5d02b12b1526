"""Files that look like videos and are not, byte by byte."""

from __future__ import annotations

import struct
from pathlib import Path


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, b"\0\0\0\0", *parts)


def write_sound_alone(path: Path) -> None:
    """Write an MP4 with one second of silence, 8-bit PCM at 8 kHz, and no picture track.

    Source: ISO/IEC 14496-12; Apple, QuickTime File Format, sound sample descriptions.
    """
    rate, sound = 8000, b"\x80" * 8000
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    start = _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41")
    entry = bytes(6) + struct.pack(">H", 1) + bytes(8)
    entry += struct.pack(">HHHHI", 1, 8, 0, 0, rate << 16)
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _box(b"raw ", entry)),
        _full(b"stts", struct.pack(">III", 1, rate, 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, rate, 1)),
        _full(b"stsz", struct.pack(">II", 1, rate)),
        _full(b"stco", struct.pack(">II", 1, len(start) + 8)),
    )
    data = _full(b"dref", struct.pack(">I", 1), _box(b"url ", b"\0\0\0\1"))
    track = _box(
        b"trak",
        _full(b"tkhd", struct.pack(">5I", 0, 0, 1, 0, rate), bytes(16), matrix, bytes(8)),
        _box(
            b"mdia",
            _full(b"mdhd", struct.pack(">4IHH", 0, 0, rate, rate, 0x55C4, 0)),
            _full(b"hdlr", bytes(4), b"soun", bytes(12), b"sound\0"),
            _box(b"minf", _full(b"smhd", bytes(4)), _box(b"dinf", data), table),
        ),
    )
    head = struct.pack(">4I", 0, 0, rate, rate) + struct.pack(">IHH", 0x10000, 0x100, 0)
    movie = _full(b"mvhd", head, bytes(8), matrix, bytes(24), struct.pack(">I", 2))
    path.write_bytes(start + _box(b"mdat", sound) + _box(b"moov", movie, track))

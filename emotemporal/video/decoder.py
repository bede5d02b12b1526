"""What runs in a decoding process: it opens what it is asked for, and sends pictures ahead."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from emotemporal.stopping import leave_with_parent
from emotemporal.video.file import Backend, VideoFile
from emotemporal.video.source import VideoError

_AHEAD = 3  # frames decoded before they are asked for: keeps two cores busy, bounds memory
_MAX_BYTES = 8 << 30  # of the process; a header that asks for more is refused by it


def decode_videos(pipe: Connection, backend: Backend) -> None:
    """Decode what is asked for until nobody is there to ask."""
    pipe.send(True)
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's to answer
    if os.name != "nt":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_BYTES, _MAX_BYTES))
    while True:
        try:
            word, path = pipe.recv()
            if word == "open":  # any other was on its way when the last video ended
                _decode(Path(path), backend, pipe)
        except (EOFError, OSError):
            return


def _decode(path: Path, backend: Backend, pipe: Connection) -> None:
    try:
        with VideoFile(path, backend) as video:
            pipe.send(video.info)
            _send_frames(video, pipe)
        pipe.send(None)
    except (VideoError, FileNotFoundError) as error:
        pipe.send(error)
    except MemoryError:
        pipe.send(VideoError(f"{path}: decoding it takes more than {_MAX_BYTES >> 30} GiB"))


def _send_frames(video: VideoFile, pipe: Connection) -> None:
    left = _AHEAD
    for frame in video:
        while left == 0 or pipe.poll():
            if pipe.recv()[0] == "stop":
                return
            left += 1
        left -= 1
        pipe.send((frame.image.shape, frame.time_s, frame.index))
        pipe.send_bytes(np.ascontiguousarray(frame.image).data.cast("B"))

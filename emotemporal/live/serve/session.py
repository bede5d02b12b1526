"""One connection's pipeline: its own faces, memory and smoother, over the network all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from emotemporal.faces.follow import FollowConfig, Follower
from emotemporal.inference.load import LoadedModel
from emotemporal.inference.predictor import Judgement, StreamConfig, StreamPredictor
from emotemporal.inference.smoothing import SmoothingConfig
from emotemporal.live.serve.config import ServeConfig
from emotemporal.live.serve.messages import (
    MessageError,
    RawFrame,
    tell_faces,
    tell_judgements,
)
from emotemporal.live.sinks.tables import CsvTable
from emotemporal.live.stages import Nowhere, Stages
from emotemporal.types import FaceView, Frame
from emotemporal.video.image import decode_jpeg


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen and said of one frame."""

    views: Sequence[FaceView]
    judgements: Sequence[Judgement]
    width_px: int
    height_px: int


class _Text:
    """Somewhere for a table to write; emptied when it is read."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> None:
        self._parts.append(text)

    def take(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        return text


class Session:
    """Judges one stream of frames. Used by one thread at a time; nothing of it is shared.

    The detector is its own too: OpenCV's keeps the size of the picture that it works on.

    Args:
        model: The network, which keeps no stream's state.
        config: The server's.
        stream: How streams are judged, with the smoothing that is in force.
    """

    def __init__(self, model: LoadedModel, config: ServeConfig, stream: StreamConfig) -> None:
        self._model, self._config, self._stream = model, config, stream
        self._text = _Text()
        self._table = CsvTable(self._text, model.meta.labels)
        self.csv_header = self._text.take()
        self.restart()

    def restart(self) -> None:
        """Forget the stream so far: other faces, and times that may begin anew."""
        self._index, self._last_s = 0, -1.0
        config, meta = self._config, self._model.meta
        following = FollowConfig(config.detector, config.tracker, meta.crop, config.min_face_px)
        self._predictor = StreamPredictor(self._model.engine, meta, self._stream)
        self._stages = Stages(Follower(following), self._predictor, Nowhere(), config.max_faces)

    def smooth(self, smoothing: SmoothingConfig) -> None:
        """Go on with another smoother, from here. Faces keep their numbers, and their memory."""
        self._stream = replace(self._stream, smoothing=smoothing)
        self._predictor.smooth_with(smoothing)

    def judge_raw(self, raw: RawFrame) -> dict[str, Any]:
        """Judge a frame from the page; return the answer to it.

        Raises:
            ImageError: The picture is no JPEG, damaged or too large.
            MessageError: It is not later than the one before.
        """
        if raw.time_s <= self._last_s:
            raise MessageError(
                f"a frame at {raw.time_s:.3f} s comes after one at {self._last_s:.3f} s; times "
                "must grow, or begin anew with a restart"
            )
        image = decode_jpeg(raw.jpeg, "the frame", self._config.limits.max_frame_px)
        return self.tell(self.judge(Frame(image, raw.time_s, self._index)))

    def judge(self, frame: Frame) -> Seen:
        """Take the next frame through all stages."""
        self._index, self._last_s = self._index + 1, frame.time_s
        views = self._stages.follow(frame)
        judgements = self._stages.judge(views, frame.time_s)
        height, width = frame.image.shape[:2]
        return Seen(views, judgements, width, height)

    def finish(self) -> list[Judgement]:
        """End the stream; give back what was still due."""
        return self._predictor.finish()

    def tell(self, seen: Seen) -> dict[str, Any]:
        """Return what was seen as the page gets it; `csv` are the table's rows."""
        self._table.write(seen.judgements)
        width, height = seen.width_px, seen.height_px
        return {
            "type": "faces",
            "time_s": self._last_s,
            "faces": tell_faces(seen.views, width, height),
            "judgements": tell_judgements(seen.judgements, width, height),
            "csv": self._text.take(),
        }

"""Many files into one table, each whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import SpooledTemporaryFile
from threading import Event

from tqdm import tqdm

from emotemporal.inference.predictor import Judgement
from emotemporal.live.frames import open_frames
from emotemporal.live.inputs import Input
from emotemporal.live.recogniser import Recogniser
from emotemporal.live.sinks.files import TextOut
from emotemporal.live.sinks.tables import CsvTable
from emotemporal.live.stages import Moment, Tally, run_stages
from emotemporal.video.file import VideoFile

_IN_MEMORY_BYTES = 1 << 20


def judge_into(out: TextOut, item: Input, recogniser: Recogniser, asked: Event) -> Tally:
    """Judge a file; its rows wait on the disk until it is known to be whole."""
    with (
        SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+", encoding="utf-8", newline="") as rows,
        open_frames(item.path) as frames,
    ):
        is_still = not isinstance(frames, VideoFile)
        total = frames.info.num_frames if isinstance(frames, VideoFile) else 1
        sink = _Rows(CsvTable(rows, recogniser.labels, has_source=True, has_head=False), item)
        bar = tqdm(frames, item.path.name, total, unit="frame", disable=True if is_still else None)
        tally = run_stages(
            bar,
            recogniser.new_chooser(),
            recogniser.new_predictor(is_still),
            sink,
            recogniser.config.max_faces,
            asked=asked,
        )
        # A still has come to its end before anybody can ask.
        tally.was_stopped &= not is_still
        if not tally.was_stopped:
            rows.seek(0)
            while text := rows.read(_IN_MEMORY_BYTES):
                out.write(text)
        return tally


class _Rows:
    """A `Sink` for one file's rows."""

    is_closed = False

    def __init__(self, table: CsvTable, item: Input) -> None:
        self._table, self._source = table, str(item.path)

    def write(self, moment: Moment) -> None:
        self._table.write(moment.judgements, self._source)

    def finish(self, judgements: Sequence[Judgement]) -> None:
        self._table.write(judgements, self._source)

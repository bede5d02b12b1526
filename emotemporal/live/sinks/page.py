"""A page of its own that plays the timelines of all faces in step with the video."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from emotemporal.inference.caution import Caution
from emotemporal.inference.predictor import Judgement
from emotemporal.labels import LabelSpace
from emotemporal.live.overlay.palette import COLOURS, INITIALS
from emotemporal.live.sinks.files import TextOut, growing_file
from emotemporal.live.sinks.places import as_uri, relative_url

_ABOUT, _ROWS = "{{about}}", "{{rows}}"


@dataclass(frozen=True)
class PageAbout:
    """What the page says besides the judgements."""

    title: str
    labels: LabelSpace
    caution: Caution
    period_s: float
    """Of the model's clock: how long a judgement holds."""
    video: Path | None = None
    """What is played. The page refers to it by the way from the page, so the two move together."""
    model: str = ""
    """Which network judged, in words."""


class PageRows:
    """Judgements as the page's script reads them: whole numbers, a line a face and tick."""

    def __init__(self, out: TextOut, labels: LabelSpace) -> None:
        self._out, self._labels = out, labels

    def write(self, judgements: Iterable[Judgement]) -> None:
        """Append face, time in ms, box, label on show or -1, flags, smoothed shares in 1/1000."""
        for judgement in judgements:
            box, shown = judgement.box, judgement.shown
            numbers = [
                judgement.track_id,
                round(1000 * judgement.time_s),
                *(round(edge) for edge in (box.x1, box.y1, box.x2, box.y2)),
                -1 if shown is None else self._labels.index(shown),
                judgement.is_warm_up + 2 * judgement.is_uncertain,
                *(round(1000 * float(share)) for share in judgement.smoothed),
            ]
            self._out.write(",".join(map(str, numbers)) + "\n")


@contextmanager
def page_file(path: Path, about: PageAbout) -> Iterator[PageRows]:
    """Open the page; rows go to the disk as they come, and it has its name once it is whole."""
    template = files(__package__).joinpath("timeline.html").read_text(encoding="utf-8")
    head, tail = template.split(_ROWS)
    with growing_file(path) as file:
        # What a file is called must not end the script that it stands in.
        told = json.dumps(_tell(about, path.parent), ensure_ascii=False).replace("<", "\\u003c")
        file.write(head.replace(_ABOUT, told))
        yield PageRows(file, about.labels)
        file.write(tail)


def _tell(about: PageAbout, folder: Path) -> dict[str, object]:
    video = about.video
    url = None
    if video is not None:
        url = relative_url(video, folder) or as_uri(video)
    emotions = about.labels.emotions
    return {
        "title": about.title,
        "video": url,
        "video_name": None if video is None else video.name,
        "period_ms": 1000 * about.period_s,
        "model": about.model,
        "caution": str(about.caution),
        "names": [about.caution.name(emotion) for emotion in emotions],
        "initials": [INITIALS[emotion] for emotion in emotions],
        "colours": ["#{:02x}{:02x}{:02x}".format(*COLOURS[emotion]) for emotion in emotions],
    }

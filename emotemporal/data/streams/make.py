"""Streams out of stills: prepared clips whose emotion changes, with the truth at every instant.

No labelled video of many people is needed to learn when to believe a frame: what a filter learns
from them is averaging over views, dwell and change. How faces move they do not show.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from emotemporal.data.crops import read_crop
from emotemporal.data.prepared import (
    FORMAT_VERSION,
    at_work_in,
    claim_folder,
    is_done,
    write_clip,
)
from emotemporal.data.processes import in_processes
from emotemporal.data.readers import DatasetConfig
from emotemporal.data.streams.camera import CameraConfig
from emotemporal.data.streams.draw import draw_stream
from emotemporal.data.streams.plan import PlanConfig, Segment, plan_stream
from emotemporal.data.streams.stills import (
    SIX,
    Stills,
    StillsConfig,
    choose_stills,
    describe_stills,
)
from emotemporal.data.streams.table import TRUTH_FILE, stream_row, truth_rows
from emotemporal.data.table import fingerprint
from emotemporal.faces.crop import CropConfig
from emotemporal.labels import Emotion, LabelSpace, parse_label_space
from emotemporal.storage import digest, write_atomically, write_json

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamsConfig:
    """Make streams of changing expressions out of a data set's stills."""

    data: DatasetConfig
    output: str
    """The folder for them: a prepared data set. It belongs to one config."""
    num_streams: int = 100
    seed: int = 0
    """Of all but the stills' parts: stream 3 of seed 0 is the same in a set of 10 and of 100."""
    labels: str = ",".join(SIX.names)
    """The emotions shown, equally often."""
    stills: StillsConfig = field(default_factory=StillsConfig)
    plan: PlanConfig = field(default_factory=PlanConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    crop: CropConfig = field(default_factory=lambda: CropConfig(size_px=48))
    """As the checkpoint that shall judge them was trained on."""
    workers: int = 1
    """Processes, each with a stream."""

    def __post_init__(self) -> None:
        if self.num_streams < 1 or self.seed < 0:
            raise ValueError(
                f"num_streams is {self.num_streams}, at least 1; seed {self.seed}, at least 0"
            )


@dataclass(frozen=True)
class StreamsReport:
    """What `streams` did."""

    folder: Path
    num_streams: int
    num_resumed: int
    """Streams that an earlier run had finished."""
    duration_s: float
    num_cuts: int
    num_changes: int
    stills: str

    def __str__(self) -> str:
        resumed = f" ({self.num_resumed} done before)" if self.num_resumed else ""
        return (
            f"{self.num_streams} streams{resumed}, {self.duration_s / 60:.1f} minutes, in "
            f"{self.folder}\n{self.num_cuts} cuts, {self.num_changes} of them to another emotion\n"
            f"{self.stills}"
        )


def make_streams(config: StreamsConfig) -> StreamsReport:
    """Draw the streams that `config` asks for.

    Can be killed at any time: the same call goes on where it stopped, and ends with the same bytes
    in the folder, whatever the number of workers.

    Raises:
        ValueError: The data set cannot be used or has too few stills, or the folder belongs to
            another config.
        ImageError: A still cannot be read, by name.
    """
    labels = parse_label_space(config.labels)
    stills = choose_stills(config.data, config.stills, labels)
    told = describe_stills(stills, labels)
    _log.info(told)
    out = Path(config.output)
    with at_work_in(out, "streams"):
        return _make(config, stills, labels, out, told)


@dataclass(frozen=True, eq=False)
class _Scene:
    """All that drawing a stream needs, as a worker gets it."""

    stills: Stills
    rows: Mapping[Emotion, Int[np.ndarray, " n"]]
    config: StreamsConfig
    out: Path

    def plan(self, index: int) -> tuple[Segment, ...]:
        return plan_stream(self.rows, self.stills.groups, self.config.plan, self.config.seed, index)

    def source(self, index: int) -> str:
        """Name a stream as no stream of another set is named."""
        config = self.config
        part = config.stills.part.replace("/", "of")
        split = f"{config.data.name}-{config.stills.split}-{part}"
        return f"{split}-seed{config.seed}/{index:05d}"


def _make(
    config: StreamsConfig, stills: Stills, labels: LabelSpace, out: Path, told: str
) -> StreamsReport:
    record = _record(config, stills)
    claim_folder(out, record)
    scene = _Scene(stills, stills.rows_of(labels), config, out)
    indices = range(config.num_streams)
    left = [i for i in indices if not is_done(out, _key(i))]
    plans = [scene.plan(i) for i in indices]  # before any is drawn: too few stills are told now
    for _ in in_processes(partial(_write_stream, scene), left, config.workers, "streams", "stream"):
        pass
    rows = [json.loads((out / "rows" / f"{_key(i)}.json").read_text("utf-8"))[0] for i in indices]
    text = _csv(rows)
    truth = _csv([row for i in indices for row in truth_rows(plans[i], stills, scene.source(i))])
    write_atomically(out / "clips.csv", text)
    write_atomically(out / TRUTH_FILE, truth)
    ending = {"is_complete": True, "clips_digest": digest(text), "truth_digest": digest(truth)}
    write_json(out / "prepare.json", record | ending)
    return StreamsReport(
        folder=out,
        num_streams=len(rows),
        num_resumed=len(rows) - len(left),
        duration_s=sum(row["duration_s"] for row in rows),
        num_cuts=sum(row["num_cuts"] for row in rows),
        num_changes=sum(row["num_changes"] for row in rows),
        stills=told,
    )


def _record(config: StreamsConfig, stills: Stills) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "kind": "streams",
        "name": f"{config.data.name}-streams",
        "data_fingerprint": fingerprint(stills.table),
        "detector": "none",
        "follow": {"crop": config.crop.to_json()},
        "seed": config.seed,
        "num_streams": config.num_streams,
        "labels": config.labels,
        "stills": {k: v for k, v in asdict(config.stills).items() if k != "workers"},
        "plan": json.loads(json.dumps(asdict(config.plan))),
        "camera": asdict(config.camera),
        "failures": [],
        "is_complete": False,
    }


def _key(index: int) -> str:
    return f"stream-{index:05d}"


def _write_stream(scene: _Scene, index: int) -> int:
    """Draw one stream and write it; its record in rows/ is written last."""
    config, source = scene.config, scene.source(index)
    segments = scene.plan(index)
    read = partial(read_crop, scene.stills.table, crop=config.crop)
    clip = draw_stream(segments, read, config.camera, config.seed, index, source)
    file = f"clips/{_key(index)}.npz"
    content = write_clip(scene.out, file, clip, with_targets=True)
    record = stream_row(
        segments, scene.stills, source, file=file, digest=content, num_frames=len(clip.crops)
    )
    expected = segments[-1].end_s * config.camera.frame_rate_hz
    record |= {"split": config.stills.split, "source_row": index}
    record["detected_share"] = round(min(1.0, len(clip.crops) / expected), 4)
    write_json(scene.out / "rows" / f"{_key(index)}.json", [record])
    return index


def _csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    return pd.DataFrame.from_records(list(rows)).to_csv(index=False, lineterminator="\n").encode()

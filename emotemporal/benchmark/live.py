"""`benchmark live`: a video through the live path, stage by stage and as a whole, beside `fer`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float

from emotemporal.benchmark.fer_package import FerPackage, FerRun
from emotemporal.benchmark.machine import this_machine
from emotemporal.benchmark.measure import Row, in_turns, percentiles
from emotemporal.benchmark.passes import (
    STAGES,
    StagedPass,
    capture_to_label_s,
    pass_as_live,
    pass_in_stages,
)
from emotemporal.benchmark.report import OutputConfig, Report
from emotemporal.benchmark.switches import our_raw, shown_switches_per_minute, switches_per_minute
from emotemporal.benchmark.truth import stability_against
from emotemporal.inference.predictor import Judgement
from emotemporal.live.recogniser import RecogniseConfig, Recogniser
from emotemporal.timing import Clock, monotonic
from emotemporal.types import Frame
from emotemporal.video.file import VideoFile
from emotemporal.video.resize import resized_copy

_MARGIN_S = 0.025  # allowed for processing, beside the two periods


@dataclass(frozen=True)
class LiveBenchmarkConfig:
    """Time the live path on a file, from its pictures to the finished table; nothing is drawn."""

    source: str
    """A video file."""
    width_px: int = 0
    """Bring the video to this width first, in a copy that is thrown away; 0 takes it as it is."""
    recognise: RecogniseConfig = field(default_factory=RecogniseConfig)
    repetitions: int = 5
    history: int = 0
    """Also judge so many frames in one run, the video again and again, and say whether late frames
    cost what early ones do."""
    truth: str | None = None
    """What the video shows: a table of `time_s, face, x1, y1, x2, y2, emotion`. Then lag and
    spurious switches are told; without, all that can be counted are switches."""
    fer_python: str | None = None
    """A Python with the `fer` package: it goes through the same file in turns with us."""
    fer_folder: str = ""
    """Where `fer` lies, if it is unpacked and not installed there."""
    ema_s: float = 0.3
    """Time constant of the average that both get where labels are compared smoothed."""
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        if self.repetitions < 1 or self.history < 0 or self.width_px < 0:
            raise ValueError(
                f"repetitions is {self.repetitions}, history {self.history}, width_px "
                f"{self.width_px}; at least 1, 0 and 0"
            )


def benchmark_live(config: LiveBenchmarkConfig, clock: Clock = monotonic) -> Report:
    """Measure; passes take turns.

    Raises:
        FileNotFoundError: The video, or the checkpoint, is not there.
        VideoError: The video cannot be read.
        FerError: `fer` cannot be run.
        ValueError: The video shows no face, or `history` is less than two rounds of it.
    """
    recogniser = Recogniser(config.recognise)
    staged: list[StagedPass] = []
    theirs: list[FerRun] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="emotemporal-")))
        source = Path(config.source)
        if config.width_px:
            source = resized_copy(source, folder / "resized.mp4", config.width_px)
        with VideoFile(source) as video:
            info = video.info

        def by_stage() -> float:
            with VideoFile(source) as video:
                staged.append(pass_in_stages(video, recogniser, folder / "staged.csv", clock))
            if not staged[-1].judgements:
                raise ValueError(
                    f"{source}: no face was judged in it, so there is nothing to time; name a "
                    "video with a face, or lower --recognise.min_face_px"
                )
            return info.num_frames / sum(map(sum, staged[-1].seconds.values()))

        def whole() -> float:
            return info.num_frames / pass_as_live(source, recogniser, folder / "live.csv", clock)

        cases: dict[str, Callable[[], float]] = {
            "frames a second, as live runs": whole,
            "frames a second, stage after stage": by_stage,
        }
        if config.fer_python is not None:
            fer = stack.enter_context(
                FerPackage(Path(config.fer_python), config.fer_folder, source)
            )

            def other() -> float:
                theirs.append(fer.run())
                return theirs[-1].frames_per_second

            cases["frames a second, fer"] = other
        measured = in_turns(cases, config.repetitions)
        late = _history(config, source, recogniser, folder, clock)
        facts: dict[str, Any] = {
            "model": str(recogniser.model).removeprefix("model: "),
            "video": f"{source.name if config.width_px else config.source}, {info.width_px}x"
            f"{info.height_px}, {info.num_frames} frames at {info.frame_rate_hz:.2f} Hz, "
            f"{staged[-1].num_faces / info.num_frames:.2f} faces a frame by "
            f"{recogniser.detector.name}",
        }
        if config.truth is not None:
            facts |= stability_against(folder / "live.csv", Path(config.truth))
    rows = [Row(name, "1/s", values, "higher") for name, values in measured.items()]
    rows += _stage_rows(staged[1:])
    facts |= _pace_facts(staged[1:], recogniser, info.frame_rate_hz)
    facts |= _switch_facts(staged[-1], theirs[-1] if theirs else None, config.ema_s)
    facts |= _beside(measured) | late
    return Report("live", this_machine(), rows, facts)


def _stage_rows(staged: list[StagedPass]) -> list[Row]:
    """Return each stage's mean a frame, pass by pass; a mean, for looks are not on every frame."""
    rows = [
        Row(f"{name}, a frame", "ms", tuple(1e3 * float(np.mean(p.seconds[name])) for p in staged))
        for name in STAGES
    ]
    for share, name in ((0.5, "median"), (0.95, "95 %")):
        values = tuple(1e3 * percentiles(p.processing_s, (share,))[0] for p in staged)
        rows.append(Row(f"processing a frame, {name}", "ms", values))
    for share, name in ((0.5, "median"), (0.95, "95 %"), (1.0, "largest")):
        values = tuple(1e3 * percentiles(capture_to_label_s(p), (share,))[0] for p in staged)
        rows.append(Row(f"capture to label, {name}", "ms", values))
    return rows


def _pace_facts(
    staged: list[StagedPass], recogniser: Recogniser, frame_rate_hz: float
) -> dict[str, Any]:
    period_s = 1 / recogniser.model.meta.clip_rate_hz
    bound_s = period_s + 1 / frame_rate_hz + _MARGIN_S
    last = staged[-1]
    seconds = last.frame_times_s[-1] - last.frame_times_s[0]
    worst_s = min(percentiles(capture_to_label_s(done), (0.95,))[0] for done in staged)
    verdict = "kept" if worst_s <= bound_s else "missed"
    return {
        "model steps": f"{len(last.judgements)} in {seconds:.1f} s of video, at "
        f"{recogniser.model.meta.clip_rate_hz:g} Hz a face",
        "bound of capture to label": f"{1e3 * bound_s:.0f} ms: model period {1e3 * period_s:.0f} + "
        f"camera period {1e3 / frame_rate_hz:.0f} + {1e3 * _MARGIN_S:.0f}; {verdict} by 95 % of "
        "frames in the pass that was disturbed least",
    }


def _switch_facts(done: StagedPass, fer: FerRun | None, ema_s: float) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "label switches a minute, as shown": shown_switches_per_minute(done.judgements)
    }
    for name, seconds in (("raw", None), (f"ema {ema_s:g} s", ema_s)):
        ours = switches_per_minute(done.judgements, our_raw, seconds)
        facts[f"label switches a minute, {name}"] = ours
        if fer is None:
            continue
        theirs = partial(_their_answer, fer, np.asarray(done.frame_times_s))
        # Where both have an answer: who finds fewer faces has fewer labels to change.
        both = partial(_our_answer_beside, theirs)
        facts[f"where fer has an answer too: {name}, ours and fer's"] = ", ".join(
            f"{switches_per_minute(done.judgements, answer, seconds):.1f}"
            for answer in (both, theirs)
        )
    if fer is not None:
        theirs = partial(_their_answer, fer, np.asarray(done.frame_times_s))
        share = np.mean([theirs(judgement) is not None for judgement in done.judgements])
        facts["fer has an answer"] = f"at {share:.0%} of our model steps"
        facts |= {"fer": fer.note} if fer.note else {}
    return facts


def _our_answer_beside(
    theirs: Callable[[Judgement], Float[np.ndarray, " k"] | None], judgement: Judgement
) -> Float[np.ndarray, " k"] | None:
    return None if theirs(judgement) is None else judgement.raw


def _their_answer(
    fer: FerRun, times_s: Float[np.ndarray, " n"], judgement: Judgement
) -> Float[np.ndarray, " k"] | None:
    # Of the frame that our judgement is of: the latest at its tick.
    at = int(np.searchsorted(times_s, judgement.time_s + 1e-6, side="right")) - 1
    return fer.answer(at, judgement.box)


def _beside(measured: dict[str, tuple[float, ...]]) -> dict[str, Any]:
    ours = measured["frames a second, as live runs"]
    theirs = measured.get("frames a second, fer")
    if theirs is None:
        return {}
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"frames a second against fer's": f"{np.median(ratios):.1f} times, median of the turns"}


def _history(
    config: LiveBenchmarkConfig, source: Path, recogniser: Recogniser, folder: Path, clock: Clock
) -> dict[str, Any]:
    if not config.history:
        return {}
    with VideoFile(source) as video:
        shown, period_s = list(video), 1 / video.info.frame_rate_hz
    frames = _again(shown, period_s, config.history)
    done = pass_in_stages(frames, recogniser, folder / "history.csv", clock)
    # Whole rounds of the video, so that both ends show the same pictures.
    num_rounds = len(done.processing_s) // len(shown)
    if num_rounds < 2:
        raise ValueError(f"history {config.history} is less than twice the video's {len(shown)}")
    rounds = np.asarray(done.processing_s)[: num_rounds * len(shown)].reshape(num_rounds, -1)
    medians = 1e3 * np.median(rounds, axis=1)
    quarter = max(1, num_rounds // 4)
    early, late = np.median(medians[:quarter]), np.median(medians[-quarter:])
    return {
        f"median of processing over {len(done.processing_s)} frames": f"first quarter "
        f"{early:.2f} ms, last quarter {late:.2f} ms: {late / early:.2f} times"
    }


def _again(shown: list[Frame], period_s: float, count: int) -> Iterable[Frame]:
    for number, frame in enumerate(islice(cycle(shown), count)):
        yield replace(frame, time_s=number * period_s, index=number)

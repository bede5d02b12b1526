"""The main job on data that it draws itself: train, compare, and run live, in a few minutes."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from emotemporal.ablate.compare import CompareConfig, compare
from emotemporal.data.augmentation.augment import AugmentConfig
from emotemporal.data.doctor.examine import DoctorConfig, doctor
from emotemporal.data.prepare import PrepareConfig, prepare
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.evaluation.comparison.report import as_text
from emotemporal.evaluation.comparison.results import SYNTHETIC_NOTE, Comparison
from emotemporal.evaluation.live_table import LiveScore, judge_live_table
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.labels import Emotion
from emotemporal.live.runner import LiveConfig, run_live
from emotemporal.models.meta import ModelConfig
from emotemporal.preprocess import PreprocessConfig
from emotemporal.storage import write_atomically
from emotemporal.synthetic.affectnet import write_affectnet
from emotemporal.synthetic.portraits import SyntheticAffectNetConfig
from emotemporal.synthetic.savee import REVERSED_PAIR, SyntheticSaveeConfig, write_savee
from emotemporal.synthetic.scene import SyntheticSceneConfig, write_scene
from emotemporal.timing import monotonic
from emotemporal.train.features import ViewConfig
from emotemporal.train.finetune import FinetuneConfig, finetune
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from emotemporal.train.pretrain import PretrainConfig, pretrain
from emotemporal.train.run import RunConfig

_log = logging.getLogger(__name__)

_FACES = DetectorConfig(name="haar")
"""Ships with OpenCV, so the demo gives the same result on every machine."""
_SCENE_EMOTIONS = (Emotion.HAPPINESS, Emotion.SADNESS, Emotion.DISGUST, Emotion.ANGER)
"""Without fear and surprise: the drawn SAVEE shows those two by the same muscles, told apart by
their course over time alone, and the scene draws them as published."""


@dataclass(frozen=True)
class DemoConfig:
    """The main job on data that it draws itself: train, compare, run live. Safe to run twice."""

    out: str = "demo"
    """The folder for all of it."""
    num_images: int = 2000
    """Drawn for pretraining."""
    clips_per_emotion: int = 3
    """Of each of the four speakers; 3 gives 96 clips, 15 SAVEE's own 480."""
    epochs: int = 10
    """Of pretraining."""
    size_px: int = 48
    """Of the network's input."""
    num_seeds: int = 2
    """How often each head is trained anew."""
    workers: int = 2
    """Processes."""
    seed: int = 0


def demo(config: DemoConfig) -> str:
    """Draw, check, train, compare, run live; return what came out, as text.

    What takes long skips what an earlier run has done.
    """
    started = monotonic()
    out = Path(config.out)
    _say("1/7  drawing faces: AffectNet and SAVEE in their own layouts, a control set, a scene")
    _draw(config, out)
    _say("2/7  doctor: are the data sets sound?")
    _examine(out)
    _say("3/7  prepare: finding the faces in the clips")
    for name in ("savee", "control"):
        _prepare(out, name, config.workers)
    _say("4/7  pretrain: a ResNet-18 on the images")
    pretrain(_pretrain_config(config, out))
    _say("5/7  compare: frames against clips, leaving one speaker out (nested)")
    main = compare(_compare_config(config, out, "savee"))
    _say("     the same on the control set, where time says nothing")
    control = compare(_compare_config(config, out, "control"))
    _say("6/7  finetune: a GRU on all speakers, for live use")
    _write_truth(out / "savee", out / "truth.csv")
    finetune(_finetune_config(config, out))
    _say("7/7  live: two faces, changing emotions")
    score = _run_live(out)
    return _summary(out, main, control, score, monotonic() - started)


def _say(sentence: str) -> None:
    _log.info("\n%s", sentence)


def _draw(config: DemoConfig, out: Path) -> None:
    images = SyntheticAffectNetConfig(num_images=config.num_images, seed=config.seed)
    write_affectnet(out / "affectnet", images, config.workers)
    clips = SyntheticSaveeConfig(clips_per_emotion=config.clips_per_emotion, seed=config.seed)
    write_savee(out / "savee", clips, config.workers)
    # Only the two emotions that time tells apart; at signal 0 it does not.
    control = replace(clips, signal=0.0, emotions=REVERSED_PAIR, seed=config.seed + 1)
    write_savee(out / "control", control, config.workers)
    scene = SyntheticSceneConfig(emotions=_SCENE_EMOTIONS, seed=config.seed)
    write_scene(out / "scene.mp4", scene, config.workers)


def _examine(out: Path) -> None:
    for data in (
        DatasetConfig(name="affectnet", root=str(out / "affectnet")),
        DatasetConfig(name="savee", root=str(out / "savee")),
    ):
        report = doctor(DoctorConfig(data=data))
        _log.info("%s", report)
        if not report.is_usable:
            raise ValueError(f"the drawn {data.name} is not usable; please report this as a bug")


def _prepare(out: Path, name: str, workers: int) -> None:
    table = read_dataset(DatasetConfig(name="savee", root=str(out / name)))
    # Steady boxes: a follower knows the past only, and would let crops tell the order of frames.
    # Strong surprise hides some drawn faces from the cascade, so half of the looks may miss.
    settings = PrepareConfig(
        follow=FollowConfig(detector=_FACES),
        boxes="steady",
        min_detected_share=0.2,
        max_bad_share=0.0,
    )
    report = prepare(table, out / "prepared" / name, settings, workers)
    _log.info("%d face clips from %d videos", report.num_clips, report.num_videos)


def _pretrain_config(config: DemoConfig, out: Path) -> PretrainConfig:
    return PretrainConfig(
        data=DatasetConfig(name="affectnet", root=str(out / "affectnet")),
        preprocess=PreprocessConfig(size_px=config.size_px),
        augment=AugmentConfig(rotation_deg=15.0),
        optim=OptimConfig(epochs=config.epochs, batch_size=32, learning_rate=2e-3),
        seed=config.seed,
        run=RunConfig(out=str(out / "runs" / "pretrain"), tracking=TrackingConfig(wandb="off")),
    )


def _compare_config(config: DemoConfig, out: Path, data: str) -> CompareConfig:
    return CompareConfig(
        checkpoint=str(out / "runs" / "pretrain" / "best.safetensors"),
        data=str(out / "prepared" / data),
        out=str(out / f"compare_{data}"),
        labels="savee7" if data == "savee" else ",".join(REVERSED_PAIR),
        views=ViewConfig(num_augmented=3),
        num_seeds=config.num_seeds,
        seed=config.seed,
        pair=",".join(REVERSED_PAIR),
        note=SYNTHETIC_NOTE,
        cache=str(out / "features"),
        workers=config.workers,
        tracking=TrackingConfig(wandb="off"),
    )


def _finetune_config(config: DemoConfig, out: Path) -> FinetuneConfig:
    return FinetuneConfig(
        checkpoint=str(out / "runs" / "pretrain" / "best.safetensors"),
        data=str(out / "prepared" / "savee"),
        truth=str(out / "truth.csv"),
        head=HeadConfig(
            model=ModelConfig(head="gru", hidden_dim=128, dropout=0.2, answer="mean"),
            optim=OptimConfig(epochs=30, batch_size=16, learning_rate=3e-3),
            clips_per_stream=4,
        ),
        views=ViewConfig(num_augmented=3),
        cache=str(out / "features"),
        seed=config.seed,
        run=RunConfig(out=str(out / "runs" / "finetune"), tracking=TrackingConfig(wandb="off")),
    )


def _write_truth(savee: Path, path: Path) -> None:
    """Write what each drawn clip shows when: neutral below half of the expression's height."""
    rows = ["source,start_s,end_s,emotion"]
    for file in sorted((savee / "AudioVisualClip").glob("*/*.csv")):
        with file.open(newline="", encoding="utf-8") as lines:
            frames = list(csv.DictReader(lines))
        times = [float(frame["time_s"]) for frame in frames]
        shown = [
            frame["emotion"] if float(frame["intensity"]) >= 0.5 else Emotion.NEUTRAL.value
            for frame in frames
        ]
        source = file.with_suffix(".avi").relative_to(savee).as_posix()
        rows += [f"{source},{start},{end},{name}" for start, end, name in _stretches(times, shown)]
    write_atomically(path, ("\n".join(rows) + "\n").encode())


def _stretches(times: Sequence[float], shown: Sequence[str]) -> list[tuple[float, float, str]]:
    starts = [0, *(i for i in range(1, len(shown)) if shown[i] != shown[i - 1]), len(shown)]
    ends = [*times, times[-1] + 0.1]
    return [(times[a], ends[b], shown[a]) for a, b in pairwise(starts)]


def _run_live(out: Path) -> LiveScore:
    summary = run_live(
        LiveConfig(
            checkpoint=str(out / "runs" / "finetune" / "best.safetensors"),
            source=str(out / "scene.mp4"),
            output=str(out / "live.mp4"),
            csv=str(out / "live.csv"),
            detector=_FACES,
            window="no",
        )
    )
    _log.info("%s", summary)
    return judge_live_table(out / "live.csv", out / "scene.truth.csv")


def _summary(
    out: Path, main: Comparison, control: Comparison, score: LiveScore, seconds: float
) -> str:
    stability = score.stability
    return "\n".join(
        [
            "",
            as_text(main),
            "",
            "control set (signal 0: the pair's clips come and go alike, so 50 % is all there is)",
            *(
                f"  {row.name:<14} {row.pair_accuracy.estimate:6.1%} "
                f"[{row.pair_accuracy.low:6.1%}, {row.pair_accuracy.high:6.1%}]"
                for row in control.methods
                if row.pair_accuracy is not None
            ),
            "",
            f"live: {score.num_faces_found} of {score.num_faces} faces followed; the label was "
            f"right on {score.right.estimate:.1%} of {score.num_ticks} model ticks "
            f"(UAR {score.uar:.1%}), median lag {stability.median_lag_s:.2f} s, "
            f"{stability.num_missed} of {stability.num_changes} changes missed, "
            f"{stability.spurious_per_minute:.1f} spurious switches a minute",
            "",
            f"report  {out / 'compare_savee' / 'report.html'}",
            f"video   {out / 'live.mp4'}   table {out / 'live.csv'}",
            f"curves  {out / 'runs' / 'pretrain' / 'curves.png'}",
            f"{seconds:.0f} s in all",
        ]
    )

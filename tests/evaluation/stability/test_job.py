from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from emotemporal.data.prepared import FORMAT_VERSION, load_prepared, write_clip
from emotemporal.data.readers import DatasetConfig
from emotemporal.data.streams.camera import STILL_CAMERA
from emotemporal.data.streams.make import StreamsConfig, make_streams
from emotemporal.data.streams.plan import PlanConfig
from emotemporal.data.streams.stills import StillsConfig
from emotemporal.evaluation.stability.grid import GridConfig
from emotemporal.evaluation.stability.stream_sets import (
    JudgedModel,
    PreparedStreams,
    StreamsJudgeConfig,
)
from emotemporal.evaluation.stability.study import (
    SmoothingStudyConfig,
    run_smoothing_study,
    study_models,
)
from emotemporal.evaluation.stability.takes import ConcatenatedTakes, TakesConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.faces.crop import CropConfig
from emotemporal.inference.card import card_path, read_card
from emotemporal.inference.load import LoadedModel
from emotemporal.labels import SAVEE_7, Emotion, LabelSpace
from emotemporal.models.meta import CheckpointError, read_meta
from emotemporal.storage import digest, write_atomically, write_json
from emotemporal.types import FaceClip
from tests.fakes import FakeEngine

COLOURS = {Emotion.NEUTRAL: 2, Emotion.HAPPINESS: 1, Emotion.SADNESS: 0}  # of OpenCV's BGR
LABELS = LabelSpace(tuple(COLOURS))
GRID = GridConfig(
    ema_s=(0.2,),
    one_euro_hz=(0.5,),
    one_euro_beta=(0.3,),
    markov_dwell_s=(1.0,),
    markov_evidence_s=(0.2,),
    majority_s=(0.5,),
    margin=(0.0,),
    dwell_s=(0.0, 0.2),
)


@pytest.fixture(scope="module")
def stills(tmp_path_factory) -> Path:
    """Pictures whose colour is their emotion, more or less."""
    root, rng = tmp_path_factory.mktemp("stills"), np.random.default_rng(0)
    for split in ("validation", "test"):
        for emotion, channel in COLOURS.items():
            folder = root / split / emotion
            folder.mkdir(parents=True)
            for i in range(8):
                image = rng.integers(0, 256, (48, 48, 3)).astype(np.uint8)
                image[..., channel] = np.clip(image[..., channel].astype(int) + 90, 0, 255)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    return root


def streams_of(stills: Path, split: str, out: Path, seed: int = 0) -> Path:
    config = StreamsConfig(
        DatasetConfig(name="folder", root=str(stills)),
        str(out),
        num_streams=4,
        seed=seed,
        labels=",".join(LABELS.names),
        stills=StillsConfig(split=split, workers=1),
        plan=PlanConfig(stream_s=(8.0, 9.0), segment_s=(1.0, 3.0)),
        camera=STILL_CAMERA,
    )
    make_streams(config)
    return out


@pytest.fixture(scope="module")
def folders(stills, tmp_path_factory):
    out = tmp_path_factory.mktemp("streams")
    return [streams_of(stills, split, out / split) for split in ("validation", "test")]


@pytest.fixture
def models(make_checkpoint, tmp_path):
    """A frame model that reads colours, and a filter that sums them up."""

    def model(head, memory):
        path = tmp_path / f"{head}.safetensors"
        path.write_bytes(make_checkpoint(head).read_bytes())
        engine = FakeEngine(SAVEE_7, memory, sharpness=12.0)
        return LoadedModel(engine, read_meta(path), path, "torch")

    return model("frame", 0.0), model("gru", 0.5)


@pytest.fixture
def config(folders, tmp_path):
    return SmoothingStudyConfig(
        tune=str(folders[0]),
        test=str(folders[1]),
        out=str(tmp_path / "out"),
        judge=StreamsJudgeConfig(prior="uniform"),
        grid=GRID,
        bootstrap=BootstrapConfig(100),
    )


def test_streams_of_stills_become_a_report_and_a_card_a_checkpoint(config, models):
    frame, gru = models
    study = study_models(config, frame, [gru])
    assert study.labels == LABELS.names  # what the streams show; the model says more
    assert study.method("learned gru").is_learned
    assert study.origin["checkpoints"]["frame model"] == frame.digest
    assert (Path(config.out) / "report.html").is_file()
    for model in models:
        card = read_card(card_path(model.path), model.meta)
        assert card.labels == LABELS.names
        assert card.prior == "uniform"
        assert str(Path(config.out).parent) not in card_path(model.path).read_text()
        copy = Path(config.out) / "cards" / card_path(model.path).name
        assert copy.read_bytes() == card_path(model.path).read_bytes()


def test_what_was_judged_before_is_not_judged_again(config, models):
    frame, _ = models
    first = study_models(replace(config, write_cards=False), frame, [])
    assert not card_path(frame.path).exists()
    count = len(frame.engine.batch_sizes)
    assert count > 0
    second = study_models(config, frame, [])
    assert len(frame.engine.batch_sizes) == count
    assert first.tuned == second.tuned
    study_models(replace(config, judge=StreamsJudgeConfig(prior="training")), frame, [])
    assert len(frame.engine.batch_sizes) > count


def test_pieces_are_segments_and_their_stills(folders):
    source = PreparedStreams(load_prepared(folders[0]))
    clip, pieces = source.load(1)
    assert [(p.start_s, p.end_s) for p in pieces] == [(t.start_s, t.end_s) for t in clip.targets]
    assert {len(piece.units) for piece in pieces} <= {1, 2}
    assert source.emotions == set(COLOURS)
    assert len(source.stills) > 10


def test_streams_that_share_a_picture_are_refused(config, models, stills, tmp_path):
    again = streams_of(stills, "validation", tmp_path / "again", seed=1)
    with pytest.raises(ValueError, match=r"share \d+ pictures, such as validation"):
        study_models(replace(config, test=str(again)), models[0], [])
    with pytest.raises(ValueError, match="must not be what is reported"):
        replace(config, test=config.tune)


def test_faces_cut_out_otherwise_are_refused(config, models):
    frame = models[0]
    meta = replace(frame.meta, crop=replace(frame.meta.crop, size_px=96))
    with pytest.raises(CheckpointError, match=r"crop.size_px: there 48, here 96"):
        study_models(config, replace(frame, meta=meta), [])


def test_a_missing_folder_is_named(config, tmp_path, make_checkpoint):
    missing = replace(config, tune=str(tmp_path / "none"), checkpoint=str(make_checkpoint("frame")))
    with pytest.raises(FileNotFoundError, match="none: a prepared data set is not there"):
        run_smoothing_study(missing)


def test_the_calibrated_threshold_counts_under_its_prior_among_the_judged_emotions(models):
    frame = models[0]
    prior = (0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    meta = replace(frame.meta, uncertain_below=0.6, uncertain_prior=prior)
    judged = JudgedModel("m", replace(frame, meta=meta), StreamsJudgeConfig(prior="uniform"))
    two = LabelSpace((Emotion.FEAR, Emotion.NEUTRAL))
    caution = judged.caution(two)
    assert caution.uncertain_below == 0.6
    assert caution.confidence(np.array([0.5, 0.5]), two) == pytest.approx(0.8)


@pytest.fixture
def takes_folder(tmp_path):
    """Two takes an emotion of one speaker, one of fear, and one take of another speaker."""
    rng, rows = np.random.default_rng(0), []
    folder = tmp_path / "takes"
    shown = [*COLOURS, *COLOURS, Emotion.FEAR, Emotion.NEUTRAL]
    for i, emotion in enumerate(shown):
        subject = "02" if i == len(shown) - 1 else "01"
        crops = rng.integers(0, 256, (30 + i, 48, 48, 3)).astype(np.uint8)
        if emotion in COLOURS:
            channel = 2 - COLOURS[emotion]
            crops[..., channel] = np.clip(crops[..., channel].astype(int) + 90, 0, 255)
        clip = FaceClip(crops, 5 + np.arange(len(crops)) / 15, (), subject, f"{i}.mp4")
        content = write_clip(folder, f"clips/{i}.npz", clip, with_targets=False)
        rows.append(
            {"file": f"clips/{i}.npz", "emotion": emotion.value, "subject": subject}
            | {"take": str(i), "split": "", "source": clip.source, "digest": content}
        )
    table = pd.DataFrame(rows).to_csv(index=False).encode()
    write_atomically(folder / "clips.csv", table)
    told = {"format_version": FORMAT_VERSION, "name": "takes", "detector": "none"}
    crop = {"follow": {"crop": CropConfig(size_px=48).to_json()}}
    ending = {"is_complete": True, "clips_digest": digest(table)}
    write_json(folder / "prepare.json", told | crop | ending)
    return folder


def test_takes_of_one_speaker_are_put_one_after_the_other(takes_folder):
    prepared = load_prepared(takes_folder)
    takes = ConcatenatedTakes(prepared, LABELS, TakesConfig(num_orders=3, seed=1))
    assert len(takes) == 3
    assert takes.subjects == ["01"]
    assert takes.num_left_out == 2  # fear is not judged; the other speaker shows one emotion
    orders = []
    for i in range(3):
        clip, pieces = takes.load(i)
        orders.append([piece.units[0] for piece in pieces])
        for piece, target in zip(pieces, clip.targets, strict=True):
            take = prepared.load(int(piece.units[0].split(".")[0]))
            inside = (clip.times_s > target.start_s - 1e-9) & (clip.times_s < target.end_s - 1e-9)
            np.testing.assert_array_equal(clip.crops[inside], take.crops)
            assert target.emotion == take.targets[0].emotion
            assert (piece.start_s, piece.end_s) == (target.start_s, target.end_s)
    assert [sorted(order) for order in orders] == [sorted(orders[0])] * 3
    assert orders[0] != orders[1]
    np.testing.assert_array_equal(takes.load(1)[0].times_s, takes.load(1)[0].times_s)


def test_without_two_emotions_there_are_no_takes_to_put_together(takes_folder):
    others = LabelSpace((Emotion.FEAR, Emotion.ANGER))
    with pytest.raises(ValueError, match="no subject has takes of two emotions among fear, anger"):
        ConcatenatedTakes(load_prepared(takes_folder), others, TakesConfig())


def test_frozen_settings_are_judged_on_takes_too(config, models, takes_folder):
    frame, gru = models
    alone = study_models(config, frame, [gru])
    study = study_models(replace(config, takes=str(takes_folder)), frame, [gru])
    assert [method.choice for method in study.methods] == [m.choice for m in alone.methods]
    assert all(method.takes is not None for method in study.methods)
    assert {contest.where for contest in study.contests} == {"test", "takes"}
    # Colours tell the takes apart, and six of them allow no p-value.
    assert study.method("learned gru").takes.uar.estimate > 0.8
    assert {c.p_value for c in study.contests if c.where == "takes"} == {None}

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotemporal.data.clipping import PrepareConfig
from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.evaluation import evaluate as room
from emotemporal.evaluation.evaluate import EvaluateConfig, evaluate
from emotemporal.evaluation.metrics import measure, select_clips, stack_predictions
from emotemporal.evaluation.outcome import as_text
from emotemporal.evaluation.predictions import read_predictions
from emotemporal.faces.detect import DetectorConfig
from emotemporal.faces.follow import FollowConfig
from emotemporal.inference.load import load_engine
from emotemporal.inference.prior import to_probabilities, wanted_prior
from emotemporal.labels import SAVEE_7, Emotion, parse_label_space
from emotemporal.preprocess import preprocess
from emotemporal.synthetic.savee import SyntheticSaveeConfig, write_savee
from emotemporal.types import ClipPrediction
from emotemporal.video.image import read_image
from tests.data.tiny_sets import cut_off, write_image


@pytest.fixture(scope="module")
def frame_checkpoint(make_checkpoint) -> Path:
    return make_checkpoint("frame")


@pytest.fixture
def images(affectnet_root, frame_checkpoint, tmp_path) -> EvaluateConfig:
    return EvaluateConfig(
        data=DatasetConfig(name="affectnet", root=str(affectnet_root)),
        checkpoint=str(frame_checkpoint),
        split="validation",
        json=str(tmp_path / "figures.json"),
    )


@pytest.fixture(scope="module")
def savee_root(tmp_path_factory) -> Path:
    """Four short clips of two speakers."""
    root = tmp_path_factory.mktemp("drawn") / "savee"
    config = SyntheticSaveeConfig(
        num_speakers=2,
        clips_per_emotion=1,
        emotions=(Emotion.HAPPINESS, Emotion.SADNESS),
        duration_s=0.8,
        frame_rate_hz=15,
    )
    write_savee(root, config)
    return root


@pytest.fixture
def videos(savee_root, tiny_checkpoint, tmp_path) -> EvaluateConfig:
    return EvaluateConfig(
        data=DatasetConfig(name="savee", root=str(savee_root)),
        checkpoint=str(tiny_checkpoint),
        clips=PrepareConfig(follow=FollowConfig(detector=DetectorConfig(name="haar"))),
        cache=str(tmp_path / "prepared"),
    )


def test_images_of_one_split_are_judged_and_the_figures_written(images):
    found = evaluate(images)
    # 16 drawn for validation, two of contempt, which the checkpoint cannot say.
    assert (found.metrics.num_clips, found.metrics.num_dropped) == (14, 2)
    written = json.loads(Path(images.json).read_text())
    assert written == json.loads(json.dumps(found.to_json()))
    assert written["labels"] == list(SAVEE_7.names)
    assert np.sum(written["confusion"]) == 14
    assert "14 judged, 2 of other emotions" in as_text(found)


def test_images_with_a_twin_in_training_are_judged_with_the_others_and_left_out_beside_them(
    frame_checkpoint, tmp_path
):
    for split, seeds in (("train", (1, 2, 3)), ("test", (3, 4, 5))):
        for seed in seeds:
            write_image(tmp_path / split / "happy" / f"{split}{seed}.png", seed)
    config = EvaluateConfig(
        data=DatasetConfig(name="folder", root=str(tmp_path)),
        checkpoint=str(frame_checkpoint),
        split="test",
    )
    found = evaluate(config)
    assert found.twin_free is not None
    assert (found.metrics.num_clips, found.twin_free.num_clips) == (3, 2)
    assert "of the 2 without a twin" in as_text(found)
    assert found.to_json()["twin_free"]["num_clips"] == 2
    assert evaluate(replace(config, twin_free=False)).twin_free is None
    (tmp_path / "train" / "happy" / "train3.png").unlink()
    assert evaluate(config).twin_free is None


def test_the_figures_follow_from_the_predictions_that_it_writes(images, tmp_path):
    found = evaluate(replace(images, predictions=str(tmp_path / "each.csv")))
    judged = stack_predictions(read_predictions(tmp_path / "each.csv"), found.labels)
    assert measure(judged).nll == found.metrics.nll
    assert np.array_equal(measure(judged).confusion, found.metrics.confusion)


def test_the_figures_are_those_of_the_model_on_each_picture_alone(images, tmp_path):
    root = tmp_path / "folder"
    names = ("anger", "fear", "fear", "happiness")
    paths = [write_image(root / name / f"{i}.png", i, size=48) for i, name in enumerate(names)]
    data = DatasetConfig(name="folder", root=str(root))
    found = evaluate(replace(images, data=data, split=None))
    engine, meta = load_engine(images.checkpoint)
    prior = wanted_prior("training", meta)
    expected = [
        ClipPrediction(
            path.name,
            "",
            Emotion(path.parent.name),
            to_probabilities(
                engine.run(preprocess(read_image(path)[None], meta.preprocess)), meta, prior
            )[0],
            meta.labels,
        )
        for path in paths
    ]
    wanted = measure(stack_predictions(expected, meta.labels))
    assert found.metrics.nll == pytest.approx(wanted.nll)
    assert np.array_equal(found.metrics.confusion, wanted.confusion)


def test_without_a_split_all_rows_are_judged(images):
    found = evaluate(replace(images, split=None, json=""))
    assert found.metrics.num_clips + found.metrics.num_dropped == 48 + 16
    assert not Path(images.json).exists()


def test_gaps_between_groups_are_audited_by_a_column_of_the_manifest(frame_checkpoint, tmp_path):
    rows = ["path,label,subject,sex"]
    for i in range(24):
        emotion = ("happiness", "anger")[i % 2]
        write_image(tmp_path / f"{i}.png", i)
        rows.append(f"{i}.png,{emotion},{'ann' if i < 12 else 'bob'},{'f' if i < 12 else 'm'}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    config = EvaluateConfig(
        data=DatasetConfig(name="manifest", root=str(tmp_path)),
        checkpoint=str(frame_checkpoint),
        group_by="sex",
        predictions=str(tmp_path / "each.csv"),
    )
    found = evaluate(config)
    (audit,) = found.audits
    judged = stack_predictions(read_predictions(tmp_path / "each.csv"), found.labels)
    for group, name in zip(audit.groups, ("ann", "bob"), strict=True):
        own = select_clips(judged, np.array([subject == name for subject in judged.subjects]))
        assert (group.num_clips, group.num_subjects) == (12, 1)
        assert group.uar.estimate == pytest.approx(measure(own).uar)
    assert "UAR by sex:" in as_text(found)
    assert found.to_json()["audits"][0]["column"] == "sex"
    assert json.dumps(found.to_json())
    with pytest.raises(ValueError, match=r"group_by has 'shoe'; the data has .*sex"):
        evaluate(replace(config, group_by="shoe"))


def test_groups_of_images_nobody_is_named_in_are_counted_in_images_alone(images):
    (audit,) = evaluate(replace(images, group_by="split")).audits
    assert {group.num_subjects for group in audit.groups} == {0}
    assert "subjects not known" in as_text(evaluate(replace(images, group_by="split")))


def test_in_a_smaller_label_space_the_rest_is_masked_and_dropped_and_said(images):
    found = evaluate(replace(images, labels="anger,fear"))
    assert found.labels == parse_label_space("anger,fear")
    assert (found.metrics.num_clips, found.metrics.num_dropped) == (4, 12)
    assert Emotion.NEUTRAL in found.masked
    assert found.metrics.confusion.shape == (2, 2)
    assert "masked, the rest renormalised: neutral" in as_text(found)


def test_another_prior_changes_the_probabilities_and_is_said(images):
    training, uniform = (evaluate(replace(images, prior=p)) for p in ("training", "uniform"))
    assert uniform.metrics.nll != training.metrics.nll
    assert "prior: uniform" in as_text(uniform)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"split": "test"}, "has no test split", id="split"),
        pytest.param({"labels": "contempt,fear"}, "does not know contempt", id="labels"),
        pytest.param({"labels": "glee"}, "glee", id="no-emotion"),
        pytest.param({"prior": "nowhere.json"}, "nowhere.json", id="prior"),
    ],
)
def test_what_cannot_be_judged_is_refused_before_any_judging(images, changes, told, monkeypatch):
    monkeypatch.setattr("emotemporal.data.images.ImageSet.read_crop", None)
    with pytest.raises((ValueError, OSError), match=told):
        evaluate(replace(images, **changes))


def test_clips_are_cut_out_once_and_judged_the_same_again(videos, monkeypatch):
    first = evaluate(videos)
    assert first.metrics.num_clips == 4
    assert first.failures == ()
    monkeypatch.setattr("emotemporal.data.clipping.IsolatedVideo", None)
    again = evaluate(videos)
    assert again.metrics.nll == first.metrics.nll
    assert len(list(Path(videos.cache).iterdir())) == 1


def test_a_video_that_cannot_be_read_is_refused_by_name(videos, savee_root, tmp_path):
    root = tmp_path / "broken"
    for file in savee_root.rglob("*.avi"):
        copy = root / file.relative_to(savee_root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    cut_off(root / "AudioVisualClip" / "DC" / "h1.avi")
    data = DatasetConfig(name="savee", root=str(root))
    with pytest.raises(ValueError, match=r"DC/h1\.avi"):
        evaluate(replace(videos, data=data))


def test_clips_in_no_figure_are_told_with_the_figures(videos, monkeypatch):
    prepare = room.prepare

    def losing_one(*arguments):
        return replace(prepare(*arguments), failures=[("DC/h2.avi", "no face was found")])

    monkeypatch.setattr(room, "prepare", losing_one)
    found = evaluate(videos)
    assert found.to_json()["failures"] == [{"path": "DC/h2.avi", "reason": "no face was found"}]
    assert "DC/h2.avi: no face was found" in as_text(found)


def test_notes_of_the_reader_are_told(images, tmp_path, caplog, affectnet_root):
    caplog.set_level("INFO")
    row = read_dataset(images.data).rows["path"].iloc[-1]
    (tmp_path / "out.csv").write_text(f"path\n{row}\n")
    data = replace(images.data, exclude=str(tmp_path / "out.csv"))
    evaluate(replace(images, data=data))
    assert "note: out.csv: 1 rows left out" in caplog.text

"""The protocols through the real path: folders in, folds, and what every output says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emotemporal.ablate import compare as study
from emotemporal.ablate import units as pieces
from emotemporal.ablate.compare import CompareConfig, compare
from emotemporal.ablate.study import load_study, refuse_twins
from emotemporal.ablate.tuned_votes import VoteGrid
from emotemporal.ablate.units import Unit
from emotemporal.ablate.video3d_row import Video3DRowConfig
from emotemporal.baselines.video3d import Video3DConfig
from emotemporal.data.sampling import SamplingConfig
from emotemporal.evaluation.protocols import ProtocolConfig
from emotemporal.evaluation.statistics.bootstrap import BootstrapConfig
from emotemporal.models.meta import ModelConfig
from emotemporal.train.features import ViewConfig
from emotemporal.train.heads import HeadConfig
from emotemporal.train.log import TrackingConfig
from emotemporal.train.optim import OptimConfig
from tests.ablate.copies import copy_prepared

OPTIM = OptimConfig(epochs=2, batch_size=4)
OTHER = {"surprise": "fear", "fear": "surprise"}


@pytest.fixture(scope="module")
def config(make_checkpoint, prepared_savee, tmp_path_factory) -> CompareConfig:
    folder = tmp_path_factory.mktemp("protocols")
    sampling = SamplingConfig(num_frames=4)
    return CompareConfig(
        checkpoint=str(make_checkpoint("frame", crop_px=96)),
        data=str(prepared_savee),
        out=str(folder / "study"),
        labels="surprise,fear",
        frame=HeadConfig(model=ModelConfig(head="frame"), optim=OPTIM, sampling=sampling),
        heads={"gru": HeadConfig(ModelConfig(head="gru", hidden_dim=4), OPTIM, sampling)},
        views=ViewConfig(num_augmented=0),
        num_seeds=1,
        bootstrap=BootstrapConfig(num_resamples=100),
        cache=str(folder / "features"),
        tracking=TrackingConfig(wandb="off"),
    )


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Run units in this process: a spawned one imports torch anew, which takes seconds."""
    monkeypatch.setattr(
        study, "run_units", lambda config, units: ((u, pieces._run_unit(config, u)) for u in units)
    )
    pieces._study_of_this_process.cache_clear()


def test_corrupting_the_test_folds_labels_changes_no_choice_and_no_bit(config, tmp_path):
    def lie(rows):
        is_judged = rows["subject"] == "DC"
        return rows.assign(emotion=rows["emotion"].where(~is_judged, rows["emotion"].map(OTHER)))

    sound = replace(config, rate_factors=(3.0, 0.3))
    lying = replace(sound, data=copy_prepared(Path(config.data), tmp_path / "data", lie))
    for method in ("frame", "gru", "clip_length"):
        # Weights, choices, time constants and answers: all of a fold's file, bit for bit.
        judged = Unit(method, 0, "DC")
        assert pieces._run_unit(sound, judged) == pieces._run_unit(lying, judged)
    # And it would be seen: the same lie, where it is trained on.
    trained_on = Unit("gru", 0, "JE")
    assert pieces._run_unit(sound, trained_on) != pieces._run_unit(lying, trained_on)


def test_a_clip_under_a_second_name_is_refused_by_name(config, tmp_path):
    def plant(rows):
        planted = rows[rows["subject"] == "DC"].assign(subject="XX", source="planted.avi")
        return pd.concat([rows, planted.iloc[:1]])

    data = copy_prepared(Path(config.data), tmp_path / "data", plant)
    with pytest.raises(ValueError, match=r"planted.avi .subject XX|subject XX"):
        compare(replace(config, data=data, out=str(tmp_path / "study")))
    assert not (tmp_path / "study" / "units").exists()


def test_a_name_spelt_two_ways_is_refused(config, tmp_path):
    def misspell(rows):
        return rows.assign(subject=["dc", *rows["subject"][1:]])

    data = copy_prepared(Path(config.data), tmp_path / "data", misspell)
    with pytest.raises(ValueError, match=r"DC = dc|dc = DC"):
        load_study(replace(config, data=data))


def test_only_common_sentences_may_be_judged(config, tmp_path):
    def number(rows):
        takes = np.where(rows["subject"] == "DC", "f4", rows["take"])
        return rows.assign(take=takes)

    data = copy_prepared(Path(config.data), tmp_path / "data", number)
    found = load_study(replace(config, data=data, takes="common*"))
    assert {clip.subject for clip in found.clips} == {"JE", "JK", "KL"}
    assert "Only takes common*: 6 of 8 clips." in found.material.remarks
    with pytest.raises(ValueError, match="no clip is left: takes nothing"):
        load_study(replace(config, data=data, takes="nothing"))


def test_a_covered_mouth_is_seen_by_no_method_and_told(config, tmp_path):
    covered = replace(config, cover="mouth", out=str(tmp_path / "study"))
    found = load_study(covered)
    assert not np.array_equal(found.clips[0].views, load_study(config).clips[0].views)
    crops = found.material.load(0, "mouth").crops
    assert np.all(crops[:, int(0.76 * crops.shape[1]), crops.shape[2] // 2] == 128)
    assert "Mouth, jaw and chin were covered" in " ".join(compare(covered).config.remarks)


def test_speaker_dependent_folds_say_so_in_every_output(config, tmp_path):
    protocol = ProtocolConfig("speaker_dependent", num_folds=2)
    compare(replace(config, protocol=protocol, out=str(tmp_path / "study")))
    for name in ("report.html", "comparison.md", "comparison.csv"):
        assert "SPEAKER-DEPENDENT" in (tmp_path / "study" / name).read_text()


@pytest.fixture(scope="module")
def corpora(config, tmp_path_factory) -> dict[str, str]:
    """Two data sets without a common clip; one shows an emotion that the other does not."""
    folder = tmp_path_factory.mktemp("corpora")

    def part(subjects, emotions):
        def change(rows):
            kept = rows[rows["subject"].isin(subjects)].copy()
            # Actors are numbered alike in both: they must not become one person.
            kept["subject"] = kept["subject"].map(
                {name: f"0{i}" for i, name in enumerate(subjects)}
            )
            kept["sex"] = "male"
            return kept.assign(emotion=kept["emotion"].replace(emotions))

        return change

    source = Path(config.data)
    return {
        "one": copy_prepared(source, folder / "one", part(["DC", "JE"], {})),
        "two": copy_prepared(source, folder / "two", part(["JK", "KL"], {"fear": "anger"})),
    }


def test_corpora_meet_by_the_names_of_emotions_and_keep_their_people_apart(config, corpora):
    by_corpus = replace(
        config,
        data="",
        corpora=corpora,
        labels="surprise,fear,anger",
        protocol=ProtocolConfig("leave_one_corpus_out"),
    )
    found = load_study(by_corpus)
    assert [fold.name for fold in found.folds] == ["one", "two"]
    assert {clip.subject for clip in found.clips} == {"one/00", "one/01", "two/00", "two/01"}
    assert "one has no clip of anger." in found.material.remarks
    refuse_twins(found, Path(config.cache))
    with pytest.raises(ValueError, match="fewer than two emotions are shown in every"):
        load_study(replace(by_corpus, labels="shared"))


def test_what_corpora_do_not_share_is_left_out_counted_and_told(config, corpora, tmp_path):
    more = copy_prepared(
        Path(config.data),
        tmp_path / "more",
        lambda rows: rows[rows["subject"].isin(["JK", "KL"])].assign(sex=""),
    )
    by_corpus = replace(
        config,
        data="",
        corpora={"one": corpora["one"], "two": more},
        labels="shared",
        protocol=ProtocolConfig("leave_one_corpus_out"),
        inner=ProtocolConfig("subject_groups", num_folds=2),
        group_by="corpus,sex",
        out=str(tmp_path / "study"),
    )
    found = compare(by_corpus)
    assert found.labels.names == ("surprise", "fear")
    text = (tmp_path / "study" / "comparison.md").read_text()
    assert "UAR by corpus" in text
    assert "one data set left out in turn" in text
    wider = load_study(replace(by_corpus, labels="surprise,happiness"))
    assert "4 of fear in one, 2 of fear in two" in " ".join(wider.material.remarks) or (
        "2 of fear in one, 2 of fear in two" in " ".join(wider.material.remarks)
    )


def test_one_folder_under_two_names_is_refused(config):
    twice = replace(
        config,
        data="",
        corpora={"a": config.data, "b": config.data},
        protocol=ProtocolConfig("leave_one_corpus_out"),
    )
    with pytest.raises(ValueError, match="show the same as clips trained on"):
        refuse_twins(load_study(twice), Path(config.cache))


def test_time_constants_are_chosen_inside_the_training_subjects(config):
    single = VoteGrid((0.25,), (2.0,), (0.3,))
    unit = Unit("frame", 0, "DC")
    fixed = pieces._run_unit(replace(config, vote_grid=single), unit)
    expected = {"time_constant_s": 0.25, "mean_dwell_s": 2.0, "evidence_s": 0.3}
    assert fixed["votes"] == expected
    tuned = pieces._run_unit(config, unit)
    grid = VoteGrid()
    assert tuned["votes"]["time_constant_s"] in grid.time_constants_s
    assert tuned["answers"]["mean_of_frames"] == fixed["answers"]["mean_of_frames"]
    as_given = pieces._run_unit(replace(config, nested=False), unit)
    assert as_given["votes"] == {
        "time_constant_s": 0.5,
        "mean_dwell_s": 2.0,
        "evidence_s": 0.3,
    }


def test_a_3d_network_is_a_row_with_its_time(config, tmp_path):
    row = Video3DRowConfig(True, Video3DConfig("x3d_xs", size_px=32), replace(OPTIM, epochs=1))
    found = compare(
        replace(config, video3d=row, num_seeds=2, nested=False, out=str(tmp_path / "study"))
    )
    assert found.method("x3d_xs").num_seeds == 1
    assert found.method("gru").num_seeds == 2
    assert "X3D-XS: 4 frames of 32 px" in " ".join(found.config.remarks)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param({"corpora": {"a": "x", "b": "y"}}, "one folder as data, or", id="both"),
        pytest.param({"data": ""}, "one folder as data, or", id="neither"),
        pytest.param({"data": "", "corpora": {"a": "x"}}, "give it as data", id="one-corpus"),
        pytest.param({"labels": "shared"}, "need several data sets", id="shared-by-one"),
        pytest.param({"data": "", "corpora": {"a/b": "x", "c": "y"}}, "letters", id="names"),
        pytest.param({"heads": {"clip_length": HeadConfig()}}, "none", id="a-row's-name"),
    ],
)
def test_a_study_that_cannot_be_is_refused(config, changes, told):
    with pytest.raises(ValueError, match=told):
        replace(config, **changes)


def test_a_column_that_is_not_there_is_refused(config):
    with pytest.raises(ValueError, match=r"group_by has 'skin'; the data has .*sex"):
        load_study(replace(config, group_by="skin"))

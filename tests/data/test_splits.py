from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotemporal.data.readers import DatasetConfig, read_dataset
from emotemporal.data.select import cap_per_class, keep_labels, take_share
from emotemporal.data.sharing import shared_subjects
from emotemporal.data.signatures import Signature, sign_table
from emotemporal.data.split_file import apply_split_file, write_split_file
from emotemporal.data.splits import (
    SplitConfig,
    check_splits,
    hold_out,
    make_splits,
    split_by_subject,
    split_rows,
)
from emotemporal.data.table import (
    VOTE_COLUMNS,
    Problem,
    fingerprint,
    make_table,
    refuse_fatal,
    soft_targets,
    take_rows,
)
from emotemporal.data.twins import TwinConfig, Twins, byte_twins, find_twins, rows_to_leave_out
from emotemporal.labels import SAVEE_7
from tests.data.tiny_sets import picture, write_csv, write_folders, write_image, write_video

SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
NO_TWINS = np.zeros((0, 2), dtype=np.int64)


def table_of(subjects, emotions=("fear", "anger"), **columns):
    records = [
        {"path": f"{i}.png", "emotion": emotions[i % len(emotions)], "subject": subject}
        | {name: values[i] for name, values in columns.items()}
        for i, subject in enumerate(subjects)
    ]
    return make_table("own", Path(), "images", records)


def twins_of(*groups: int) -> Twins:
    numbers = np.array(groups)
    return Twins(numbers, numbers, NO_TWINS)


@given(
    st.lists(st.integers(0, 8), min_size=30, max_size=60),
    st.integers(0, 5),
    st.randoms(use_true_random=False),
)
def test_no_subject_and_no_twin_is_ever_in_two_splits(numbers, seed, chance):
    subjects = [f"s{n}" for n in [*range(9), *numbers]]
    # A twin joins two people's images: then the two people go together.
    group = list(range(len(subjects)))
    group[chance.randrange(len(group))] = group[chance.randrange(len(group))]
    table = table_of(subjects)
    twins = twins_of(*group)
    split = split_by_subject(table, SHARES, seed, twins)
    check_splits(split, twins)
    assert set(split.rows["split"]) == set(SHARES)


def test_shares_and_emotions_come_out_as_asked_where_the_groups_allow():
    table = table_of([f"s{i // 2}" for i in range(400)])
    split = split_by_subject(table, SHARES, seed=1)
    counts = split.rows.groupby(["split", "emotion"]).size()
    assert counts["train"].to_dict() == {"anger": 120, "fear": 120}
    assert counts["test"].to_dict() == {"anger": 40, "fear": 40}


def test_the_seed_decides():
    table = table_of([""] * 60)
    first, again, other = (split_by_subject(table, SHARES, seed) for seed in (1, 1, 2))
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)


def test_too_few_subjects_are_refused():
    with pytest.raises(ValueError, match="2 subjects or groups of twins; 3 splits"):
        split_by_subject(table_of(["a", "b", "a"]), SHARES, seed=0)


def test_no_split_is_left_empty_where_each_subject_shows_one_emotion():
    subjects = [f"{number}" for number in range(6) for _ in range(3)]
    emotions = [emotion for emotion in ("fear", "anger", "happiness") for _ in range(6)]
    table = table_of(subjects, emotion=emotions)
    for shares in ({"train": 0.8, "validation": 0.1, "test": 0.1}, {"train": 0.9, "test": 0.1}):
        split = split_by_subject(table, shares, seed=0)
        assert set(split.rows["split"]) == set(shares)


def test_a_shared_subject_and_a_shared_twin_are_named():
    shared = table_of(["a", "a", "b"], split=["train", "test", "test"])
    assert shared_subjects(shared) == {"a": ["test", "train"]}
    with pytest.raises(ValueError, match="a in test and train"):
        check_splits(shared)
    apart = table_of(["a", "b", "b"], split=["train", "test", "test"])
    check_splits(apart, twins_of(0, 1, 1))
    with pytest.raises(ValueError, match=r"0\.png = 1\.png"):
        check_splits(apart, twins_of(0, 0, 1))


def test_what_is_reported_on_stays_whole_when_twins_are_left_out():
    table = table_of([""] * 5, split=["train", "validation", "test", "train", "validation"])
    assert list(rows_to_leave_out(table, np.array([7, 7, 7, 8, 8]))) == [0, 1, 3]


def test_hold_out_keeps_subjects_and_equal_files_together(tmp_path):
    rows = []
    for i in range(40):
        write_image(tmp_path / f"{i}.png", seed=i // 2)
        rows.append({"path": f"{i}.png", "label": "fear", "subject": ""})
    write_csv(tmp_path / "manifest.csv", rows)
    table = read_dataset(DatasetConfig(name="manifest", root=str(tmp_path)))
    train, validation = hold_out(table, 0.2, seed=0)
    assert (len(train), len(validation)) == (32, 8)
    pairs = [{int(Path(path).stem) // 2 for path in t.rows["path"]} for t in (train, validation)]
    assert not pairs[0] & pairs[1]
    with pytest.raises(ValueError, match="share held out"):
        hold_out(table, 0.0, seed=0)


def test_a_table_without_splits_is_all_training():
    table = table_of(["a", "b"])
    assert len(split_rows(table, "train")) == 2
    assert len(split_rows(table, "test")) == 0
    known = table_of(["a", "b"], split=["test", None])
    assert len(split_rows(known, "train")) == 0


def test_a_split_is_made_written_and_read_back(tmp_path):
    root = write_folders(tmp_path / "data", {"happy": 20, "fear": 20})
    output = tmp_path / "splits" / "split.csv"
    data = DatasetConfig(name="folder", root=str(root))
    told = make_splits(SplitConfig(data=data, output=str(output), show_progress=False))
    assert "no subject and no twin in two splits" in told
    table = read_dataset(replace(data, split_file=str(output)))
    assert table.rows["split"].value_counts().to_dict() == {
        "train": 32,
        "validation": 4,
        "test": 4,
    }
    as_manifest = DatasetConfig(name="manifest", root=str(root), manifest=str(output))
    assert list(read_dataset(as_manifest).rows["split"]) == list(table.rows["split"])


def test_a_split_file_of_another_selection_is_refused(tmp_path):
    table = table_of(["a", "b", "c"], split=["train", "test", "test"])
    write_split_file(take_rows(table, [0, 1]), tmp_path / "split.csv")
    more = apply_split_file(table, tmp_path / "split.csv")
    with pytest.raises(ValueError, match="does not name 1 rows"):
        refuse_fatal(more)
    write_split_file(table, tmp_path / "split.csv")
    fewer = apply_split_file(take_rows(table, [0, 1]), tmp_path / "split.csv")
    with pytest.raises(ValueError, match="names 1 rows that are not there"):
        refuse_fatal(fewer)
    (tmp_path / "split.csv").write_text("path,split\n0.png,dev\n")
    with pytest.raises(ValueError, match=r"split\.csv:2: split is 'dev'"):
        apply_split_file(table, tmp_path / "split.csv")
    (tmp_path / "split.csv").write_text("path,split\n0.png,train\n0.png,test\n")
    with pytest.raises(ValueError, match=r"split\.csv:3: 0\.png stands twice"):
        apply_split_file(table, tmp_path / "split.csv")
    with pytest.raises(FileNotFoundError, match="emotemporal split"):
        apply_split_file(table, tmp_path / "none.csv")


def test_intervals_of_one_file_stay_together_and_come_back(tmp_path):
    rows = []
    for number in range(6):
        write_video(tmp_path / f"{number}.avi", number)
        rows += [
            {"path": f"{number}.avi", "label": "fear", "subject": "", "start": s, "end": s + 0.1}
            for s in (0.0, 0.1)
        ]
    write_csv(tmp_path / "manifest.csv", rows)
    data = DatasetConfig(name="manifest", root=str(tmp_path))
    config = SplitConfig(
        data=data, output=str(tmp_path / "s.csv"), train=0.5, validation=0.0, test=0.5,
        show_progress=False,
    )  # fmt: skip
    make_splits(config)
    table = read_dataset(replace(data, split_file=str(tmp_path / "s.csv")))
    refuse_fatal(table)
    assert (table.rows.groupby("path")["split"].nunique() == 1).all()


def test_configs_that_cannot_be_are_refused_before_any_picture_is_read():
    data = DatasetConfig(name="savee", root="x")
    with pytest.raises(ValueError, match="sum to 1"):
        SplitConfig(data=data, output="s.csv", train=0.5)
    with pytest.raises(ValueError, match="workers is 0"):
        SplitConfig(data=data, output="s.csv", workers=0)
    for detail in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"detail_correlation is {detail}"):
            TwinConfig(detail_correlation=detail)


def signatures_of(*images: np.ndarray) -> list[Signature]:
    import cv2

    thumbs = [
        cv2.resize(cv2.cvtColor(i, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
        for i in images
    ]
    return [Signature(image.tobytes().hex(), t) for image, t in zip(images, thumbs, strict=True)]


def test_near_twins_are_joined_through_a_third_and_strangers_are_not():
    image = picture(0)
    twins = find_twins(
        signatures_of(image, image[:, ::-1].copy(), image // 2, image, picture(1)), TwinConfig()
    )
    assert len(set(twins.group[:4])) == 1
    assert twins.group[4] != twins.group[0]
    assert twins.exact[0] == twins.exact[3] != twins.exact[1]


def test_mirrors_are_not_looked_for_where_not_wanted():
    image = picture(0)
    pair = signatures_of(image, image[:, ::-1].copy())
    twins = find_twins(pair, TwinConfig(with_mirrors=False))
    assert twins.group[0] != twins.group[1]


def test_a_thousand_strangers_have_no_near_twin_and_every_planted_one_is_found():
    images = [picture(seed, 32) for seed in range(1000)]
    noise = np.random.default_rng(0).integers(-3, 4, (50, 32, 32, 3))
    planted = [
        np.clip(images[i].astype(int) + noise[i], 0, 255).astype(np.uint8) for i in range(50)
    ]
    twins = find_twins(signatures_of(*images, *planted), TwinConfig(), workers=2)
    assert [tuple(pair) for pair in twins.near_pairs] == [(i, 1000 + i) for i in range(50)]


def test_many_alike_are_still_joined_when_not_all_pairs_can_be_listed(monkeypatch):
    monkeypatch.setattr("emotemporal.data.twins._MAX_PAIRS", 10)
    noise = np.random.default_rng(0).integers(0, 4, (60, 32, 32, 3))
    images = [np.clip(picture(0, 32) + n, 0, 255).astype(np.uint8) for n in noise]
    assert len(set(find_twins(signatures_of(*images), TwinConfig()).group)) == 1


def test_blank_pictures_are_no_near_twins():
    blank = [np.full((32, 32, 3), value, np.uint8) for value in (0, 128, 255)]
    assert len(set(find_twins(signatures_of(*blank), TwinConfig()).group)) == 3


def test_equal_files_are_found_by_their_bytes(tmp_path):
    for name, content in {"a": b"one", "b": b"two", "c": b"one", "d": b"longer"}.items():
        (tmp_path / f"{name}.png").write_bytes(content)
    records = [{"path": f"{name}.png"} for name in "abcd"]
    twins = byte_twins(make_table("own", tmp_path, "images", records))
    assert twins.exact[0] == twins.exact[2]
    assert len(set(twins.exact)) == 3


def test_a_missing_file_is_a_problem_and_not_a_crash(tmp_path):
    table = make_table("own", tmp_path, "images", [{"path": "gone.png"}])
    for how in ("decoded", "bytes"):
        assert sign_table(table, how)[0].problem is not None


def test_a_share_is_taken_of_every_emotion_and_grows_by_adding():
    table = table_of([""] * 50, emotions=("fear", "fear", "fear", "fear", "anger"))
    fifth, half = (take_share(table, share, 1) for share in (0.2, 0.5))
    assert fifth.rows["emotion"].value_counts().to_dict() == {"fear": 8, "anger": 2}
    assert set(fifth.rows["path"]) < set(half.rows["path"])
    assert fingerprint(fifth) != fingerprint(take_share(table, 0.2, 2))
    assert len(take_share(table, 0.001, 1)) == 2


def test_the_cap_keeps_the_same_rows_for_a_seed():
    table = table_of([""] * 50, emotions=("fear", "fear", "fear", "anger"))
    first, again, other = (cap_per_class(table, 5, seed) for seed in (1, 1, 2))
    assert first.rows["emotion"].value_counts().to_dict() == {"fear": 5, "anger": 5}
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert "40 rows beyond 5 an emotion" in str(first.problems[-1])
    assert cap_per_class(table, 1000, 1) is table
    with pytest.raises(ValueError, match="max_per_class is 0"):
        cap_per_class(table, 0, 1)


def test_rows_outside_the_labels_are_dropped_and_counted():
    table = table_of([""] * 4, emotions=("fear", "contempt"))
    kept = keep_labels(table, SAVEE_7)
    assert set(kept.rows["emotion"]) == {"fear"}
    assert "2 rows" in str(kept.problems[-1])
    assert keep_labels(kept, SAVEE_7) is kept


def votes(**given: float) -> dict[str, float]:
    return {column: given.get(column.removeprefix("votes_"), 0.0) for column in VOTE_COLUMNS}


def test_votes_become_soft_targets_among_the_labels():
    records = [
        {"path": "a.png", "emotion": "fear"} | votes(fear=6, surprise=2, contempt=2),
        {"path": "b.png", "emotion": "contempt"} | votes(contempt=6, fear=4),
        {"path": "c.png", "emotion": None} | votes(fear=5, anger=5),
    ]
    table = make_table("own", Path(), "images", records)
    targets, has_target = soft_targets(table, SAVEE_7)
    assert list(has_target) == [True, False, True]
    fear, surprise = (SAVEE_7.names.index(name) for name in ("fear", "surprise"))
    assert (targets[0, fear], targets[0, surprise]) == (0.75, 0.25)
    assert targets[2, fear] == 0.5
    assert len(keep_labels(table, SAVEE_7)) == 1
    assert len(keep_labels(table, SAVEE_7, use_votes=True)) == 2
    assert len(cap_per_class(table, 1, 0)) == 2


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        ({"path": "/a.png"}, "relative to the root"),
        ({"path": "a/../../b.png"}, "relative to the root"),
        ({"path": "a.png", "emotion": "joy"}, "emotion must be"),
        ({"path": "a.png", "split": "dev"}, "split must be"),
        ({"path": "a.png", "x1": 3.0}, "only x1"),
    ],
)
def test_a_table_with_wrong_values_is_refused_at_birth(record, rule):
    with pytest.raises(ValueError, match=rule):
        make_table("own", Path(), "images", [record])


def test_a_path_occurs_once_and_the_fingerprint_follows_the_rows():
    with pytest.raises(ValueError, match="path occurs twice"):
        make_table("own", Path(), "images", [{"path": "a.png"}] * 2)
    table = table_of(["a", "b"])
    assert fingerprint(table) == fingerprint(replace(table, root=Path("elsewhere")))
    assert fingerprint(table) != fingerprint(take_rows(table, [1, 0]))
    with pytest.raises(ValueError, match="lacks the columns split"):
        replace(table, rows=table.rows.drop(columns="split"))


def test_fatal_problems_stop_a_job_and_others_do_not():
    note = Problem("x", "two rows dropped", "As it should be.", is_fatal=False)
    table = replace(table_of(["a"]), problems=(note,))
    refuse_fatal(table)
    with pytest.raises(ValueError, match=r"own in .* cannot be used"):
        refuse_fatal(replace(table, problems=(replace(note, is_fatal=True),)))

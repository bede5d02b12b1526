from __future__ import annotations

import numpy as np
import pytest

from emotemporal.data.sets.affectnet import read_affectnet
from emotemporal.data.sets.label_order import check_order, parse_digit_order
from emotemporal.data.sets.published import AFFECTNET_TRAIN
from emotemporal.data.table import box_of
from emotemporal.labels import AFFECTNET_8
from tests.data.tiny_sets import (
    AFFECTNET_HEADER,
    write_affectnet_csv,
    write_affectnet_npy,
    write_csv,
    write_folders,
    write_image,
)

OFFICIAL = [75, 134, 25, 14, 6, 4, 25, 4]  # the published counts, in thousands
ALPHABETICAL = [AFFECTNET_TRAIN[e] // 1000 for e in sorted(AFFECTNET_8.emotions)]


def digits(counts: list[int]) -> dict[str, int]:
    return {str(i): count for i, count in enumerate(counts)}


def fatal(table) -> str:
    return "\n".join(str(problem) for problem in table.problems if problem.is_fatal)


def told(table) -> str:
    return "\n".join(str(problem) for problem in table.problems)


def test_the_csv_release_gives_emotions_boxes_and_values(tmp_path):
    table = read_affectnet(write_affectnet_csv(tmp_path))
    assert list(table.rows["emotion"]) == ["happiness", "fear"]
    assert table.rows["path"][0] == "Manually_Annotated_Images/1/a.jpg"
    assert (tmp_path / table.rows["path"][0]).is_file()
    box = box_of(table, 0)
    assert (box.x1, box.y1, box.x2, box.y2) == (4, 6, 34, 38)
    assert table.rows["valence"][0] == 0.5
    assert np.isnan(table.rows["arousal"][0])
    assert list(table.rows["split"]) == ["train", "train"]
    assert list(table.rows["source_row"]) == [2, 3]


def test_faceless_images_are_dropped_and_counted(tmp_path):
    assert "1 images with no emotion" in told(read_affectnet(write_affectnet_csv(tmp_path)))


def test_both_lists_are_read(tmp_path):
    write_affectnet_csv(tmp_path)
    write_affectnet_csv(tmp_path, [("3/v.jpg", 0)], "validation.csv")
    table = read_affectnet(tmp_path)
    assert list(table.rows["split"]) == ["train", "train", "validation"]


def test_a_header_less_list_is_refused_unless_said_to_be_one(tmp_path):
    write_affectnet_csv(tmp_path, header=False)
    refused = read_affectnet(tmp_path)
    assert "training.csv:1" in fatal(refused)
    assert "--has_header false" in fatal(refused)
    assert len(refused) == 0
    accepted = read_affectnet(tmp_path, has_header=False)
    assert not fatal(accepted)
    assert list(accepted.rows["emotion"]) == ["happiness", "fear"]


def test_a_header_is_recognised_where_it_was_said_to_lack(tmp_path):
    table = read_affectnet(write_affectnet_csv(tmp_path), has_header=False)
    assert list(table.rows["emotion"]) == ["happiness", "fear"]
    assert "malformed" not in told(table)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("1/x.jpg,1,2,3", id="too-few-cells"),
        pytest.param("1/x.jpg,4,6,30,32,1;2,happy,0,0", id="label-not-a-number"),
        pytest.param("1/x.jpg,4,6,0,32,1;2,1,0,0", id="box-without-width"),
        pytest.param("1/x.jpg,nan,6,30,32,1;2,1,0,0", id="box-without-place"),
        pytest.param(",4,6,30,32,1;2,1,0,0", id="no-image"),
        pytest.param("1/x.jpg,4,6,30,32,1;2,11,0,0", id="label-beyond-10"),
    ],
)
def test_a_malformed_row_is_reported_and_left_out(tmp_path, row):
    write_affectnet_csv(tmp_path)
    with (tmp_path / "training.csv").open("a") as lines:
        lines.write(row + "\n")
    table = read_affectnet(tmp_path)
    assert len(table) == 2
    assert "training.csv:5: malformed row" in told(table)


def test_an_image_listed_twice_keeps_its_later_row(tmp_path):
    write_affectnet_csv(tmp_path, [("1/a.jpg", 1), ("1/a.jpg", 2)])
    table = read_affectnet(tmp_path)
    assert list(table.rows["emotion"]) == ["sadness"]
    assert "listed more than once" in told(table)


def test_the_npy_release_keeps_labels_as_strings_in_arrays(tmp_path):
    table = read_affectnet(write_affectnet_npy(tmp_path))
    assert list(table.rows["emotion"]) == ["neutral", "surprise", "contempt", "disgust"]
    assert list(table.rows["split"]) == ["train"] * 3 + ["validation"]
    assert table.rows["valence"][0] == 0.25
    assert np.isnan(table.rows["arousal"][0])


def test_a_pickle_is_not_loaded_from_an_annotation(tmp_path):
    write_affectnet_npy(tmp_path)
    path = tmp_path / "train_set" / "annotations" / "0_exp.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "train_set/annotations/0_exp.npy" in fatal(read_affectnet(tmp_path))


def test_folders_by_name_are_read_with_their_split(tmp_path):
    write_folders(tmp_path, {"Happy": 2, "anger": 1}, "Train")
    write_folders(tmp_path, {"Contempt": 1}, "Test")
    table = read_affectnet(tmp_path)
    assert not fatal(table)
    assert sorted(zip(table.rows["emotion"], table.rows["split"], strict=True)) == [
        ("anger", "train"),
        ("contempt", "test"),
        ("happiness", "train"),
        ("happiness", "train"),
    ]


def test_a_folder_that_is_no_emotion_is_refused_by_name(tmp_path):
    write_folders(tmp_path, {"Happy": 1, "misc": 2})
    assert "'misc' is no emotion" in fatal(read_affectnet(tmp_path))


def test_digits_without_an_order_are_refused_with_the_remedy(tmp_path):
    table = read_affectnet(write_folders(tmp_path, digits(OFFICIAL)))
    assert "digits do not say which emotion" in fatal(table)
    assert "--digit_order" in fatal(table)
    assert table.rows["emotion"].isna().all()


@pytest.mark.parametrize(
    ("counts", "order"),
    [
        pytest.param(OFFICIAL, "alphabetical", id="official-called-alphabetical"),
        pytest.param(ALPHABETICAL, "affectnet", id="alphabetical-called-official"),
    ],
)
def test_an_order_that_the_counts_contradict_is_refused(tmp_path, counts, order):
    table = read_affectnet(write_folders(tmp_path, digits(counts)), digit_order=order)
    assert "label order contradicted" in fatal(table)
    assert "--digit_order" in fatal(table)


@pytest.mark.parametrize(
    ("counts", "order"), [(OFFICIAL, "affectnet"), (ALPHABETICAL, "alphabetical")]
)
def test_an_order_that_the_counts_bear_out_is_taken(tmp_path, counts, order):
    table = read_affectnet(write_folders(tmp_path, digits(counts)), digit_order=order)
    assert not fatal(table)
    assert "label order agrees" in told(table)
    assert (table.rows["emotion"] == "happiness").sum() == 134


@pytest.mark.parametrize("order", ["affectnet", "alphabetical"])
def test_a_balanced_copy_is_not_verifiable(tmp_path, order):
    table = read_affectnet(write_folders(tmp_path, digits([12] * 8)), digit_order=order)
    assert not fatal(table)
    assert "not verifiable" in told(table)


def test_a_digit_beyond_the_order_is_refused(tmp_path):
    write_folders(tmp_path, {"0": 1, "1": 1, "2": 1})
    table = read_affectnet(tmp_path, digit_order="fear,anger")
    assert "digit 2 is beyond the 2 emotions" in fatal(table)


def _permuted(counts: dict, order: str) -> dict:
    """Counts as they look if official digits are read in another order."""
    official = [counts[e] for e in AFFECTNET_8.emotions]
    return dict(zip(parse_digit_order(order), official, strict=True))


@pytest.mark.parametrize(
    ("shape", "verdict", "permuted_verdict"),
    [
        pytest.param(lambda n: n, "agrees", "contradicted", id="whole-set"),
        pytest.param(lambda n: n // 20, "agrees", "contradicted", id="a-twentieth"),
        pytest.param(lambda n: min(n, 15000), "agrees", "contradicted", id="capped-at-15000"),
        pytest.param(lambda n: min(n, 2500), "not verifiable", "not verifiable", id="balanced"),
        pytest.param(lambda n: max(1, n // 30000), "not verifiable", "not verifiable", id="tiny"),
    ],
)
def test_counts_tell_an_order_where_they_can(shape, verdict, permuted_verdict):
    counts = {emotion: shape(n) for emotion, n in AFFECTNET_TRAIN.items()}
    assert check_order(counts).verdict == verdict
    assert check_order(_permuted(counts, "alphabetical")).verdict == permuted_verdict


def test_emotions_that_are_equally_frequent_are_named_as_not_told_apart():
    counts = {emotion: n // 100 for emotion, n in AFFECTNET_TRAIN.items()}
    assert "disgust/contempt" in check_order(counts).told


def test_counts_of_another_data_set_verify_nothing():
    counts = dict(zip(AFFECTNET_8.emotions, (5000, 100, 90, 80, 70, 60, 50, 4000), strict=True))
    assert "in no order" in check_order(counts).told


def test_labels_csv_is_believed_over_the_folders_and_differences_are_counted(tmp_path):
    write_image(tmp_path / "anger" / "a.jpg", 1)
    write_image(tmp_path / "anger" / "b.jpg", 2)
    rows = [
        {"": 0, "pth": "anger/a.jpg", "label": "surprise", "relFCs": 0.8},
        {"": 1, "pth": "anger/b.jpg", "label": "anger", "relFCs": 0.9},
    ]
    write_csv(tmp_path / "labels.csv", rows)
    table = read_affectnet(tmp_path)
    assert list(table.rows["emotion"]) == ["surprise", "anger"]
    assert "1 of 2 labels differ from the image's folder" in told(table)


def test_labels_csv_written_with_backslashes_keeps_its_splits(tmp_path):
    write_image(tmp_path / "train" / "anger" / "a.jpg", 1)
    write_image(tmp_path / "test" / "anger" / "b.jpg", 2)
    names = (r"train\anger\a.jpg", r"test\anger\b.jpg")
    write_csv(tmp_path / "labels.csv", [{"pth": name, "label": "anger"} for name in names])
    assert list(read_affectnet(tmp_path).rows["split"]) == ["train", "test"]


def test_labels_csv_without_its_columns_is_refused(tmp_path):
    write_csv(tmp_path / "labels.csv", [{"file": "a.jpg", "emotion": "fear"}])
    assert "must name pth, label" in fatal(read_affectnet(tmp_path))


def test_two_layouts_in_one_folder_must_be_chosen_from(tmp_path):
    write_affectnet_csv(tmp_path)
    write_affectnet_npy(tmp_path)
    with pytest.raises(ValueError, match="Choose one with --layout"):
        read_affectnet(tmp_path)
    assert len(read_affectnet(tmp_path, layout="npy")) == 4


def test_an_empty_folder_and_an_empty_list_are_told(tmp_path):
    assert "nothing to read" in fatal(read_affectnet(tmp_path))
    (tmp_path / "training.csv").write_text("")
    assert "the file is empty" in fatal(read_affectnet(tmp_path))
    with pytest.raises(FileNotFoundError, match="--root"):
        read_affectnet(tmp_path / "nowhere")


def test_the_header_of_the_tests_is_the_official_one():
    from emotemporal.data.sets.affectnet_csv import CSV_COLUMNS

    assert ",".join(CSV_COLUMNS) == AFFECTNET_HEADER

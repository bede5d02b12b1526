from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from emotemporal.data.readers import DatasetConfig, load_dataset, near_twins, read_dataset
from emotemporal.data.sets.cremad import read_cremad
from emotemporal.data.sets.ferplus import read_ferplus
from emotemporal.data.sets.folder import read_folder
from emotemporal.data.sets.manifest import read_manifest
from emotemporal.data.sets.ravdess import read_ravdess
from emotemporal.data.sets.savee import read_savee
from emotemporal.data.table import count_by_emotion, soft_targets
from emotemporal.labels import AFFECTNET_8, Emotion
from emotemporal.live.inputs import VIDEO_SUFFIXES
from emotemporal.reading import UnreadableError
from tests.data.tiny_sets import (
    write_affectnet_csv,
    write_csv,
    write_folders,
    write_image,
    write_savee,
    write_video,
)


def fatal(table) -> str:
    return "\n".join(str(problem) for problem in table.problems if problem.is_fatal)


def told(table) -> str:
    return "\n".join(str(problem) for problem in table.problems)


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("AudioVisualClip/DC/a1.avi", ("anger", "DC", "common1"), id="official"),
        pytest.param("AudioVisualClip/DC/a01.avi", ("anger", "DC", "common1"), id="padded"),
        pytest.param("DC_a01.avi", ("anger", "DC", "common1"), id="flat"),
        pytest.param("AllData/JK_sa13.avi", ("sadness", "JK", "sa13"), id="flat-in-a-folder"),
        pytest.param("x/AudioVisualClip/y/KL/su7.avi", ("surprise", "KL", "su7"), id="nested"),
        pytest.param("JE/su4.avi", ("surprise", "JE", "su4"), id="first-of-its-emotion"),
        pytest.param("JE/n30.avi", ("neutral", "JE", "n30"), id="neutral"),
        pytest.param("JE/sa3.avi", ("sadness", "JE", "common3"), id="two-letters-first"),
    ],
)
def test_savee_is_read_in_all_its_namings(tmp_path, name, expected):
    table = read_savee(touch(tmp_path, name))
    assert not fatal(table)
    row = table.rows.iloc[0]
    assert (row["emotion"], row["subject"], row["take"]) == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("DC/s1.avi", "s1.avi: cannot tell the emotion", id="one-s"),
        pytest.param("DC/clip.avi", "clip.avi: cannot tell the emotion", id="no-number"),
        pytest.param("AudioVisualClip/a1.avi", "cannot tell the speaker", id="no-speaker"),
        pytest.param("a1.avi", "cannot tell the speaker", id="no-folder"),
    ],
)
def test_a_savee_name_that_says_nothing_is_refused(tmp_path, name, reason):
    assert reason in fatal(read_savee(touch(tmp_path, name, "DC/a2.avi")))


def test_savee_twice_in_one_folder_is_refused(tmp_path):
    table = read_savee(touch(tmp_path, "DC/a1.avi", "DC/a01.avi"))
    assert "the same clip of the same speaker" in fatal(table)


def test_three_sentences_of_savee_are_common_to_all_emotions(tmp_path):
    codes = {"a": 15, "d": 15, "f": 15, "h": 15, "n": 30, "sa": 15, "su": 15}
    names = [f"DC/{code}{i}.avi" for code, num in codes.items() for i in range(1, num + 1)]
    rows = read_savee(touch(tmp_path, *names)).rows
    assert len(rows) == 120
    common = rows[rows["take"].str.startswith("common")]
    assert common.groupby("take")["emotion"].nunique().to_dict() == {
        "common1": 7,
        "common2": 7,
        "common3": 7,
    }
    assert rows["take"].nunique() == 3 + 6 * 12 + 27


def test_who_is_shown_is_known_where_the_layout_tells_it(tmp_path):
    assert set(read_savee(touch(tmp_path / "s", "DC/a1.avi")).rows["sex"]) == {"male"}
    names = ("Actor_07/01-01-03-01-02-01-07.mp4", "Actor_08/01-01-03-01-02-01-08.mp4")
    assert list(read_ravdess(touch(tmp_path / "r", *names)).rows["sex"]) == ["male", "female"]


def test_cremads_demographics_are_read_where_they_are(tmp_path):
    root = touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv", "VideoFlash/1002_DFA_ANG_XX.flv")
    without = read_cremad(root)
    assert "sex" not in without.rows
    assert "VideoDemographics.csv: is not there" in told(without)
    text = "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    (root / "VideoDemographics.csv").write_text(text)
    for place in (root, root / "VideoFlash"):
        rows = read_cremad(place).rows
        assert list(rows["sex"]) == ["male", ""]
        assert list(rows["age"]) == ["50-59", ""]
    (root / "VideoDemographics.csv").write_text("ActorID,Age\n1001,51\n")
    assert "Sex, Race, Ethnicity missing" in fatal(read_cremad(root))
    (root / "VideoDemographics.csv").write_bytes(text.encode() + b"1002,30,\xe9\n")
    with pytest.raises(UnreadableError, match=r"VideoDemographics\.csv.*not a CSV in UTF-8"):
        read_cremad(root)


def test_ravdess_keeps_one_of_a_takes_two_files_and_leaves_calm_out(tmp_path):
    names = (
        "01-01-03-01-02-01-07",
        "02-01-03-01-02-01-07",
        "01-01-02-01-01-01-07",
        "01-02-05-01-01-01-07",
    )
    root = touch(tmp_path, *(f"Actor_07/{name}.mp4" for name in names))
    table = read_ravdess(root)
    assert list(table.rows["emotion"]) == ["happiness"]
    assert list(table.rows["subject"]) == ["07"]
    assert "1 clips left out: the same pictures" in told(table)
    assert "1 clips are calm" in told(table)
    assert "1 sung clips left out" in told(table)
    assert len(read_ravdess(root, with_songs=True)) == 2
    assert sorted(read_ravdess(root, calm="neutral").rows["emotion"]) == ["happiness", "neutral"]
    assert "calm, which is none" in fatal(read_ravdess(root, calm="refuse"))


def test_cremad_gives_actor_and_emotion(tmp_path):
    table = read_cremad(touch(tmp_path, "VideoFlash/1001_DFA_ANG_XX.flv"))
    row = table.rows.iloc[0]
    assert (row["emotion"], row["subject"], row["take"]) == ("anger", "1001", "DFA_XX")


@pytest.mark.parametrize(
    ("read", "name", "reason"),
    [
        (read_ravdess, "Actor_01/hello.mp4", "not a RAVDESS name"),
        (read_cremad, "1001_DFA_JOY_XX.flv", "not a CREMA-D name"),
    ],
)
def test_names_of_another_data_set_are_refused(tmp_path, read, name, reason):
    assert reason in fatal(read(touch(tmp_path, name)))


@pytest.mark.parametrize("read", [read_savee, read_ravdess, read_cremad, read_folder, read_ferplus])
def test_an_empty_folder_is_told_and_a_missing_one_raises(tmp_path, read):
    assert "nothing to read here" in fatal(read(tmp_path))
    with pytest.raises(FileNotFoundError, match="--root"):
        read(tmp_path / "nowhere")


def ferplus_row(name: str, usage: str = "Training", **votes: int) -> dict[str, object]:
    columns = [*AFFECTNET_8.names, "unknown", "NF"]
    return {"Usage": usage, "Image name": name, **{c: votes.get(c, 0) for c in columns}}


def write_ferplus(root: Path) -> Path:
    rows = [
        ferplus_row("fer1.png", neutral=9, fear=1),
        ferplus_row("fer2.png", neutral=5, sadness=5),
        ferplus_row("fer3.png", unknown=6, fear=4),
        ferplus_row("", NF=10),
        ferplus_row("fer1.png", anger=9, fear=1),
        ferplus_row("fer4.png", "PublicTest", happiness=5, fear=4),
        ferplus_row("fer5.png", "PrivateTest", contempt=6, neutral=4),
    ]
    write_csv(root / "fer2013new.csv", rows)
    folders = ["Train", "Train", "Train", "Valid", "Test"]
    for number, folder in enumerate(folders, 1):
        write_image(root / f"FER2013{folder}" / f"fer{number}.png", number)
    return root


def test_ferplus_takes_the_later_of_two_rows_and_the_strict_majority(tmp_path):
    table = read_ferplus(write_ferplus(tmp_path), "strict")
    assert list(table.rows["path"].str[-8:]) == ["fer1.png", "fer4.png", "fer5.png"]
    assert list(table.rows["emotion"]) == ["anger", "happiness", "contempt"]
    assert list(table.rows["split"]) == ["train", "validation", "test"]
    assert "1 rows name no image" in told(table)
    assert "2 images without a strict majority" in told(table)


def test_ferplus_keeps_votes_where_no_emotion_has_the_majority(tmp_path):
    table = read_ferplus(write_ferplus(tmp_path), "votes")
    assert list(table.rows["emotion"])[1:2] == ["anger"]
    tie = table.rows[table.rows["path"].str.endswith("fer2.png")].index[0]
    assert table.rows["emotion"][tie] is None
    targets, has_target = soft_targets(table, AFFECTNET_8)
    assert has_target[tie]
    assert targets[tie, AFFECTNET_8.index(Emotion.NEUTRAL)] == 0.5
    assert not soft_targets(table, AFFECTNET_8, use_votes=False)[1][tie]


def test_ferplus_leaves_out_what_one_voter_alone_saw(tmp_path):
    table = read_ferplus(write_ferplus(tmp_path), "votes", "drop")
    anger = table.rows[table.rows["path"].str.endswith("fer1.png")].iloc[0]
    assert (anger["votes_anger"], anger["votes_fear"]) == (9, 0)
    tie = table.rows[table.rows["path"].str.endswith("fer2.png")].iloc[0]
    assert (tie["votes_neutral"], tie["votes_sadness"]) == (5, 5)


def test_ferplus_keeps_single_votes_where_there_are_no_others(tmp_path):
    write_ferplus(tmp_path)
    rows = [ferplus_row("fer1.png", neutral=1, fear=1, unknown=5, NF=3)]
    write_csv(tmp_path / "fer2013new.csv", rows)
    table = read_ferplus(tmp_path, "votes", "drop")
    assert list(table.rows[["votes_neutral", "votes_fear"]].iloc[0]) == [1, 1]


def test_ferplus_without_its_columns_is_refused(tmp_path):
    write_csv(tmp_path / "fer2013new.csv", [{"Usage": "Training", "neutral": 10}])
    assert "there is no column" in fatal(read_ferplus(tmp_path))


def test_real_ferplus_has_the_known_number_of_strict_test_images(test_data):
    counts = count_by_emotion(read_ferplus(test_data / "ferplus", "strict"), "test")
    assert sum(counts.values()) == 2729
    assert sum(counts.values()) - counts[Emotion.CONTEMPT] == 2720


def test_a_folder_of_ones_own_is_read_by_its_names(tmp_path):
    write_folders(tmp_path, {"1_happy": 2, "Surprised": 1}, "val")
    table = read_folder(tmp_path)
    assert list(table.rows["emotion"]) == ["happiness", "happiness", "surprise"]
    assert set(table.rows["split"]) == {"validation"}


def test_a_folder_of_ones_own_tells_what_it_does_not_read(tmp_path):
    write_folders(tmp_path, {"happy": 1, "holiday": 2})
    touch(tmp_path, "happy/film.mp4")
    assert "a folder of 2 images whose name is no emotion" in fatal(read_folder(tmp_path))
    assert "1 videos are not read" in told(read_folder(tmp_path))


def manifest_row(path: str, label: str = "fear", subject: str = "A", **more) -> dict:
    return {"path": path, "label": label, "subject": subject, **more}


def test_a_manifest_gives_subjects_splits_and_intervals(tmp_path):
    rows = [
        manifest_row("a.mp4", split="train", start=0, end=1.5),
        manifest_row("a.mp4", "Happy", split="train", start=1.5, end=3),
        manifest_row("b.mp4", subject="B", split="val", start="", end=""),
    ]
    write_csv(tmp_path / "manifest.csv", rows)
    table = read_manifest(tmp_path)
    assert not fatal(table)
    assert table.kind == "videos"
    assert list(table.rows["emotion"]) == ["fear", "happiness", "fear"]
    assert table.rows["split"][2] == "validation"
    assert list(table.rows["end_s"][:2]) == [1.5, 3.0]


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_a_manifest_may_list_every_video_that_predict_judges(tmp_path, suffix):
    write_csv(tmp_path / "manifest.csv", [manifest_row(f"a{suffix}")])
    table = read_manifest(tmp_path)
    assert not fatal(table)
    assert table.kind == "videos"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(manifest_row("a.jpg", "joyful"), "'joyful' is not an emotion", id="label"),
        pytest.param(manifest_row("../a.jpg"), "below it", id="outside"),
        pytest.param(manifest_row("/a.jpg"), "relative to the root", id="absolute"),
        pytest.param(manifest_row("a.txt"), "cannot tell", id="kind"),
        pytest.param(manifest_row("a.mp4"), "images and videos", id="mixed"),
        pytest.param(manifest_row("ok.jpg"), "listed twice", id="twice"),
        pytest.param(manifest_row("a.jpg", split="dev"), "split is 'dev'", id="split"),
        pytest.param(manifest_row("a.jpg", start=1), "start without an end", id="half-interval"),
        pytest.param(manifest_row("a.jpg", start=2, end=1), "not an interval", id="backwards"),
        pytest.param(manifest_row("a.jpg", x1=4), "y2 '' are no face box", id="part-of-a-box"),
        pytest.param(
            manifest_row("a.jpg", x1=9, y1=0, x2=4, y2=8), "are no face box", id="inverted-box"
        ),
        pytest.param(
            manifest_row("a.jpg", x1="nan", y1=0, x2=4, y2=8), "are no face box", id="no-number"
        ),
    ],
)
def test_a_wrong_row_of_a_manifest_is_named(tmp_path, row, reason):
    columns = dict.fromkeys(("split", "start", "end", "x1", "y1", "x2", "y2"), "")
    rows = [manifest_row("ok.jpg") | columns, manifest_row(row["path"]) | columns | row]
    write_csv(tmp_path / "manifest.csv", rows)
    assert "manifest.csv:3: " in fatal(read_manifest(tmp_path))
    assert reason in fatal(read_manifest(tmp_path))


def test_a_manifest_without_its_columns_or_with_unclear_ones_is_refused(tmp_path):
    write_csv(tmp_path / "manifest.csv", [{"path": "a.jpg", "emotion": "fear"}])
    assert "missing ['label', 'subject'], unknown ['emotion (a name" in fatal(
        read_manifest(tmp_path)
    )
    write_csv(tmp_path / "manifest.csv", [manifest_row("a.jpg", splits="train")])
    assert "splits (did you mean split?)" in fatal(read_manifest(tmp_path))
    with pytest.raises(FileNotFoundError, match="--manifest"):
        read_manifest(tmp_path, "other.csv")


def test_columns_that_tell_who_is_shown_are_kept_and_told(tmp_path):
    rows = [manifest_row("a.mp4", skin="IV", age="030"), manifest_row("b.mp4", skin="", age="4")]
    write_csv(tmp_path / "manifest.csv", rows)
    table = read_manifest(tmp_path)
    assert list(table.rows["skin"]) == ["IV", ""]
    assert list(table.rows["age"]) == ["030", "4"]
    assert "skin, age: kept as they are" in told(table)


def test_listed_files_that_are_missing_are_refused_beyond_the_allowed_share(tmp_path):
    write_affectnet_csv(tmp_path)
    (tmp_path / "Manually_Annotated_Images" / "1" / "b.jpg").unlink()
    config = DatasetConfig(name="affectnet", root=str(tmp_path))
    assert "1 of 2 listed files are not there" in fatal(read_dataset(config))
    with pytest.raises(ValueError, match="listed files are not there"):
        load_dataset(config)
    half = DatasetConfig(name="affectnet", root=str(tmp_path), max_bad_share=0.5)
    assert len(load_dataset(half)) == 1
    assert "1 of 2 listed files are not there" in told(load_dataset(half))


def test_files_that_are_missing_can_be_left_out_by_a_list(tmp_path):
    write_affectnet_csv(tmp_path / "data")
    config = DatasetConfig(name="affectnet", root=str(tmp_path / "data"))
    gone = str(load_dataset(config).rows["path"].iloc[1])
    (tmp_path / "data" / gone).unlink()
    path = write_csv(tmp_path / "out.csv", [{"path": gone}])
    assert len(load_dataset(replace(config, exclude=str(path)))) == 1


def test_rows_are_left_out_by_a_list_and_counted(tmp_path):
    write_savee(tmp_path / "data")
    path = write_csv(
        tmp_path / "out.csv", [{"path": "AudioVisualClip/DC/a1.avi"}, {"path": "gone.avi"}]
    )
    config = DatasetConfig(name="savee", root=str(tmp_path / "data"), exclude=str(path))
    table = read_dataset(config)
    assert len(table) == 3
    assert "1 rows left out; 1 of its paths are not in the data set" in told(table)


def test_a_data_set_that_is_left_with_nothing_is_refused(tmp_path):
    touch(tmp_path, "Actor_01/01-01-02-01-01-01-01.mp4")
    table = read_dataset(DatasetConfig(name="ravdess", root=str(tmp_path)))
    assert "no rows are left" in fatal(table)


def test_training_refuses_files_that_splits_share_or_drops_them(tmp_path):
    for split, seeds in (("train", (1, 2, 3)), ("test", (3, 4))):
        for seed in seeds:
            write_image(tmp_path / split / "happy" / f"{split}{seed}.png", seed)
    refusing = DatasetConfig(name="folder", root=str(tmp_path))
    with pytest.raises(ValueError, match=r"test3\.png"):
        load_dataset(refusing)
    dropping = DatasetConfig(name="folder", root=str(tmp_path), shared_twins="drop")
    table = load_dataset(dropping)
    assert sorted(Path(path).stem for path in table.rows["path"]) == [
        "test3",
        "test4",
        "train1",
        "train2",
    ]
    assert "1 rows with a twin in a later split left out" in told(table)


def test_training_drops_mirror_images_where_it_is_told_to(tmp_path):
    original = write_image(tmp_path / "train" / "happy" / "a.png", 1)
    for seed in (2, 3):
        write_image(tmp_path / "train" / "happy" / f"{seed}.png", seed)
    (tmp_path / "test" / "happy").mkdir(parents=True)
    mirror = Image.open(original).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirror.save(tmp_path / "test" / "happy" / "b.png")
    config = DatasetConfig(name="folder", root=str(tmp_path), shared_twins="drop")
    assert len(load_dataset(config)) == 4  # no two files have the same bytes
    table = load_dataset(replace(config, shared_twins="drop_near"))
    assert sorted(Path(path).stem for path in table.rows["path"]) == ["2", "3", "b"]


def test_near_twins_are_not_looked_for_in_videos(tmp_path):
    write_savee(tmp_path)
    with pytest.raises(ValueError, match="looked for in images"):
        near_twins(read_savee(tmp_path))


def test_a_subject_in_two_splits_is_refused_by_name(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, seed=ord(name[0]))
    rows = [manifest_row("a.mp4", split="train"), manifest_row("b.mp4", split="test")]
    write_csv(tmp_path / "manifest.csv", rows)
    table = read_dataset(DatasetConfig(name="manifest", root=str(tmp_path)))
    assert "A in test and train" in fatal(table)
    assert "emotemporal split" in fatal(table)


def test_a_config_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="root is empty"):
        DatasetConfig(name="savee", root="")
    with pytest.raises(ValueError, match="max_bad_share"):
        DatasetConfig(name="savee", root="x", max_bad_share=1.5)

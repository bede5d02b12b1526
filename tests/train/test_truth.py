import pytest

from emotemporal.labels import Emotion
from emotemporal.train.truth import read_truth, with_truth
from tests.train.feature_clips import make_clips


def test_truth_over_time_replaces_one_label_a_clip(tmp_path):
    clips = make_clips(num_each=1, subjects=("AA",))
    path = tmp_path / "truth.csv"
    rows = [
        f"{clip.source},{start},{end},{name}"
        for clip in clips
        for start, end, name in ((0, 0.3, "neutral"), (0.3, 1, clip.emotion.value))
    ]
    path.write_text("source,start_s,end_s,emotion\n" + "\n".join(rows) + "\n")
    told = with_truth(clips, read_truth(path), path)
    assert [[t.emotion for t in clip.targets] for clip in told] == [
        [Emotion.NEUTRAL, clip.emotion] for clip in clips
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("source,start_s,end_s\nx,0,1\n", "lacks the columns emotion", id="no-column"),
        pytest.param("source,start_s,end_s,emotion\nx,0,1,glee\n", "line 2.*glee", id="no-emotion"),
        pytest.param("source,start_s,end_s,emotion\nx,1,1,fear\n", "line 2.*ends", id="empty"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(tmp_path, text, told):
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_truth(path)


def test_a_clip_of_which_nothing_is_told_is_named(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("source,start_s,end_s,emotion\nelsewhere,0,1,fear\n")
    with pytest.raises(ValueError, match="AA/fear0"):
        with_truth(make_clips(), read_truth(path), path)

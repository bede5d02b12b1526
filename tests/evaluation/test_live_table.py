import numpy as np
import pandas as pd
import pytest

from emotemporal.evaluation.live_table import judge_live_table
from emotemporal.labels import SAVEE_7, Emotion
from emotemporal.live.sinks.tables import CsvTable

BOXES = {0: (0, 0, 10, 10), 1: (100, 0, 110, 10)}
TIMES_S = np.arange(40) / 10
CHANGE_S, LAG_S = 2.0, 0.3


def shown_at(time_s: float) -> str:
    return "neutral" if time_s < CHANGE_S - 1e-9 else "happiness"


def truth(faces=(0,)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            [time, face, *BOXES[face], shown_at(time) if face == 0 else "anger"]
            for time in TIMES_S
            for face in faces
        ],
        columns=["time_s", "face", "x1", "y1", "x2", "y2", "emotion"],
    )


def ticks(face: int = 0, track_id: int = 7, lag_s: float = LAG_S, offset_px: float = 1.0):
    x1, y1, x2, y2 = BOXES[face]
    return pd.DataFrame(
        [
            [t, track_id, x1 + offset_px, y1, x2 + offset_px, y2, shown_at(t - lag_s), 0]
            for t in TIMES_S
        ],
        columns=["time_s", "track_id", "x1", "y1", "x2", "y2", "shown", "is_uncertain"],
    )


@pytest.fixture
def judge(tmp_path):
    def judge(table: pd.DataFrame, faces: pd.DataFrame):
        table.to_csv(tmp_path / "live.csv", index=False)
        faces.to_csv(tmp_path / "truth.csv", index=False)
        return judge_live_table(tmp_path / "live.csv", tmp_path / "truth.csv")

    return judge


def test_what_was_right_and_how_late_it_came(judge):
    score = judge(ticks(), truth())
    assert score.num_ticks == 40
    assert score.right.estimate == pytest.approx(37 / 40)
    assert score.uar == pytest.approx((1 + 17 / 20) / 2)
    assert score.stability.num_changes == 1
    assert score.stability.median_lag_s == pytest.approx(LAG_S)
    assert (score.stability.num_missed, score.stability.spurious_per_minute) == (0, 0)


def test_a_face_that_nobody_followed_is_counted(judge):
    score = judge(ticks(), truth(faces=(0, 1)))
    assert (score.num_faces_found, score.num_faces) == (1, 2)


def test_each_track_is_held_against_the_face_it_lies_on(judge):
    both = pd.concat([ticks(), ticks(face=1, track_id=8).assign(shown="anger")])
    score = judge(both, truth(faces=(0, 1)))
    assert score.num_faces_found == 2
    assert score.right.estimate == pytest.approx(77 / 80)


def test_a_track_on_no_face_is_in_no_figure(judge):
    astray = pd.concat([ticks(), ticks(track_id=9, offset_px=40.0)])
    assert judge(astray, truth()).num_ticks == 40


def test_a_change_that_was_never_shown_is_missed(judge):
    score = judge(ticks(lag_s=100.0), truth())
    assert score.stability.num_missed == 1
    assert score.right.estimate == pytest.approx(0.5)


def test_while_nothing_is_shown_nothing_is_right(judge):
    table = ticks(lag_s=0.0)
    table.loc[:4, "shown"] = ""
    assert judge(table, truth()).right.estimate == pytest.approx(35 / 40)


@pytest.mark.parametrize(
    ("table", "faces", "told"),
    [
        pytest.param(ticks().drop(columns="shown"), truth(), "lacks the columns shown", id="shown"),
        pytest.param(ticks(), truth().drop(columns="face"), "lacks the columns face", id="face"),
        pytest.param(ticks()[:0], truth(), "has no rows", id="empty"),
        pytest.param(ticks(offset_px=50), truth(), "do they belong together", id="elsewhere"),
        pytest.param(ticks()[:1], truth(), "two ticks", id="too-short"),
    ],
)
def test_tables_that_say_nothing_are_refused(judge, table, faces, told):
    with pytest.raises(ValueError, match=told):
        judge(table, faces)


def test_the_columns_are_those_that_live_and_the_drawn_scene_write(tmp_path, tiny_scene):
    with (tmp_path / "live.csv").open("w") as out:
        CsvTable(out, SAVEE_7)
    live = pd.read_csv(tmp_path / "live.csv")
    scene = pd.read_csv(tiny_scene.with_suffix(".truth.csv"))
    assert set(ticks().columns) <= set(live.columns)
    assert set(truth().columns) <= set(scene.columns)
    assert set(scene["emotion"]) <= {emotion.value for emotion in Emotion}

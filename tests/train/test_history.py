from emotemporal.train.history import EpochRow, describe_overfitting, draw_curves, overfitting_since


def _rows(train, val):
    return [
        EpochRow(i, i * 10, loss, 0.5, judged, 0.5, 0.5, 0.5)
        for i, (loss, judged) in enumerate(zip(train, val, strict=True), start=1)
    ]


STUDENTS = _rows([1.48, 1.2, 0.9, 0.6, 0.4, 0.23], [1.27, 1.25, 1.4, 1.7, 2.1, 2.48])
"""The shape of the report that the project grew from: training fell, validation rose."""


def test_the_students_run_is_named_as_overfitting_from_its_second_epoch():
    assert overfitting_since(STUDENTS) == 2
    told = describe_overfitting(STUDENTS, 2)
    assert "1.20 -> 0.23" in told
    assert "1.25 -> 2.48" in told


def test_a_run_that_still_learns_is_not_called_overfitting():
    assert overfitting_since(_rows([1.4, 1.2, 1.1, 1.0], [1.5, 1.4, 1.38, 1.39])) is None


def test_one_bad_epoch_is_not_overfitting():
    assert overfitting_since(_rows([1.4, 1.2, 1.1, 1.0], [1.5, 1.3, 1.6, 1.31])) is None


def test_a_run_that_diverges_is_not_called_overfitting():
    assert overfitting_since(_rows([1.0, 1.5, 2.0, 3.0], [1.0, 1.5, 2.0, 3.0])) is None


def test_curves_are_drawn_with_and_without_validation(tmp_path):
    draw_curves(STUDENTS, tmp_path / "a" / "curves.png", "students")
    bare = [EpochRow(1, 10, 1.0, 0.5, None, None, None, None)]
    draw_curves(bare, tmp_path / "bare.png", "bare")
    assert (tmp_path / "a" / "curves.png").stat().st_size > 5000
    assert (tmp_path / "bare.png").stat().st_size > 5000


def test_a_row_reads_as_the_students_report_did():
    line = STUDENTS[0].line(seconds=12.0)
    assert line.split() == [
        "1",
        "1.4800",
        "50.0",
        "%",
        "1.2700",
        "50.0",
        "%",
        "50.0",
        "%",
        "50.0",
        "%",
        "12.0",
        "s",
    ]
    assert STUDENTS[0].values()["val/uar"] == 0.5

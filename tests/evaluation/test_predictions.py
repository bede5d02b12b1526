import numpy as np
import pytest

from emotemporal.evaluation.predictions import read_predictions, write_predictions
from emotemporal.labels import AFFECTNET_8, SAVEE_7
from tests.evaluation.judges import predictions_with


def test_what_is_read_back_is_bit_for_bit_what_was_written(tmp_path):
    written = predictions_with([0, 3, 6], [0, 1, 6], subjects=["", 'a "b", c', "DC"])
    rng = np.random.default_rng(0)
    for row in written:
        row.probabilities[:] = rng.dirichlet(np.ones(7))
    write_predictions(tmp_path / "p.csv", written)
    read = read_predictions(tmp_path / "p.csv")
    for before, after in zip(written, read, strict=True):
        assert np.array_equal(before.probabilities, after.probabilities)
        assert (before.source, before.subject, before.target, before.labels) == (
            after.source,
            after.subject,
            after.target,
            after.labels,
        )


def test_two_label_spaces_in_one_table_are_refused(tmp_path):
    mixed = [
        *predictions_with([0], [0], labels=SAVEE_7),
        *predictions_with([0], [0], labels=AFFECTNET_8),
    ]
    with pytest.raises(ValueError, match="2 label spaces"):
        write_predictions(tmp_path / "p.csv", mixed)


@pytest.mark.parametrize("text", ["", "source,subject\n", "source,subject,emotion,fear\n"])
def test_another_table_is_refused_by_name(text, tmp_path):
    (tmp_path / "other.csv").write_text(text)
    with pytest.raises(ValueError, match=r"other\.csv"):
        read_predictions(tmp_path / "other.csv")

from emotemporal.data.sets.ferplus import read_ferplus
from emotemporal.data.table import soft_targets
from emotemporal.labels import AFFECTNET_8
from tests.data.test_readers import write_ferplus


def test_ferplus_by_majority_has_the_strict_images_and_one_emotion_each(tmp_path):
    root = write_ferplus(tmp_path)
    strict, hard = read_ferplus(root, "strict"), read_ferplus(root, "majority")
    assert list(hard.rows["path"]) == list(strict.rows["path"])
    assert list(hard.rows["emotion"]) == list(strict.rows["emotion"])
    assert not hard.has_votes
    targets, has_target = soft_targets(hard, AFFECTNET_8)
    assert has_target.all()
    assert set(targets.ravel()) == {0.0, 1.0}
